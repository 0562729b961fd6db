"""`kairos score`: tables, JSON, pictures, items, comparisons, and what is refused."""

from __future__ import annotations

import json

import pytest
from refused import refused

REFS = [
    {"qid": k, "query": "q", "vid": f"v{k}", "duration": 20, "relevant_windows": [[0, 10]]} for k in range(6)
]


@pytest.fixture
def files(tmp_path):
    def lines(name, rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    good = [{"qid": k, "pred_relevant_windows": [[0, 10, 1]]} for k in range(6)]
    poor = [{"qid": k, "pred_relevant_windows": [[0, 10 if k < 2 else 1, 1]]} for k in range(6)]
    return lines("good.jsonl", good), lines("poor.jsonl", poor), lines("refs.jsonl", REFS)


def test_a_table_names_the_protocols_and_its_command(cli, files):
    good, _, refs = files
    shown = cli("score", "qvhighlights", "--pred", good, "--ref", refs)
    assert shown.code == 0
    for words in (
        "official",
        "strict",
        "MR-R1@0.5",
        "100.00",
        "items: 6",
        "printed by: kairos score qvhighlights",
    ):
        assert words in shown.out
    one = cli("score", "qvhighlights", "--pred", good, "--ref", refs, "--protocol", "strict")
    assert "official" not in one.out


def test_json_holds_every_number(cli, files):
    _, poor, refs = files
    document = json.loads(cli("score", "qvhighlights", "--pred", poor, "--ref", refs, "--json").out)
    assert (document["kairos"], document["version"], document["task"]) == ("score", 1, "qvhighlights")
    assert document["protocols"] == ["official", "strict"]
    found = {(m["section"], m["name"], m["group"]): m for m in document["measures"]}
    number = found["full", "MR-R1@0.55", "official"]
    assert number["value"] == pytest.approx(1 / 3)
    assert number["low"] <= number["value"] <= number["high"]
    assert document["problems"] == []


def test_files_are_written(cli, files, tmp_path):
    _, poor, refs = files
    places = [tmp_path / name for name in ("t.md", "p.png", "i.jsonl")]
    options = [x for pair in zip(("--save", "--plot", "--items"), places, strict=True) for x in pair]
    assert cli("score", "qvhighlights", "--pred", poor, "--ref", refs, *options).code == 0
    assert "| MR-R1@0.5 |" in places[0].read_text()
    assert places[1].read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(row) for row in places[2].read_text().splitlines()]
    assert [row["scores"]["full/MR-R1@0.5"] for row in rows] == [1, 1, 0, 0, 0, 0]


def test_two_models_are_compared_by_predictions_and_by_items(cli, files, tmp_path):
    good, poor, refs = files
    shown = cli("score", "qvhighlights", "--compare", poor, good, "--ref", refs)
    assert shown.code == 0
    assert "b - a" in shown.out
    assert "b wins most in full MR-mIoU: 2 of v2 (0.1 to 1)" in shown.out
    for name, pred in (("a.jsonl", poor), ("b.jsonl", good)):
        cli("score", "qvhighlights", "--pred", pred, "--ref", refs, "--items", tmp_path / name)
    document = json.loads(cli("score", "--compare", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--json").out)
    found = next(d for d in document["differences"] if d["name"] == "MR-R1@0.5")
    assert (found["wins"], found["losses"]) == (4, 0)


def test_several_problems_are_told_a_line_each(cli, files, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"qid": 0, "pred_relevant_windows": [[3, 1]]}\n{"qid": 1, "pred_relevant_windows": 4}\n')
    shown = cli("score", "qvhighlights", "--pred", bad, "--ref", files[2])
    assert (shown.code, shown.out) == (2, "")
    told = shown.err.splitlines()
    assert "bad.jsonl:1:" in told[0]
    assert "bad.jsonl:2:" in told[1]
    assert "no prediction for 4 of 6" in told[2]
    assert told[3].startswith("kairos: 3 problems")
    assert "--missing" in told[3]
    assert cli("score", "qvhighlights", "--pred", bad, "--ref", files[2], "--missing", "zero").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["TASK", "qvhighlights"]),
        (["nonsense", "--pred", "{good}", "--ref", "{refs}"], ["no protocol 'nonsense'"]),
        (["qvhighlights", "--ref", "{refs}"], ["--pred"]),
        (["qvhighlights", "--pred", "{good}"], ["--ref"]),
        (
            ["qvhighlights", "--pred", "{good}", "--ref", "{refs}", "--protocol", "loose"],
            ["official or strict"],
        ),
        (["qvhighlights", "--pred", "{good}", "--ref", "{refs}", "--missing", "no"], ["--missing"]),
        (["qvhighlights", "--pred", "no.jsonl", "--ref", "{refs}"], ["no.jsonl", "cannot be read"]),
        (["qvhighlights", "--pred", "{good}", "--ref", "{refs}", "--plot", "a.txt"], ["--plot", ".png"]),
        (["qvhighlights", "--pred", "{good}", "--compare", "{good}", "{poor}"], ["--compare"]),
        (["qvhighlights", "--pred", "{good}", "--ref", "{refs}", "--seed", "-1"], ["seed"]),
    ],
)
def test_what_is_wrong_is_refused(cli, files, arguments, words):
    names = dict(zip(("good", "poor", "refs"), files, strict=True))
    refused(cli("score", *[a.format(**names) for a in arguments]), *words)


QUESTIONS = [
    {
        "question_id": f"{k}",
        "videoID": f"v{k}",
        "question": f"what is {k} ?",
        "options": ["A. red", "B. blue"],
        "answer": "AB"[k % 2],
    }
    for k in range(4)
]


def test_replies_of_any_form_become_the_harnesses_files_and_come_back(cli, tmp_path):
    ref, pred = tmp_path / "questions.json", tmp_path / "my-model.json"
    ref.write_text(json.dumps(QUESTIONS))
    pred.write_text(json.dumps({q["question_id"]: "A" for q in QUESTIONS}))
    found = cli(
        "score",
        "video-mme",
        "--pred",
        pred,
        "--ref",
        ref,
        "--lmms-eval",
        tmp_path / "l",
        "--vlmevalkit",
        tmp_path / "v",
    )
    assert found.code == 0, found.err
    results = json.loads((tmp_path / "l/my-model_results.json").read_text())
    assert results["results"]["video-mme"]["Overall,none"] == 0.5
    for path in (tmp_path / "l/my-model_samples_video-mme.jsonl", tmp_path / "v/my-model_video-mme.tsv"):
        again = cli("score", "video-mme", "--pred", path, "--ref", ref, "--json")
        values = {m["name"]: m["value"] for m in json.loads(again.out)["measures"] if m["group"] == "strict"}
        assert values["Overall"] == 0.5
    named = cli(
        "score",
        "video-mme",
        "--pred",
        pred,
        "--ref",
        ref,
        "--vlmevalkit",
        tmp_path / "v",
        "--model",
        "org/it",
    )
    assert named.code == 0
    assert (tmp_path / "v/org__it_video-mme.tsv").is_file()


def test_only_sets_of_questions_have_the_harnesses_files(cli, files, tmp_path):
    good, poor, refs = files
    refused(
        cli("score", "qvhighlights", "--pred", good, "--ref", refs, "--vlmevalkit", tmp_path),
        "is no set of questions",
    )
    refused(
        cli("score", "qvhighlights", "--compare", good, poor, "--ref", refs, "--lmms-eval", tmp_path),
        "no items of one model",
    )
