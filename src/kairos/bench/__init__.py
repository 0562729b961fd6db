"""Benchmarks: each measures one thing and prints its table beside what it must reach. Nothing heavy loads with this."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from kairos.errors import OptionError

if TYPE_CHECKING:
    from kairos.bench.report import Report

__all__ = ["BENCHES", "Progress", "run"]

BENCHES = {
    "embedded": "a model on clips of the world, through real files",
    "duet": "standing queries, answered as it plays",
    "world": "whether the world gives its answers away",
    "speed": "seconds from a file to the answer",
    "duet-speed": "the duet beside the plain loop, many queries, no end",
    "decode": "reading a video, beside OpenCV",
}
"""The benchmarks by name, each with what it measures."""

Progress = Callable[[float, float, "str | None"], None]
"""Called with what is done, what there is in all, and what is being done."""

_HOMES = {
    "embedded": "kairos.bench.embedded",
    "duet": "kairos.bench.duet",
    "world": "kairos.bench.world",
    "speed": "kairos.bench.speed",
    "duet-speed": "kairos.bench.duet_speed",
    "decode": "kairos.bench.reading",
}


def run(
    name: str,
    *,
    model: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    count: int | None = None,
    seed: int = 0,
    dry_run: bool = False,
    progress: Progress | None = None,
    ablations: str | os.PathLike[str] | None = None,
) -> Report:
    """Runs the benchmark of that name and returns its report; `dry_run` returns what would run, as a report's facts.

    `model` is a model's folder (the embedded one if left out), `out` a folder for clips, predictions and tables, `count`
    how many clips a split, scenes, or rounds, `ablations` a folder of more models (duet). Raises OptionError for an unknown
    name, and for an option that the benchmark does not have.
    """
    if name not in BENCHES:
        near = difflib.get_close_matches(name, BENCHES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(BENCHES)}"
        raise OptionError(f"there is no benchmark {name!r}", option="name", value=name, hint=hint)
    more = {} if ablations is None else {"ablations": ablations}
    if more and name != "duet":
        raise OptionError(f"{name} has no ablations", option="ablations", hint="kairos bench duet has")
    bench = importlib.import_module(_HOMES[name])
    report: Report = bench.run(
        model=model, out=out, count=count, seed=seed, dry_run=dry_run, progress=progress or _silence, **more
    )
    return report


def _silence(done: float, total: float, what: str | None = None) -> None:
    pass
