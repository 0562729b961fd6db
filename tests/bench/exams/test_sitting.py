from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import pytest
from fakes import ColourModel, ColourSession
from painted import write_clip

from kairos.bench import run
from kairos.bench.exams import candidates, sitting
from kairos.bench.exams.local import Local
from kairos.bench.harness import write_lmms_eval
from kairos.bench.protocols.comparing import of_items
from kairos.errors import AnnotationError, InputError, OptionError, VideoError


class Listener(ColourModel):
    """Says A of whatever it is asked, and keeps until when it has watched."""

    def __init__(self):
        super().__init__()
        self.watched = []

    def unknown_words(self, text):
        return []

    def session(self):
        owner = self

        class Session(ColourSession):
            def reply(self, max_words=24):
                owner.watched.append(self.length)
                return _Said()

        return Session(self.config)


class _Said:
    text, confidence, abstained = "A", 1.0, False


@pytest.fixture
def asked(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("one", "two"):
        write_clip(videos / f"{name}.mp4", [(0.0, 2.0, "red")], duration=4.0)
    rows = [
        {
            "time_stamp": "00:00:01",
            "question": "what ?",
            "answer": "A",
            "options": ["A. x", "B. y"],
            "task_type": "t",
        },
        {
            "time_stamp": "00:00:02",
            "question": "who ?",
            "answer": "B",
            "options": ["A. x", "B. y"],
            "task_type": "u",
        },
    ]
    entries = [{"video_path": f"./videos/{name}.mp4", "questions": rows} for name in ("one", "two")]
    annotations = tmp_path / "questions.json"
    annotations.write_text(json.dumps(entries))
    return {"videos": videos, "annotations": annotations, "out": tmp_path / "out"}


def items(asked):
    return [json.loads(line) for line in (asked["out"] / "items.jsonl").read_text().splitlines()]


def test_each_reply_is_a_line_and_nothing_later_is_seen(asked):
    model = Listener()
    report = run("streamingbench", model=model, **asked)
    overall = {(m.name, m.group): m.value for m in report.measures if not m.section}
    assert overall["Overall", "official"] == overall["Overall", "strict"] == 0.5
    rows = items(asked)
    assert [row["id"] for row in rows] == ["one-0", "one-1", "two-0", "two-1"]
    assert model.watched == [1.0, 2.0, 1.0, 2.0]
    first = rows[0]
    assert first["raw_output"] == first["parsed_output"] == "A"
    assert first["scores"]["Overall"] == first["strict"]["Overall"] == 1.0
    assert first["frames"]["count"] == 2
    assert {"prompt", "seconds", "tokens", "model"} <= set(first)
    assert (asked["out"] / "table.md").exists()


def test_a_run_goes_on_where_it_stopped(asked):
    run("streamingbench", model=Listener(), limit=1, **asked)
    with pytest.raises(OptionError, match="--resume"):
        run("streamingbench", model=Listener(), **asked)
    with open(asked["out"] / "items.jsonl", "a") as file:
        file.write('{"id": "one-1", "raw_out')  # killed while writing
    model = Listener()
    run("streamingbench", model=model, resume=True, **asked)
    assert len(model.watched) == 3
    assert len(items(asked)) == 4


def test_a_dry_run_asks_nothing(asked):
    report = run("streamingbench", model=Listener(), dry_run=True, **asked)
    assert (report.facts["items"], report.facts["videos"]) == (4, 2)
    assert not asked["out"].exists()


def test_what_is_missing_is_told(asked):
    (asked["videos"] / "two.mp4").unlink()
    with pytest.raises(InputError, match=r"1 videos are not in .*: two"):
        run("streamingbench", model=Listener(), **asked)
    with pytest.raises(OptionError, match="--videos DIR --annotations FILE"):
        run("streamingbench", model=Listener())
    with pytest.raises(InputError, match="no folder of videos"):
        run("streamingbench", model=Listener(), **{**asked, "videos": asked["videos"] / "none"})
    with pytest.raises(OptionError, match="did you mean streamingbench"):
        run("streamingbenhc", model=Listener(), **asked)
    with pytest.raises(OptionError, match="has no videos"):
        run("world", videos=asked["videos"])


def without_seconds(asked):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in items(asked)]


def test_killed_is_not_killed(asked, tmp_path):
    class Killed(Listener):
        def session(self):
            if len(self.watched) == 2:
                raise KeyboardInterrupt
            return super().session()

    whole = {**asked, "out": tmp_path / "whole"}
    table = run("streamingbench", model=Listener(), **whole)
    with pytest.raises(KeyboardInterrupt):
        run("streamingbench", model=Killed(), **asked)
    assert len(items(asked)) == 2
    assert items(asked)[0]["scores"] is None
    model = Listener()
    again = run("streamingbench", model=model, resume=True, **asked)
    assert len(model.watched) == 2
    assert without_seconds(asked) == without_seconds(whole)
    assert again.measures == table.measures


