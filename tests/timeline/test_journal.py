"""A journal is a timeline at every moment: while it is written, when it is killed, when the disk is full, when it ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from kairos.errors import InputError, KairosError, TimelineError
from kairos.timeline import Moment, Timeline, Turn
from kairos.timeline.journal import Journal

WRITER = """
import sys
from kairos.timeline import Turn
from kairos.timeline.journal import Journal
journal = Journal(sys.argv[1], "a.mp4")
print("open", flush=True)
for k in range(10**9):
    journal.append(Turn("assistant", f"turn {k} " + "\\u00e9" * (k % 977), k / 2))
    print(k, flush=True)
"""


def test_every_record_is_there_as_soon_as_it_is_appended(tmp_path):
    path = tmp_path / "a.jsonl"
    turns = [Turn("user", "when ?", 0.0), Turn("assistant", "now", 1.5, "when ?", 0.75)]
    with Journal(path, "a.mp4") as journal:
        assert Timeline.from_jsonl(path) == Timeline([], "a.mp4")
        for count, turn in enumerate(turns, start=1):
            journal.append(turn)
            assert Timeline.from_jsonl(path) == Timeline(turns[:count], "a.mp4")
    assert Timeline.from_jsonl(path) == Timeline(turns, "a.mp4")


def test_finished_it_holds_the_whole_timeline(tmp_path):
    path = tmp_path / "a.jsonl"
    journal = Journal(path, "a.mp4")
    journal.append(Turn("assistant", "now", 1.5))
    whole = Timeline([Turn("assistant", "now", 1.5), Moment(1.0, 1.5)], "a.mp4", 8.0)
    journal.finish(whole)
    journal.finish(Timeline())  # a second time changes nothing
    assert Timeline.from_jsonl(path) == whole
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(KairosError, match="is finished"):
        journal.append(Turn("assistant", "late", 2.0))


def test_a_file_of_that_name_is_replaced(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("what was there before\n" * 100)
    Journal(path).close()
    assert Timeline.from_jsonl(path) == Timeline()


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9")
@pytest.mark.parametrize("records", [3, 40, 300])
def test_kill_9_loses_nothing_that_was_said(tmp_path, records):
    path = tmp_path / "a.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for _ in range(records):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = records + len(
            [line for line in process.stdout.read().splitlines(keepends=True) if "\n" in line]
        )
    assert process.returncode == -signal.SIGKILL
    read = Timeline.from_jsonl(path)
    assert read.video == "a.mp4"
    assert len(read) >= said
    assert [turn.time for turn in read] == [k / 2 for k in range(len(read))]


def test_a_full_disk_leaves_what_was_written_before(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    journal = Journal(path)
    journal.append(Turn("assistant", "first", 1.0))
    real = os.write

    def half(number, data):
        if b"second" in data:
            real(number, data[:9])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number, data)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(KairosError, match=r"No space left on device .*still there"):
        journal.append(Turn("assistant", "second", 2.0))
    assert [turn.text for turn in Timeline.from_jsonl(path)] == ["first"]
    journal.append(Turn("assistant", "third", 3.0))
    assert [turn.text for turn in Timeline.from_jsonl(path)] == ["first", "third"]
    monkeypatch.setattr(os, "write", lambda number, data: real(number, data[:9]))
    with pytest.raises(KairosError, match="no space left"):
        journal.append(Turn("assistant", "fourth", 4.0))
    assert len(Timeline.from_jsonl(path)) == 2
    journal.close()


@pytest.mark.parametrize("name", ["", "folder", "none/a.jsonl"])
def test_a_name_that_cannot_be_written(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        Journal(tmp_path / name if name else "")


def test_a_record_is_one_call_however_many_came_before(tmp_path, monkeypatch):
    calls = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda number, data: calls.append(len(data)) or real(number, data))
    with Journal(tmp_path / "a.jsonl") as journal:
        for k in range(1000):
            journal.append(Turn("assistant", "now", k / 2))
    assert len(calls) == 1000
    assert max(calls) < 100


def test_turns_keep_their_query_and_confidence():
    turn = Turn("assistant", "now", 1.5, "when ?", 0.75)
    assert (turn.query, turn.confidence) == ("when ?", 0.75)
    assert Turn.from_dict(turn.to_dict()) == turn
    assert "query" not in Turn("user", "when ?", 0.0).to_dict()
    for wrong in ({"query": 3}, {"confidence": 1.5}, {"confidence": "sure"}):
        with pytest.raises(TimelineError):
            Turn("assistant", "now", 1.5, **wrong)
