"""`kairos duet-data`: from annotation files to samples, and every way to ask for the impossible."""

from __future__ import annotations

import json

import pytest

from kairos.endpoint import Endpoint
from kairos.train import samples

ANET = {
    "v_a": {"duration": 20.0, "timestamps": [[0, 8], [6, 20]], "sentences": ["A man sits.", "He leaves."]},
    "v_b": {"duration": 5, "timestamps": [[1, 2]], "sentences": ["Rain."]},
}


@pytest.fixture
def anet(tmp_path):
    path = tmp_path / "val_1.json"
    path.write_text(json.dumps(ANET))
    return path


def refused(shown, *words):
    assert shown.code == 2, shown
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    for word in words:
        assert word in shown.err, shown.err


def test_captions_become_samples(cli, anet, tmp_path):
    out = tmp_path / "duet.jsonl"
    shown = cli("duet-data", anet, "--kind", "caption", "--out", out, "--json")
    document = json.loads(shown.out)
    assert (document["kairos"], document["version"]) == ("duet-data", 1)
    assert (document["samples"], document["videos"], document["responses"]) == (2, 2, 3)
    first, second = samples.read(out)
    assert (first.video, second.video) == ("v_a", "v_b")
    assert [turn.text for turn in first.responses] == ["A man sits.", "He leaves."]
    said = cli("duet-data", anet, "--kind", "caption", "--out", out)
    assert said.out == f"2 samples of 2 videos in {out}\n"


def test_the_seed_and_the_ways_decide(cli, anet, tmp_path):
    def make(*options):
        out = tmp_path / "duet.jsonl"
        assert cli("duet-data", anet, "--kind", "caption", "--out", out, *options).code == 0
        return out.read_text()

    assert make("--seed", 1) == make("--seed", 1)
    assert make("--seed", 1) != make("--seed", 2)
    header, first, *_ = make("--insertion", "end", "--informative", "one").splitlines()
    assert json.loads(header)["insertion"] == "end"
    assert [t["time"] for t in json.loads(first)["turns"]] == [0.0, 8.0, 20.0]
    assert json.loads(first)["informative"] == [[8.0, 8.0], [20.0, 20.0]]


def test_grounding_from_two_files(cli, anet, tmp_path):
    other = tmp_path / "val.jsonl"
    row = {"qid": 1, "query": "he eats", "duration": 9, "vid": "w", "relevant_windows": [[1, 2]]}
    other.write_text(json.dumps(row))
    out = tmp_path / "duet.jsonl"
    cli("duet-data", anet, other, "--kind", "ground", "--out", out)
    made = samples.read(out)
    assert [s.video for s in made] == ["v_a", "v_a", "v_b", "w"]
    assert made[3].relevance == ((1.0, 2.0),)
    assert "he eats" in made[3].query


def test_questions_are_written_once_and_kept(cli, anet, tmp_path, monkeypatch):
    sent = []

    def send(endpoint, request):
        sent.append((endpoint.url, request["model"]))
        count = request["messages"][1]["content"].count("\n") + 1
        said = {"question": "What does he do?", "answers": ["He acts."] + ["Not Mentioned."] * (count - 1)}
        return {"choices": [{"message": {"content": json.dumps(said)}}]}

    monkeypatch.setattr(Endpoint, "_send", send)
    out = tmp_path / "duet.jsonl"
    options = (
        "--kind",
        "magqa",
        "--endpoint",
        "http://h/v1",
        "--endpoint-model",
        "m",
        "--out",
        out,
        "--quiet",
    )
    for _ in range(2):
        assert cli("duet-data", anet, *options).code == 0
    assert sent == [("http://h/v1", "m")] * 2  # two videos, each asked about once
    assert (tmp_path / "duet.replies").is_dir()
    made = samples.read(out)
    assert [[turn.text for turn in s.responses] for s in made] == [["He acts."], ["He acts."]]
    assert all(s.query == "What does he do?" and s.turns[0].time < s.turns[1].time for s in made)


