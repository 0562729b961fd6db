"""VOT's supervised experiment, short-term (Kristan et al., 2018), as pysot's toolkit scores it.

References: the year's file, {SEQUENCE: {"gt_rect": [region a frame], "width", "height"}}. Predictions: a tracker's folder with
SEQUENCE/SEQUENCE_001.txt, a region or a state a line: 1 where the tracker is started, 2 where it failed, 0 until the next start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols.lines import Row, rows
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.errors import AnnotationError, TimelineError
from kairos.score.quantity import Mean, Pooled
from kairos.score.regions import corners, exactly, on_pixels
from kairos.score.supervised import Fragments, Run
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS"]

LENGTHS = {"vot2016": (108, 371), "vot2018": (100, 356), "vot2019": (46, 291)}
"""The lengths in frames over which a year's EAO is the mean; VOT2017 has the sequences of VOT2018."""
WAITING, STARTED, FAILED = 0.0, 1.0, 2.0
STOCHASTIC = 15
"""Runs of a tracker that draws by chance; of fewer, the toolkit reads the first alone."""

Runs = list[list[Row]]
"""Each run's regions and states, frame by frame."""


@dataclass(frozen=True)
class Trajectory:
    """The true regions of a sequence, a frame each, in a picture of `bound` (width, height)."""

    video: str
    regions: list[Row]
    bound: tuple[float, float]


def _references(source: Source) -> Entries[Trajectory]:
    found: Entries[Trajectory] = Entries()
    for name, entry in source.mapping().items():
        fields = entry if isinstance(entry, dict) else {}
        regions, width, height = (fields.get(key) for key in ("gt_rect", "width", "height"))
        value = None
        if not isinstance(regions, list) or not regions or not all(map(_is_region, regions)):
            source.problem(name, "gt_rect must be a list of boxes or polygons, one a frame")
        elif not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
            source.problem(name, "needs the width and height of its pictures, in pixels")
        else:
            value = Trajectory(name, regions, (float(width), float(height)))
        found.put(source, name, name, value)
    return found


def _is_region(given: Any) -> bool:
    if not isinstance(given, list) or not all(type(x) in (int, float) and isfinite(x) for x in given):
        return False
    return len(given) == 4 or (len(given) >= 6 and len(given) % 2 == 0)


def _predictions(source: Source, refs: Entries[Trajectory]) -> Entries[Runs]:
    found: Entries[Runs] = Entries()
    files = sorted(source.path.glob("**/*.txt")) if source.path.is_dir() else []
    for name, ref in refs.items():
        form = re.compile(rf"{re.escape(name)}_\d{{3}}\.txt")
        of_name = [file for file in files if form.fullmatch(file.name)]
        if not of_name:
            continue
        if len({file.parent for file in of_name}) > 1:
            source.problem(name, "has runs of several trackers below the folder; give that of one")
            found.put(source, name, name, None)
            continue
        chosen = of_name if len(of_name) == STOCHASTIC else of_name[:1]
        runs = [rows(source, file, _wrong) for file in chosen]
        for run in runs:
            if run is not None and len(run) != len(ref.regions):
                source.problem(name, f"has {len(run)} regions for {len(ref.regions)} frames")
                runs = [None]
        found.put(source, name, name, None if None in runs else [run for run in runs if run is not None])
    return found


def _wrong(row: Row) -> str | None:
    if row in ([WAITING], [STARTED], [FAILED]) or _is_region(row):
        return None
    return "must be a box, a polygon, or 0, 1 or 2"


def _runs(ref: Trajectory, said: list[Row], strict: bool) -> tuple[Run, Run]:
    """A run as accuracy and as the EAO see it: the toolkit's picture is one pixel smaller for the latter; strictly it is not."""
    tracked = [k for k, row in enumerate(said) if len(row) > 1]
    overlaps: FloatArray = np.full(len(said), np.nan)
    smaller = overlaps.copy()
    if tracked:
        pred, true = corners([said[k] for k in tracked]), corners([ref.regions[k] for k in tracked])
        bound = np.array(ref.bound)
        found = exactly(pred, true, ref.bound) if strict else on_pixels(pred, true, ref.bound)
        overlaps[tracked] = found
        if not strict:  # what ends well before the picture does is the same in both
            near = (np.maximum(pred.max(axis=1), true.max(axis=1)) > bound - 2).any(axis=1)
            found[near] = on_pixels(pred[near], true[near], (bound[0] - 1, bound[1] - 1))
        smaller[tracked] = found
    starts, failures = (
        tuple(k for k, row in enumerate(said) if row == [state]) for state in (STARTED, FAILED)
    )
    return Run(overlaps, starts, failures), Run(smaller, starts, failures)


def _score(pairs: Sequence[Pair[Trajectory, Runs]], strict: bool, lengths: tuple[int, int]) -> Scored:
    """Accuracy is the mean overlap of all frames after the burn-in, robustness the failures in a hundred frames."""
    accuracy, frames, failures = (np.zeros(len(pairs)) for _ in range(3))
    runs: list[Run] = []
    owners: list[int] = []
    for k, pair in enumerate(pairs):
        try:
            both = [_runs(pair.ref, said, strict) for said in pair.pred]
        except TimelineError as error:
            raise AnnotationError(f"{pair.id}: {error}", errors=[str(error)]) from error
        kept = np.array([run.accurate() for run, _ in both])
        counted = (~np.isnan(kept)).sum(axis=0)
        mean = np.nan_to_num(kept).sum(axis=0)[counted > 0] / counted[counted > 0]
        frames[k], accuracy[k] = len(mean), mean.mean() if len(mean) else np.nan
        failures[k] = np.mean([len(run.failures) for run, _ in both])
        runs += [run for _, run in both]
        owners += [k] * len(both)
    fragments = Fragments(runs, strict=strict)

    def expected(chosen: NDArray[np.intp]) -> float:
        counts = np.bincount(chosen, minlength=len(pairs)).astype(np.float64)
        return fragments.expected(*lengths, counts=counts[owners])

    long = np.array([len(pair.ref.regions) for pair in pairs], np.float64)
    return Scored(
        (
            Pooled("EAO", unit="", digits=3, of=expected, rounds=200),
            Mean("Accuracy", unit="", digits=3, values=accuracy, weights=frames),
            Mean("Robustness", unit="", digits=3, values=100 * failures / long, weights=long),
            Pooled(
                "Lost Number", unit="", digits=1, of=lambda chosen: float(failures[chosen].sum()), rounds=200
            ),
        )
    )


def _protocol(name: str, lengths: tuple[int, int]) -> Protocol[Trajectory, Runs]:
    return Protocol(
        name=name,
        title=f"{name.upper()}, short-term and supervised",
        refs=_references,
        preds=_predictions,
        nothing=lambda ref: [
            [[STARTED], [FAILED], *[[WAITING]] * (len(ref.regions) - 2)][: len(ref.regions)]
        ],
        score=lambda pairs, strict: _score(pairs, strict, lengths),
        folders=True,
    )


PROTOCOLS: dict[str, Protocol[Any, Any]] = {name: _protocol(name, span) for name, span in LENGTHS.items()}
