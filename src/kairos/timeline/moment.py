"""A span of a video, with a score and a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kairos.timeline import checks
from kairos.timeline.record import Record

__all__ = ["Moment"]


@dataclass(frozen=True, eq=False, repr=False)
class Moment(Record):
    """The half-open span [start, end) in seconds on the video's clock; `score` is finite, higher is surer.

    A reversed span, NaN or infinity raise TimelineError. An empty span (start == end) is allowed: it holds no time.
    """

    kind: ClassVar[str] = "moment"

    start: float
    end: float
    score: float = 1.0
    label: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        start, end = checks.span(self.start, self.end)
        self._set(start=start, end=end, score=checks.number(self.score, "score"))
        if self.label is not None:
            self._set(label=checks.text(self.label, "label"))

    @property
    def span(self) -> tuple[float, float]:
        """(start, end) in seconds."""
        return self.start, self.end

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start

    def contains(self, t: float) -> bool:
        """Says whether `t` (seconds) lies inside: start <= t < end."""
        return self.start <= t < self.end

    def overlap(self, other: Moment) -> float:
        """Returns the seconds that both share."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def intersection(self, other: Moment) -> Moment | None:
        """Returns what both share, with this moment's score and label, or None where they share no time."""
        if self.overlap(other) <= 0.0:
            return None
        return self.replace(start=max(self.start, other.start), end=min(self.end, other.end))

    def iou(self, other: Moment) -> float:
        """Returns intersection over union in [0, 1]; 0 where both are empty."""
        shared = self.overlap(other)
        total = self.duration + other.duration - shared
        return min(1.0, shared / total) if total > 0.0 else 0.0

    def clamp(self, lo: float = 0.0, hi: float | None = None) -> Moment:
        """Returns the moment with both ends moved into [lo, hi] seconds; it is empty where it lay outside."""
        top = max(self.end, lo) if hi is None else hi
        lo, top = checks.span(lo, top)
        return self.replace(start=min(max(self.start, lo), top), end=min(max(self.end, lo), top))

    def shift(self, seconds: float) -> Moment:
        """Returns the moment moved by `seconds`."""
        return self.replace(start=self.start + seconds, end=self.end + seconds)
