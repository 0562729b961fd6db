"""Benchmarks: each measures one thing and prints its table beside what it must reach. Nothing heavy loads with this."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kairos.bench.exams import EXAMS
from kairos.errors import OptionError

if TYPE_CHECKING:
    from kairos.bench.report import Report

__all__ = ["BENCHES", "Progress", "run"]

BENCHES = {
    "embedded": "a model on clips of the world, through real files",
    "duet": "standing queries, answered as it plays",
    "heads": "places, paths and masks from the task heads",
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
    "heads": "kairos.bench.heads",
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
    **sitting: Any,
) -> Report:
    """Runs the benchmark of that name and returns its report; `dry_run` returns what would run, as a report's facts.

    `model` is a model's folder ("embedded" or None: the embedded one), `out` a folder for clips, predictions and tables,
    `count` how many clips a split, scenes, or rounds, `ablations` a folder of more models (duet, heads). A benchmark of the
    field (EXAMS) takes the options of `kairos.bench.exams.sitting.run`: videos, annotations, limit, frames, budget, missing,
    resume. Raises OptionError for an unknown name, and for an option that the benchmark does not have.
    """
    if name not in BENCHES and name not in EXAMS:
        near = difflib.get_close_matches(name, [*BENCHES, *EXAMS], n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join([*BENCHES, *EXAMS])}"
        raise OptionError(f"there is no benchmark {name!r}", option="name", value=name, hint=hint)
    given = {option: value for option, value in sitting.items() if value not in (None, False)}
    if name in EXAMS:
        for option, value in (("count", count), ("ablations", ablations)):
            if value is not None:
                raise OptionError(
                    f"{name} has no {option}", option=option, hint="--limit takes the first items"
                )
        from kairos.bench.exams.sitting import run as sit

        given = {"videos": None, "annotations": None, **given}
        return sit(name, model=model, out=out, dry_run=dry_run, progress=progress or _silence, **given)
    for option in given:
        hint = f"only the field's benchmarks have: {', '.join(EXAMS)}"
        raise OptionError(f"{name} has no {option}", option=option, hint=hint)
    if model is not None and os.fspath(model) == "embedded":
        model = None
    more = {} if ablations is None else {"ablations": ablations}
    if more and name not in ("duet", "heads"):
        raise OptionError(
            f"{name} has no ablations", option="ablations", hint="kairos bench duet and heads have"
        )
    bench = importlib.import_module(_HOMES[name])
    report: Report = bench.run(
        model=model, out=out, count=count, seed=seed, dry_run=dry_run, progress=progress or _silence, **more
    )
    return report


def _silence(done: float, total: float, what: str | None = None) -> None:
    pass
