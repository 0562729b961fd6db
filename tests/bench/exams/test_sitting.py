from __future__ import annotations

import json

import pytest
from fakes import ColourModel, ColourSession
from painted import write_clip

from kairos.bench import run
from kairos.errors import InputError, OptionError


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
