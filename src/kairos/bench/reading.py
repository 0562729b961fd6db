"""`kairos bench decode`: the speed and memory of reading as a report. The measuring itself is in `kairos.bench.decode`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from kairos.bench import Progress
from kairos.bench.report import Measure, Report, Target, command

__all__ = ["run"]

ROUNDS, HOUR_COPIES = 5, 180
MEASURED = "measured"


def run(*, model: Any, out: Any, count: int | None, seed: int, dry_run: bool, progress: Progress) -> Report:
    """The report of `count` pairs of runs (5 if None). `model`, `out` and `seed` have no meaning here."""
    from kairos.bench.decode import FPS, LIMIT_MIB, growth, repeat, speed, synthesise

    rounds = ROUNDS if count is None else count
    again = command("decode", count=rounds)
    title = f"Reading 720p at {FPS:g} frames a second"
    if dry_run:
        return Report("decode", title, facts={"pairs of runs": rounds, "hour of 720p": 1}, command=again)
    with tempfile.TemporaryDirectory(prefix="kairos-decode-") as folder:
        progress(0, 3, "making 20 s of 720p")
        clip = synthesise(Path(folder) / "clip.mp4")
        progress(1, 3, f"reading {rounds} pairs")
        found = speed(clip, rounds)
        progress(2, 3, "reading one hour")
        hour = growth(repeat(clip, Path(folder) / "hour.mp4", HOUR_COPIES))
        progress(3, 3, "reading one hour")
    measures, notes = [], []
    if found["ratio"] is not None:
        measures.append(
            Measure(
                "OpenCV reading forward / sampling, time",
                MEASURED,
                found["ratio"],
                target=Target(1.0),
                unit="",
                digits=2,
            )
        )
        measures.append(
            Measure("the same, lowest pair", MEASURED, found["ratio_low"] or 0.0, unit="", digits=2)
        )
        measures.append(
            Measure("OpenCV, 20 s read forward", MEASURED, found["opencv_s"] or 0.0, unit="s", digits=3)
        )
    else:
        notes.append('OpenCV is not installed, so nothing is compared: pip install "kairos-video[bench]"')
    measures.append(Measure("sampling 20 s", MEASURED, found["sample_s"] or 0.0, unit="s", digits=3))
    limit = Target(LIMIT_MIB, at_most=True, strictly=True)
    measures.append(
        Measure("one hour, memory added", MEASURED, hour["growth_mib"], target=limit, unit="MiB", digits=0)
    )
    measures.append(
        Measure("one hour, times real time", MEASURED, hour["times_real_time"], unit="", digits=0)
    )
    return Report("decode", title, tuple(measures), {"pairs of runs": rounds}, tuple(notes), again)
