"""Progress goes to stderr only: a bar on a terminal, lines elsewhere, nothing when it shall be quiet."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from kairos.cli import progress

WATCH = """
from kairos.cli.progress import watching
with watching("a [b].mp4") as update:
    for second in range(1, 9):
        update(second, 8.0)
print("result")
"""


def test_lines_come_at_the_end_and_now_and_then(capsys, monkeypatch):
    with progress.counting("rendering", "clips") as update:
        for done in range(1, 101):
            update(done, 100)
        update(100, 100)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"rendering: 100 / 100 clips, [\d.]+ a second\n", err)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with progress.watching("a.mp4") as update:
        update(2.0, 8.0)
        update(8.0, 8.0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "watching a.mp4: 2.0 / 8.0 s",
        "watching a.mp4: 8.0 / 8.0 s",
    ]
    assert all(line.endswith("times real time") for line in lines)


def test_every_stage_ends_with_a_line(capsys):
    with progress.counting("training", "steps") as update:
        for stage in ("perception", "language"):
            for step in range(1, 4):
                update(step, 3, stage)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["perception", "language"]


def at(monkeypatch, *seconds):
    """The clock shows these times, one after the other."""
    shown = iter(seconds)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(shown))


def test_the_pace_is_that_of_the_work_at_hand(monkeypatch):
    """Every stage has its own, and what was done before a kill counts for nothing."""
    at(monkeypatch, 0, 10, 20, 30, 40)
    pace = progress._Pace()
    assert [pace(done) for done in (5, 10, 2, 4)] == [0.5, 0.5, 0.2, 0.2]
    at(monkeypatch, 0, 10, 20)
    resumed = progress._Pace()
    assert [resumed(done) for done in (900, 920)][-1] == 2.0


def test_what_is_left_is_told(capsys, monkeypatch):
    at(monkeypatch, 0, 0, 60, 60, 590, 590)
    with progress.counting("training", "steps") as update:
        update(6, 60)
        update(59, 60)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "training: 6 / 60 steps, 0.1 a second, 9 min left",
        "training: 59 / 60 steps, 0.1 a second",
    ]


def test_quiet(capsys):
    with progress.watching("a.mp4", quiet=True) as update:
        update(8.0, 8.0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_bar_on_a_terminal():
    here, there = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", WATCH],
        stdout=subprocess.PIPE,
        stderr=there,
        env={**os.environ, "COLUMNS": "100"},
    ) as process:
        os.close(there)
        shown = b""
        while True:
            try:
                read = os.read(here, 4096)
            except OSError:  # the other side is closed
                break
            if not read:
                break
            shown += read
        assert process.stdout is not None
        assert process.stdout.read() == b"result\n"
    os.close(here)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "watching a [b].mp4" in plain
    assert re.search(r"8\.0 / 8\.0 s, [\d.]+ times real time", plain)
