"""What a file has lost, as far as its passes have found out: spans, and where the data ends."""

from __future__ import annotations

import numpy as np

from kairos.timeline import Moment, intervals

__all__ = ["Damage"]


class Damage:
    """Collects damaged spans of picture and sound; shared by all the passes over one file.

    `end` is where the picture's data ends before its `claimed_end`, in seconds; None while no cut is known.
    """

    def __init__(self) -> None:
        self._spans = {"picture": np.zeros((0, 2)), "sound": np.zeros((0, 2))}
        self._measured = False
        self.end: float | None = None
        self.claimed_end = 0.0

    def add(self, start: float, end: float, what: str) -> None:
        """Notes that [start, end) seconds of the picture or the sound are lost."""
        if end > start:
            self._spans[what] = intervals.union(self._spans[what], [(start, end)])

    def cut(self, at: float, claimed_end: float, measured: bool) -> None:
        """Notes that the data ends at `at`; what a pass has `measured` goes before what an index foretold."""
        if measured and self._measured and self.end is not None:
            at = max(at, self.end)
        if measured or not self._measured:
            self.end, self.claimed_end, self._measured = at, claimed_end, measured

    @property
    def gaps(self) -> tuple[Moment, ...]:
        """The damaged spans, sorted by start."""
        spans = dict(self._spans)
        if self.end is not None and self.claimed_end > self.end:
            spans["picture"] = intervals.union(spans["picture"], [(self.end, self.claimed_end)])
        found = [
            Moment(start, end, label=what) for what, rows in spans.items() for start, end in rows.tolist()
        ]
        return tuple(sorted(found, key=lambda gap: gap.start))
