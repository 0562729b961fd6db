"""What is found in one file while it is read: records by video, and every problem with its place."""

from __future__ import annotations

from typing import Any

from kairos.errors import TimelineError
from kairos.timeline import Moment, Record, Timeline, checks

__all__ = ["Gathering", "Place"]

Place = int | str
"""Where in a file: a line (from 1), or the way to an entry, `v_abc.timestamps[2]`."""

SLACK_S = 1.0
"""Two entries may differ by this in the length of the same video."""


class Gathering:
    """Records of the videos of the file at `path`. What breaks a rule becomes a problem, and None."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[str] = []
        self._records: dict[str, list[Record]] = {}
        self._lengths: dict[str, float | None] = {}

    def problem(self, place: Place, reason: str) -> None:
        """Notes a problem of the entry at `place`, which is then left out."""
        self.problems.append(
            f"{self.path}:{place}: {reason}" if isinstance(place, int) else f"{self.path}: {place}: {reason}"
        )

    def video(self, place: Place, name: Any, length: float | None) -> bool:
        """Makes the video known, with its length in seconds if that is known; False where it contradicts itself."""
        if not isinstance(name, str) or not name.strip():
            self.problem(place, f"the video's name must be words, not {name!r}")
            return False
        known = self._lengths.setdefault(name, length)
        self._records.setdefault(name, [])
        if known is not None and length is not None and abs(known - length) > SLACK_S:
            self.problem(place, f"{name} lasts {length:g} s here and {known:g} s before")
            return False
        return True

    def add(self, video: str, *records: Record) -> None:
        """Adds records to a video that is known."""
        self._records[video] += records

    def length(self, place: Place, value: Any) -> float | None:
        """A video's length in seconds."""
        try:
            result = checks.number(value, "duration")
        except TimelineError as error:
            self.problem(place, error.reason)
            return None
        if result <= 0:
            self.problem(place, f"a video cannot last {result:g} s")
            return None
        return result

    def words(self, place: Place, value: Any, name: str) -> str | None:
        """Text with something in it, blanks at its ends cut off."""
        try:
            result = checks.text(value, name).strip()
        except TimelineError as error:
            self.problem(place, error.reason)
            return None
        if not result:
            self.problem(place, f"{name} is blank")
        return result or None

    def moment(
        self, place: Place, span: Any, length: float | None, label: str | None = None
    ) -> Moment | None:
        """The moment of a pair of seconds, which must hold time within the video."""
        if not isinstance(span, list | tuple) or len(span) != 2:
            self.problem(place, f"a span must be a pair of seconds, not {span!r}")
            return None
        try:
            start, end = checks.span(*span)
        except TimelineError as error:
            self.problem(place, error.reason)
            return None
        if start < 0:
            self.problem(place, f"the span [{start:g}, {end:g}) begins before the video")
        elif end == start:
            self.problem(place, f"the span [{start:g}, {end:g}) holds no time")
        elif length is not None and start >= length:
            self.problem(place, f"the span [{start:g}, {end:g}) begins after the video's {length:g} s")
        else:
            return Moment(start, end, label=label)
        return None

    def timelines(self) -> tuple[Timeline, ...]:
        """A timeline for each video that has records, in the order of the file."""
        return tuple(
            Timeline(records, video, self._lengths[video])
            for video, records in self._records.items()
            if records
        )
