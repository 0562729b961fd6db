"""How fast and in how little memory `Video.sample` reads: `python -m kairos.bench.decode [FILE]`.

Prints the ratio of sampling at 2 frames/s to OpenCV reading the same file forward (every frame, as its `read` does), in
interleaved pairs so that a busy machine hurts both alike; then how much memory one hour of 720p at 2 frames/s adds.
Without FILE it makes the clips itself. OpenCV is optional; without it only the speed of sampling is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kairos.errors import InputError, KairosError
from kairos.video import open as open_video

__all__ = ["growth", "main", "repeat", "resident_mib", "speed", "synthesise"]

FPS, IMAGE_PX, STEP_S = 2.0, 64, 0.5
LIMIT_MIB = 200


def synthesise(path: Path, seconds: int = 20, size: tuple[int, int] = (1280, 720), rate: int = 25) -> Path:
    """Writes an H.264 clip of a textured scene that pans, as cameras do: x264's usual 250 pictures a group, B-frames."""
    import av

    width, height = size
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 16 + 1, width // 8 + 1, 3), np.uint8)
    scene = coarse.repeat(16, axis=0)[:height].repeat(16, axis=1)
    scene = np.ascontiguousarray(scene + rng.integers(0, 12, scene.shape, np.uint8))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "bf": "3", "g": "250"}
        for i in range(seconds * rate):
            left = (i * 3) % (scene.shape[1] - width)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene[:, left : left + width]), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def repeat(source: Path, target: Path, times: int) -> Path:
    """Writes a clip `times` times in a row by copying its packets: an hour costs seconds, nothing is encoded anew."""
    import av

    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        if stream.time_base is None or not stream.duration:
            raise InputError(f"{source} does not say how long it is", hint="give an MP4 file")
        length = stream.duration
        packets = [packet for packet in reader.demux(stream) if packet.size]
        stamps = [(packet.pts, packet.dts) for packet in packets]
        for k in range(times):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts = None if pts is None else pts + k * length
                packet.dts = None if dts is None else dts + k * length
                writer.mux(packet)
    return target


def speed(path: Path, rounds: int = 5) -> dict[str, float | None]:
    """Returns seconds (medians) of sampling and of OpenCV, and the median ratio OpenCV / sampling of the pairs."""
    try:
        import cv2
    except ImportError:
        cv2 = None  # type: ignore[assignment]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_timed(lambda: sum(1 for _ in _sampled(path))))
        if cv2 is not None:
            theirs.append(_timed(lambda: _forward(cv2, path)))
    ratios = [their / our for our, their in zip(ours, theirs, strict=False)]
    return {
        "sample_s": statistics.median(ours),
        "opencv_s": statistics.median(theirs) if theirs else None,
        "ratio": statistics.median(ratios) if ratios else None,
        "ratio_low": min(ratios, default=None),
    }


def growth(path: Path) -> dict[str, float]:
    """Returns the MiB by which sampling the whole file raises this process's memory, frames and sound together."""
    for _ in _sampled(path, end=2.0):
        pass  # libraries, codecs and threads are loaded before the count begins
    before = resident_mib()
    with _Peak() as peak:
        started = time.perf_counter()
        with open_video(path) as video:
            blocks = video.audio_blocks(16000, STEP_S)
            count = sum(1 for _ in zip(video.sample(FPS, phase=0.5, size=IMAGE_PX), blocks, strict=False))
            seconds = video.duration
        taken = time.perf_counter() - started
    return {
        "video_s": seconds,
        "frames": count,
        "taken_s": taken,
        "times_real_time": seconds / taken,
        "growth_mib": peak.mib - before,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code, 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m kairos.bench.decode", description="How fast and in how little memory videos are read."
    )
    parser.add_argument("file", nargs="?", type=Path, help="a video file (default: a synthesised 720p clip)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs (default 5)")
    parser.add_argument("--no-hour", action="store_true", help="leave the hour of 720p out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    with tempfile.TemporaryDirectory(prefix="kairos-decode-") as folder:
        try:
            return _run(options, Path(folder))
        except KairosError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code


def _run(options: argparse.Namespace, folder: Path) -> int:
    clip = folder / "clip.mp4"
    path: Path = options.file or clip
    if path is clip or not options.no_hour:
        print("making 20 s of 720p ...", file=sys.stderr)
        synthesise(clip)
    found: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    }
    print(f"reading {path.name} {options.rounds} times ...", file=sys.stderr)
    found["speed"] = speed(path, options.rounds)
    if not options.no_hour:
        print("making and reading one hour ...", file=sys.stderr)
        found["hour"] = growth(repeat(clip, folder / "hour.mp4", 180))
    ratio, hour = found["speed"]["ratio"], found.get("hour")
    missed = (ratio is not None and ratio < 1.0) or (hour is not None and hour["growth_mib"] >= LIMIT_MIB)
    if options.json:
        print(json.dumps({"kairos": "bench decode", "version": 1, **found}))
    else:
        print("\n".join(_lines(path.name, found)))
    return int(missed)


def _lines(name: str, found: dict[str, Any]) -> Iterator[str]:
    measured = found["speed"]
    yield f"{name}, {found['cores']} cores"
    yield f"  sample({FPS:g} frames/s)    {measured['sample_s']:.3f} s"
    if measured["ratio"] is None:
        yield '  OpenCV is not installed: no comparison (pip install "kairos-video[bench]")'
    else:
        yield f"  OpenCV, read forward    {measured['opencv_s']:.3f} s"
        yield f"  OpenCV / sample         {measured['ratio']:.2f} (lowest pair {measured['ratio_low']:.2f}, target >= 1)"
    if "hour" in found:
        hour = found["hour"]
        yield f"one hour of 720p at {FPS:g} frames/s: {hour['frames']} frames in {hour['taken_s']:.1f} s"
        yield f"  {hour['times_real_time']:.0f} times real time"
        yield f"  memory grew by          {hour['growth_mib']:.0f} MiB (target < {LIMIT_MIB})"


def _sampled(path: Path, end: float | None = None) -> Iterator[Any]:
    with open_video(path) as video:
        yield from video.sample(FPS, phase=0.5, size=IMAGE_PX, end=end)


def _forward(cv2: Any, path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident_mib() -> float:
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


class _Peak:
    """The highest resident memory while the block runs, looked at 20 times a second."""

    def __enter__(self) -> _Peak:
        self.mib = resident_mib()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.mib = max(self.mib, resident_mib())

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.mib = max(self.mib, resident_mib())


if __name__ == "__main__":
    sys.exit(main())
