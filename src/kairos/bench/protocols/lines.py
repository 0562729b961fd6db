"""Text files of numbers, a row a line, as the benchmarks of trackers have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kairos.bench.protocols.source import Source
from kairos.timeline.jsonl import read_text

__all__ = ["Row", "rows", "text"]

Row = list[float]


def text(file: Path) -> str:
    """What the file holds. Raises TimelineError where it cannot be read."""
    return read_text(file, "")[0]


def rows(source: Source, file: Path, wrong: Callable[[Row], str | None]) -> list[Row] | None:
    """The rows of a file below the source's folder, numbers with commas, tabs or blanks between; blank lines are passed over.

    `wrong` says what is wrong with a row; such a line is a problem, and then the answer is None. NaN is a number here: it says
    that there is no box.
    """
    found: list[Row] = []
    good = True
    for number, line in enumerate(text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = [float(cell) for cell in re.split(r"[,\s]+", line.strip())]
            reason = "must hold finite numbers" if np.isinf(row).any() else wrong(row)
        except ValueError:
            reason = "must hold numbers"
        if reason:
            place = file.relative_to(source.path).as_posix()
            source.problem(f"{place}:{number}", f"{reason}: {line.strip()!r:.60}")
            good = False
        else:
            found.append(row)
    return found if good else None