def test_two_runs_are_compared_and_handed_to_other_harnesses(asked, tmp_path):
    other = {**asked, "out": tmp_path / "other"}
    run("streamingbench", model=Listener(), **asked)
    run("streamingbench", model=Listener(), frames=1, **other)
    compared = of_items(asked["out"] / "items.jsonl", other["out"] / "items.jsonl")
    assert compared.items == 4
    samples, _ = write_lmms_eval(tmp_path, "streamingbench", "colours", items(asked), {"acc": 0.5})
    line = json.loads(samples.read_text().splitlines()[0])
    assert (line["target"], line["filtered_resps"], line["Overall"]) == ("A", ["A"], 1.0)


def test_a_budget_ends_the_run_and_the_rest_is_for_later(asked, monkeypatch):
    clock = SimpleNamespace(monotonic=itertools.count(0, 10).__next__)
    monkeypatch.setattr(sitting, "time", clock)
    report = run("streamingbench", model=Listener(), budget=15, **asked)
    assert [row["id"] for row in items(asked)] == ["one-0"]
    assert report.facts["items"] == 1
    assert "3 of 4 items are still to be asked: go on with --resume" in report.notes
    report = run("streamingbench", model=Listener(), resume=True, **asked)
    assert report.facts["items"] == 4


def test_frames_limit_what_is_looked_at_and_belong_to_the_run(asked):
    run("streamingbench", model=Listener(), frames=1, **asked)
    assert [row["frames"]["count"] for row in items(asked)] == [1, 1, 1, 1]
    model = Listener()
    run("streamingbench", model=model, frames=3, resume=True, **asked)
    assert len(model.watched) == 4
    assert [row["frames"]["count"] for row in items(asked)] == [2, 3, 2, 3]


@pytest.mark.parametrize(("missing", "overall", "count"), [("zero", 0.25, 4), ("skip", 0.5, 2)])
def test_missing_decides_about_videos_that_are_not_there(missing, overall, count, asked):
    two = asked["videos"] / "two.mp4"
    kept = two.read_bytes()
    two.unlink()
    report = run("streamingbench", model=Listener(), missing=missing, **asked)
    assert report.find("Overall", "strict").value == overall
    assert report.facts["items"] == count
    assert "2 items are without a video that can be read" in report.notes
    assert [row.get("error") for row in items(asked)] == ["the video is not there"] * 2 + [None] * 2
    two.write_bytes(kept)
    report = run("streamingbench", model=Listener(), missing=missing, resume=True, **asked)
    assert report.facts["items"] == 4
    assert report.find("Overall", "strict").value == 0.5


def test_a_broken_video_ends_the_run_or_is_told(asked):
    (asked["videos"] / "two.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match="--missing zero or --missing skip"):
        run("streamingbench", model=Listener(), **asked)
    report = run("streamingbench", model=Listener(), missing="zero", resume=True, **asked)
    assert report.find("Overall", "strict").value == 0.25
    assert "two.mp4" in items(asked)[2]["error"]


def test_every_problem_of_the_annotations_is_told_before_anything_runs(asked):
    entries = json.loads(asked["annotations"].read_text())
    entries[0]["questions"][0]["answer"] = "Z"
    del entries[1]["questions"][1]["question"]
    asked["annotations"].write_text(json.dumps(entries))
    with pytest.raises(AnnotationError) as told:
        run("streamingbench", model=Listener(), **asked)
    assert len(told.value.errors) == 2
    assert not asked["out"].exists()
    report = run("streamingbench", model=Listener(), missing="skip", **asked)
    assert report.facts["items"] == 2


def test_options_that_a_benchmark_does_not_have(asked):
    with pytest.raises(OptionError, match="--missing never is unknown"):
        run("streamingbench", model=Listener(), missing="never", **asked)
    with pytest.raises(OptionError, match="streamingbench has no count"):
        run("streamingbench", count=3, **asked)
    with pytest.raises(OptionError, match="speed has no budget"):
        run("speed", budget=3.0)


def test_as_a_command(asked, capsys, monkeypatch):
    from kairos.cli import main

    monkeypatch.setattr(candidates, "candidate_of", lambda model, frames: Local(Listener(), "hash", frames))
    arguments = ["bench", "streamingbench", "--json", "--quiet", "--limit", "2", "--model", "embedded"]
    arguments += [f"--{key}={asked[key]}" for key in ("videos", "annotations", "out")]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    document = json.loads(capsys.readouterr().out)
    overall = next(m for m in document["measures"] if m["name"] == "Overall" and m["group"] == "strict")
    assert (overall["value"], overall["n"]) == (0.5, 2)
    assert document["command"].startswith("kairos bench streamingbench --videos ")
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--budget", "0"])
    assert end.value.code == 2
