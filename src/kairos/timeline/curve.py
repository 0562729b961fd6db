"""A score over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, overload

import numpy as np

from kairos.errors import TimelineError
from kairos.timeline import checks
from kairos.timeline.checks import FloatArray
from kairos.timeline.moment import Moment
from kairos.timeline.record import Record

__all__ = ["Curve"]


@dataclass(frozen=True, eq=False, repr=False)
class Curve(Record):
    """`values` (n,) at `times` (n,) seconds, which increase strictly; linear in between. Both arrays are read-only."""

    kind: ClassVar[str] = "curve"

    name: str
    times: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(
            name=checks.text(self.name, "name"),
            times=checks.increasing(self.times),
            values=checks.array(self.values, "values"),
        )
        if len(self.times) != len(self.values):
            raise TimelineError(f"a curve has {len(self.times)} times but {len(self.values)} values")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def span(self) -> tuple[float, float] | None:
        """(first time, last time) in seconds; None without samples."""
        return (float(self.times[0]), float(self.times[-1])) if len(self) else None

    @property
    def reach(self) -> tuple[float, float]:
        """The span in seconds with one usual step more at both ends: nothing is known beyond. Without steps there is no end."""
        if len(self) < 2:
            return -np.inf, np.inf
        step = float(np.median(np.diff(self.times)))
        return float(self.times[0]) - step, float(self.times[-1]) + step

    @overload
    def at(self, t: float) -> float: ...
    @overload
    def at(self, t: FloatArray) -> FloatArray: ...
    def at(self, t: Any) -> Any:
        """Returns the value at `t` seconds (a float or an array): linear between samples, held beyond both ends."""
        if not len(self):
            raise TimelineError(f"the curve {self.name!r} has no samples")
        result = np.interp(t, self.times, self.values)
        return float(result) if np.ndim(result) == 0 else result

    def smooth(self, window_s: float) -> Curve:
        """Returns the curve whose value at each time is the mean of the samples within `window_s` / 2 seconds of it."""
        half = checks.number(window_s, "window_s") / 2
        if half < 0:
            raise TimelineError(f"window_s must not be negative: {window_s:g}")
        lo = np.searchsorted(self.times, self.times - half, side="left")
        hi = np.searchsorted(self.times, self.times + half, side="right")
        sums = np.concatenate([[0.0], np.cumsum(self.values)])
        return self.replace(values=(sums[hi] - sums[lo]) / np.maximum(hi - lo, 1))

    def to_moments(self, threshold: float) -> tuple[Moment, ...]:
        """Returns the spans where the interpolated curve is at or above `threshold`, each scored by its highest value.

        Ends lie where the line between two samples crosses the threshold; a single touching sample gives no span.
        """
        level = checks.number(threshold, "threshold")
        above = self.values >= level
        moments = []
        edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(np.int8)))
        for first, stop in zip(edges[::2], edges[1::2], strict=True):
            start = self._crossing(first - 1, first, level) if first > 0 else float(self.times[first])
            end = self._crossing(stop, stop - 1, level) if stop < len(self) else float(self.times[stop - 1])
            if end > start:
                moments.append(Moment(start, end, float(self.values[first:stop].max()), self.name))
        return tuple(moments)

    def _crossing(self, below: int, above: int, level: float) -> float:
        v0, v1 = float(self.values[below]), float(self.values[above])
        t0, t1 = float(self.times[below]), float(self.times[above])
        inside = min(max((level - v0) / (v1 - v0), 0.0), 1.0)
        return t0 + (t1 - t0) * inside