def test_a_model_that_will_not_write_fails_or_is_left_out(cli, anet, tmp_path, monkeypatch):
    said = json.dumps(
        {"question": "What?", "answers": ["It rains."]}
    )  # fits the video with one caption alone
    monkeypatch.setattr(Endpoint, "_send", lambda *_: {"choices": [{"message": {"content": said}}]})
    out = tmp_path / "duet.jsonl"
    options = (
        "--kind",
        "magqa",
        "--endpoint",
        "http://h/v1",
        "--endpoint-model",
        "m",
        "--out",
        out,
        "--quiet",
    )
    shown = cli("duet-data", anet, *options)
    assert shown.code == 1
    assert "does not reply as asked: 1 answers to 2 captions" in shown.err
    assert not out.exists()
    shown = cli("duet-data", anet, *options, "--leave-out")
    assert shown.code == 0
    assert "left out: v_a" in shown.err
    assert [s.video for s in samples.read(out)] == ["v_b"]


def test_problems_stop_the_work_or_are_left_out(cli, tmp_path):
    path = tmp_path / "charades.txt"
    path.write_text("A 8.0 7.0##he sits\nB 1 2##he eats\n")
    (tmp_path / "Charades_v1_train.csv").write_text("id,length\nA,30\n")
    out = tmp_path / "duet.jsonl"
    refused(cli("duet-data", path, "--kind", "ground", "--out", out), f"{path}:1", "reversed")
    path.write_text("A 1.0 7.0##he sits\nB 1 2##he eats\n")
    refused(cli("duet-data", path, "--kind", "ground", "--out", out), "length of 1 video", "B", "Charades_v1")
    assert not out.exists()
    document = json.loads(
        cli("duet-data", path, "--kind", "ground", "--out", out, "--leave-out", "--json").out
    )
    assert (document["samples"], document["left_out"]) == (1, 1)
    assert document["problems"] == ["B: its length is not known"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "talk"], ["--kind talk", "magqa"]),
        (["--kind", "caption", "--insertion", "start"], ["--insertion start", "end"]),
        (["--kind", "caption", "--informative", "some"], ["--informative some"]),
        (["--kind", "caption", "--seed", "-1"], ["seed"]),
        (["--kind", "magqa", "--parallel", "0"], ["parallel"]),
        (["--kind", "caption", "--endpoint", "http://h/v1"], ["no part in --kind caption"]),
        (["--kind", "magqa", "--endpoint", "http://h/v1"], ["needs --endpoint-model"]),
        (["--kind", "magqa", "--endpoint", "file:///x", "--endpoint-model", "m"], ["http or https"]),
        (["--kind", "magqa"], ["nothing for a sample", "--endpoint"]),
        ([], ["--kind"]),
    ],
)
def test_impossible_wishes_are_one_line(cli, anet, tmp_path, options, words):
    refused(cli("duet-data", anet, "--out", tmp_path / "duet.jsonl", *options), *words)


def test_impossible_files_are_one_line(cli, anet, tmp_path):
    out = tmp_path / "duet.jsonl"
    refused(cli("duet-data", tmp_path / "none.json", "--kind", "caption", "--out", out), "none.json", "read")
    refused(cli("duet-data", anet, "--kind", "caption", "--out", tmp_path / "a.txt"), ".jsonl")
    refused(cli("duet-data", anet, "--kind", "caption", "--out", tmp_path), "ending")
    refused(cli("duet-data", anet, "--kind", "caption", "--out", tmp_path / "no/a.jsonl"), "mkdir")
    refused(cli("duet-data", "--kind", "caption", "--out", out), "FILE")
    (tmp_path / "odd.json").write_text('{"a": 1}')
    refused(cli("duet-data", tmp_path / "odd.json", "--kind", "caption", "--out", out), "no known annotation")
