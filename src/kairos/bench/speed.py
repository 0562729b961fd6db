"""How long an answer takes: a cold `kairos ask` as a process of its own, and a warm one with the model loaded.

The clip is one of the world's, 16 s long, as a real file. Medians of several runs, each beside its limit; the ratio says how
many times faster than the limit it is. On a busy machine the numbers are worse, never better.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kairos.bench import Progress
from kairos.bench.report import Measure, Report, Target, command
from kairos.errors import KairosError

__all__ = ["run", "write_clip"]

ROUNDS, SECONDS = 5, 16.0
QUESTION = "how many times does the red circle blink ?"
COLD_S, WARM_S, CLIPS_A_SECOND = 6.0, 0.4, 15.0
GROUP, RATIO, SPREAD = "median", "limit / median", "slowest run"
_TRAINING_PX, _TRAINING_FPS, _BATCH = 64, 2.0, 8


def run(*, model: Any, out: Any, count: int | None, seed: int, dry_run: bool, progress: Progress) -> Report:
    """The report of `count` runs each (5 if None). `out` has no meaning here."""
    rounds = ROUNDS if count is None else count
    again = command("speed", count=rounds, model=model)
    facts: dict[str, Any] = {"runs": rounds, "clip, s": SECONDS, "cores": _cores()}
    title = "Seconds to the answer"
    if dry_run:
        return Report("speed", title, facts=facts, command=again)
    done = iter(range(1, 3 * rounds + 1))

    def timed(work: Callable[[], object], what: str) -> list[float]:
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            work()
            taken.append(time.perf_counter() - began)
            progress(next(done), 3 * rounds, what)
        return taken

    with tempfile.TemporaryDirectory(prefix="kairos-speed-") as folder:
        clip = write_clip(Path(folder) / "clip.mp4", seed)
        cold = timed(lambda: ask_cold(clip, model), "cold")
        import kairos

        loaded = kairos.load(model) if model is not None else kairos.load()
        loaded.ask(clip, QUESTION)  # what loads at the first use is loaded
        warm = timed(lambda: loaded.ask(clip, QUESTION), "warm")
    draw = timed(lambda: draw_batch(seed), "drawing")
    measures = [
        *_seconds("cold `kairos ask` on a 16 s clip", cold, COLD_S),
        *_seconds("warm ask in process", warm, WARM_S),
        *_rate(
            "clips of the world drawn a second, at the training size",
            [_BATCH / t for t in draw],
            CLIPS_A_SECOND,
        ),
    ]
    facts |= {"model": loaded.name, "threads": _threads()}
    return Report("speed", title, tuple(measures), facts, (), again)


def ask_cold(clip: Path, model: Any = None) -> None:
    """Runs `kairos ask` in a new process; raises KairosError where it fails."""
    command = [sys.executable, "-m", "kairos", "ask", str(clip), QUESTION, "--quiet"]
    command += ["--model", str(model)] if model is not None else []
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise KairosError(
            f"kairos ask failed: {ended.stderr.strip()[-300:]}", hint="try the command by itself"
        )


def write_clip(path: Path, seed: int = 0) -> Path:
    """Writes a clip of the world, 16 s long, with its sound."""
    from kairos.world.files import write_video
    from kairos.world.sampling import sample_scene

    write_video(sample_scene(seed, "test", SECONDS), path)
    return path


def draw_batch(seed: int = 0) -> None:
    """Draws a batch of training clips on one core: pictures and sound."""
    import torch

    from kairos.world.raster import render
    from kairos.world.sampling import sample_scene
    from kairos.world.sound import waveform

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        scenes = [sample_scene(seed * 1000 + k, "train") for k in range(_BATCH)]
        times = [(np.arange(int(s.duration * _TRAINING_FPS)) + 0.5) / _TRAINING_FPS for s in scenes]
        render(scenes, times, _TRAINING_PX)
        for scene in scenes:
            waveform(scene)
    finally:
        torch.set_num_threads(threads)


def _seconds(name: str, taken: list[float], limit: float) -> Iterator[Measure]:
    middle = statistics.median(taken)
    target = Target(limit, at_most=True, strictly=True)
    yield Measure(name, GROUP, middle, n=len(taken), target=target, unit="s", digits=2)
    yield Measure(name, RATIO, limit / middle, n=len(taken), unit="s", digits=1)
    yield Measure(name, SPREAD, max(taken), n=len(taken), unit="s", digits=2)


def _rate(name: str, rates: list[float], least: float) -> Iterator[Measure]:
    middle = statistics.median(rates)
    yield Measure(name, GROUP, middle, n=len(rates), target=Target(least), unit="", digits=1)
    yield Measure(name, RATIO, middle / least, n=len(rates), unit="", digits=1)
    yield Measure(name, SPREAD, min(rates), n=len(rates), unit="", digits=1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())
