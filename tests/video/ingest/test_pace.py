"""Time in a live stream: what is slow, late, stalled or missing is held, dropped or counted, and told."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from streams import FPS, SIZE, kinds, on_the_grid, pour, sending, threads

from kairos.video import Notice, ingest, live


def test_whoever_is_slow_gets_the_newest_and_is_told(serve: Any, stream: Path) -> None:
    told: list[Notice] = []
    with live(
        serve(sending(stream.read_bytes())), fps=FPS, size=SIZE, network=True, backlog_s=0.3, tell=told.append
    ) as source:
        ticks = [next(source)]
        time.sleep(1.3)
        ticks += list(source)
    on_the_grid(ticks)
    assert ticks[1].dropped >= 3
    dropped = [notice for notice in told if notice.kind == "dropped"]
    assert f"{ticks[1].dropped} ticks dropped" in dropped[0].text
    assert list(source.events) == told


def test_a_hole_in_a_pipe_is_held_then_counted(pipe: Any, make_clip: Any, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "hole.ts", [*range(25), *range(200, 225)], gop=5)
    pour(pipe, path.read_bytes())
    with live("-", fps=FPS, size=SIZE, stall_s=2.0) as source:
        ticks = list(source)
    on_the_grid(ticks)
    assert sum(tick.dropped for tick in ticks) == 25  # 5 of 7 s
    assert [notice.kind for notice in source.events] == ["dropped", "end"]


def test_a_pipe_that_stalls_is_told_and_then_ended(pipe: Any, stream: Path) -> None:
    pour(pipe, stream.read_bytes(), close=False)
    with live("-", fps=FPS, size=SIZE, stall_s=0.3, retries=1) as source:
        ticks = list(source)
    assert len(ticks) == 10  # what was there is given
    assert kinds(list(source.events)) == ["stall", "end"]
    assert not threads()


def test_a_pipe_in_real_time(pipe: Any, stream: Path) -> None:
    pour(pipe, stream.read_bytes())
    began = time.monotonic()
    with live("-", fps=FPS, size=SIZE, realtime=True) as source:
        assert source.paced
        assert len(list(source)) == 10
    assert time.monotonic() - began > 1.2


def test_a_picture_that_stands_for_long_is_no_stall(
    pipe: Any, make_clip: Any, tmp_path: Path, read_number: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SLACK_S", 0.3)
    path = make_clip(tmp_path / "slides.ts", [0, 40, 45], gop=1)
    pour(pipe, path.read_bytes())
    with live("-", fps=FPS, size=SIZE, realtime=True, backlog_s=60.0) as source:
        ticks = list(source)
    assert [read_number(tick.image) for tick in ticks[:8]] == [0] * 8
    assert read_number(ticks[-1].image) == 1
    assert kinds(list(source.events)) == ["end"]


def test_what_comes_late_for_good_sets_the_clock(
    pipe: Any, stream: Path, monkeypatch: pytest.MonkeyPatch, read_number: Any
) -> None:
    """After a pause in real time, what goes on at its old pace is shown later, and not skipped as too old."""
    monkeypatch.setattr(ingest, "SLACK_S", 0.3)
    monkeypatch.setattr(ingest, "LATE_S", 0.2)
    data, opened = stream.read_bytes(), threading.Event()

    def write() -> None:
        with suppress(OSError):
            part, piece = len(data) * 3 // 4, len(data) // 40
            pipe.write(data[:part])
            opened.wait(20.0)
            time.sleep(2.5)
            for at in range(part, len(data), piece):
                pipe.write(data[at : at + piece])
                time.sleep(0.05)
            pipe.close()

    threading.Thread(target=write, daemon=True).start()
    with live("-", fps=FPS, size=SIZE, realtime=True, stall_s=5.0, backlog_s=60.0) as source:
        opened.set()
        ticks = list(source)
    on_the_grid(ticks)
    assert kinds(list(source.events)) == ["stall", "end"]
    numbers = [read_number(tick.image) for tick in ticks]
    assert numbers == sorted(numbers)
    assert len(ticks) > 12  # 10 and those that were held
    assert numbers[-1] >= 45
