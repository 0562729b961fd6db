"""Trackers that are started again where they fail: VOT's accuracy, robustness and expected average overlap (Kristan et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kairos.timeline.checks import FloatArray

__all__ = ["BURN_IN", "SKIPPED", "Fragments", "Run"]

BURN_IN = 10
"""Frames from a start on that say nothing about accuracy."""
SKIPPED = 5
"""Frames from a failure to the next start."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run over one sequence: the overlap of each frame (n,), NaN where the tracker was not tracking; the frames in which
    it was started and in which it failed."""

    overlaps: FloatArray
    starts: tuple[int, ...]
    failures: tuple[int, ...]

    def accurate(self) -> FloatArray:
        """The overlaps (n,) that accuracy is the mean of: without the burn-in after each start."""
        kept = self.overlaps.copy()
        for start in self.starts:
            kept[start : start + BURN_IN] = np.nan
        return kept


class Fragments:
    """The parts of runs between a start and the next one, and the overlap to be expected of a sequence of any length.

    A part that ended in a failure goes on with overlap 0; one that the end of its sequence cut off says nothing about longer
    ones. The toolkit weighs a part by the share of its frames that exist, which is below 1 for a part that failed near the
    end; strictly all count alike.
    """

    def __init__(self, runs: Sequence[Run], *, strict: bool = False) -> None:
        longest = max((len(run.overlaps) for run in runs), default=0)
        rows: list[FloatArray] = []
        weights: list[float] = []
        owners: list[int] = []
        for number, run in enumerate(runs):
            frames = len(run.overlaps)
            points = [0, *(k + SKIPPED for k in run.failures if k + SKIPPED <= frames)]
            for point, after in zip(points, [*points[1:], None], strict=True):
                part = run.overlaps[point:] if after is None else run.overlaps[point : after + 1]
                row = np.full(longest, np.nan if after is None else 0.0)
                row[: len(part)] = np.nan_to_num(part)
                rows.append(row)
                whole = len(part) if after is None else after + 1 - point
                weights.append(float(bool(len(part))) if strict else len(part) / max(whole, 1))
                owners.append(number)
        fragments = np.array(rows).reshape(len(rows), longest)[:, 1:]  # the first frame is given
        self._weights = np.array(weights)[:, None] * ~np.isnan(fragments)
        self._means = np.cumsum(np.nan_to_num(fragments), axis=1) / np.arange(1, longest or 1)
        self._owners = np.array(owners, np.intp)

    def expected(self, low: int, high: int, counts: FloatArray | None = None) -> float:
        """EAO: the mean of the overlaps to be expected of sequences of `low` to `high` frames; NaN where all are shorter.

        `counts` (runs,) says how often each run counts, once if left out.
        """
        weights = self._weights if counts is None else self._weights * counts[self._owners, None]
        lengths = slice(low - 2, high - 1)  # column k is of k + 2 frames
        weights, means = weights[:, lengths], self._means[:, lengths]
        total = weights.sum(axis=0)
        if not (total > 0).any():
            return float("nan")
        return float(((weights * means).sum(axis=0)[total > 0] / total[total > 0]).mean())
