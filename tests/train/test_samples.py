"""Duet samples on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kairos.errors import TimelineError
from kairos.timeline import Moment
from kairos.train import duet, samples

TWO = (Moment(2.0, 6.0, label="a cat sits"), Moment(8.0, 12.0, label="c'est parti"))


def some() -> list[duet.DuetSample]:
    rng = np.random.default_rng(0)
    return [
        duet.caption(TWO, 20.0, rng, video="ü.mp4"),
        duet.magqa("what ?", TWO, 20.0, rng, video="a", relevance=True),
        duet.ground("a dog", [], 9.5, video="b"),
    ]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "duet.jsonl"
    samples.write(path, some(), kind="caption", seed=3)
    assert samples.read(path) == some()
    header, *rows = path.read_text("utf-8").splitlines()
    assert json.loads(header) == {"kairos": "duet", "version": 1, "kind": "caption", "seed": 3}
    assert len(rows) == 3
    assert json.loads(rows[2])["informative"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: ["", *rows[1:]], ":2: a file of duet samples begins with its header"),
        (lambda rows: [rows[1]], ":1: a file of duet samples begins with its header"),
        (lambda rows: [rows[0].replace("1", "2"), *rows[1:]], ":1: version 2"),
        (lambda rows: [*rows, "{"], ":5: not JSON"),
        (lambda rows: [*rows, "[]"], ":5: a line must hold one JSON object"),
        (lambda rows: [*rows, "{}"], ":5: a sample needs 'video'"),
        (lambda rows: [*rows, rows[1].replace('"user"', '"me"')], ":5: role must be one of"),
        (lambda rows: [*rows, rows[1].replace("20.0", "-1")], ":5: a sample needs a video of some length"),
        (lambda rows: [*rows, rows[3].replace("[]}", "[[1]]}")], ":5: not a duet sample"),
        (lambda rows: [*rows, rows[3].replace('"relevance": []', '"relevance": 5')], ":5: not a duet sample"),
    ],
)
def test_files_that_are_wrong_say_where(tmp_path, change, reason):
    path = tmp_path / "duet.jsonl"
    samples.write(path, some())
    path.write_text("\n".join(change(path.read_text("utf-8").splitlines())), "utf-8")
    with pytest.raises(TimelineError, match=reason) as caught:
        samples.read(path)
    assert caught.value.path == str(path)


def test_no_file_and_an_empty_one(tmp_path):
    with pytest.raises(TimelineError, match="cannot be read"):
        samples.read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(TimelineError, match="empty"):
        samples.read(tmp_path / "empty.jsonl")
