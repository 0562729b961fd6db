"""Streams through standard input: all of it, exactly, and an end in every case."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import FPS, SIZE, kinds, on_the_grid, pour, threads

from kairos.errors import VideoError
from kairos.video import Tick, ingest, live


def test_a_pipe_equals_the_file_and_drops_nothing(pipe: Any, stream: Path, expected: list[Tick]) -> None:
    pour(pipe, stream.read_bytes())
    source = live("-", fps=FPS, size=SIZE, backlog_s=0.0)
    assert not source.paced
    ticks = []
    for tick in source:
        ticks.append(tick)
        time.sleep(0.03)
    on_the_grid(ticks)
    assert len(ticks) == len(expected)
    for ours, truth in zip(ticks, expected, strict=True):
        np.testing.assert_array_equal(ours.image, truth.image)
        np.testing.assert_allclose(ours.audio, truth.audio, atol=1e-4)
    assert kinds(list(source.events)) == ["end"]
    source.close()


def test_a_pipe_into_a_process(stream: Path, expected: list[Tick]) -> None:
    code = (
        "import hashlib; from kairos.video import live\n"
        f"for tick in live('-', fps={FPS}, size={SIZE}):"
        " print(tick.time, hashlib.sha256(tick.image.tobytes()).hexdigest())"
    )
    with stream.open("rb") as source:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=source, capture_output=True, text=True, timeout=60, check=True
        )
    truth = [f"{tick.time} {hashlib.sha256(tick.image.tobytes()).hexdigest()}" for tick in expected]
    assert done.stdout.splitlines() == truth


def test_ctrl_c_ends_a_process_that_waits(stream: Path) -> None:
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
    code += f"from kairos.video import live\nfor tick in live('-', fps={FPS}, size=32): print(tick.time, flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(stream.read_bytes())
    process.stdin.flush()
    assert process.stdout.readline() == b"0.0\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.wait(20.0)
    assert time.monotonic() - began < 5.0
    process.stdin.close()
    process.stdout.close()


def test_a_picture_that_changes_its_size_and_time_that_goes_back(
    pipe: Any, stream: Path, make_clip: Any, tmp_path: Path, read_number: Any
) -> None:
    other = make_clip(tmp_path / "b.ts", range(50), gop=10, size=(160, 120), sound_s=2.0, sound_codec="mp2")
    pour(pipe, stream.read_bytes(), other.read_bytes())
    source = live("-", fps=FPS, size=SIZE)
    ticks = list(source)
    on_the_grid(ticks)
    assert len(ticks) == 20
    assert [read_number(tick.image) for tick in ticks] == pytest.approx([*range(2, 50, 5)] * 2, abs=1)
    notices = list(source.events)
    assert sorted(kinds(notices)) == ["backwards", "end", "resolution"]
    back, size = sorted(notices[:2])[0], sorted(notices[:2])[1]
    assert "the timestamps leap back by" in (back.text + size.text)
    assert "the picture is 160 x 120 pixels now, it was 128 x 96" in (back.text + size.text)
    source.close()


def test_a_pipe_that_never_starts(pipe: Any) -> None:
    began = time.monotonic()
    with pytest.raises(VideoError, match="standard input gave no picture in 1 s"):
        live("-", fps=FPS, size=SIZE, stall_s=0.5)
    assert time.monotonic() - began < 4.0
    assert not threads()


@pytest.mark.parametrize("data", [b"", b"no video\n" * 1000])
def test_a_pipe_without_a_video(pipe: Any, data: bytes) -> None:
    pour(pipe, data)
    with pytest.raises(VideoError, match="standard input is not a video stream") as caught:
        live("-", fps=FPS, size=SIZE)
    assert "fragmented MP4" in str(caught.value)
    assert not threads()


def test_closing_while_a_pipe_waits_ends_the_thread(pipe: Any, stream: Path) -> None:
    pour(pipe, stream.read_bytes(), close=False)
    source = live("-", fps=FPS, size=SIZE)
    next(source)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 1.0
    assert not threads()


def test_what_breaks_in_the_thread_reaches_the_reader(
    pipe: Any, stream: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, frame: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ingest.Ingest, "_see", broken)
    pour(pipe, stream.read_bytes())
    with pytest.raises(ZeroDivisionError):
        live("-", fps=FPS, size=SIZE)
