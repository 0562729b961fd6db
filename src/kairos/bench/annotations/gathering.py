"""What is found in one file while it is read: records by video, and every problem with its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kairos.errors import TimelineError
from kairos.timeline import Answer, Moment, Record, Rle, Timeline, Track, checks

__all__ = ["Box", "Gathering", "Place", "Size"]

Place = int | str
"""Where in a file: a line (from 1), or the way to an entry, `v_abc.timestamps[2]`."""
Box = tuple[float, float, float, float]
"""xyxy in source pixels."""
Size = tuple[int, int]
"""(height, width) of a picture in pixels."""

SLACK_S = 1.0
"""Two entries may differ by this in the length of the same video."""


class Gathering:
    """Records of the videos of the file at `path`. What breaks a rule becomes a problem, and None."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[str] = []
        self._records: dict[str, list[Record]] = {}
        self._apart: list[Timeline] = []
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

    def conversation(self, video: str | None, turns: Sequence[Record]) -> None:
        """Adds a conversation as a timeline of its own; `video` is what it is about, None for words alone."""
        self._apart.append(Timeline(turns, video))

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

    def size(self, place: Place, height: Any, width: Any) -> Size | None:
        """A picture's size."""
        if all(type(side) is int and side > 0 for side in (height, width)):
            return height, width
        self.problem(place, f"a picture cannot be {width!r} x {height!r} pixels")
        return None

    def masks(self, place: str, rows: Sequence[Any], size: Size | None = None) -> list[Rle | None] | None:
        """The masks of one thing, null where it is not seen, all of the picture's `size`, or else of the first one's; None
        where one of them is wrong: each that is gets noted as `place[k]`.
        """
        masks: list[Rle | None] = []
        before = len(self.problems)
        for k, row in enumerate(rows):
            try:
                mask = None if row is None else Rle.of(row)
            except TimelineError as error:
                self.problem(f"{place}[{k}]", error.reason)
                continue
            size = mask.size if size is None and mask is not None else size
            if mask is not None and mask.size != size:
                height, width = mask.size
                told = "" if size is None else f" of {size[1]} x {size[0]}"
                self.problem(f"{place}[{k}]", f"a mask of {width} x {height} pixels in a picture{told}")
            masks.append(mask)
        return masks if len(self.problems) == before else None

    def box(self, place: Place, value: Any, size: Size | None = None) -> Box | None:
        """The box of x1, y1, x2, y2, which must hold area, some of it within the picture."""
        if not isinstance(value, list | tuple) or len(value) != 4:
            self.problem(place, f"a box must be four numbers, not {value!r}")
            return None
        try:
            x1, y1, x2, y2 = (checks.number(side, "a box's side") for side in value)
        except TimelineError as error:
            self.problem(place, error.reason)
            return None
        shown = f"the box {x1:g}, {y1:g}, {x2:g}, {y2:g}"
        if x2 < x1 or y2 < y1:
            self.problem(place, f"{shown} is reversed")
        elif x2 == x1 or y2 == y1:
            self.problem(place, f"{shown} holds no area")
        elif x2 <= 0 or y2 <= 0 or (size is not None and (x1 >= size[1] or y1 >= size[0])):
            self.problem(place, f"{shown} lies outside of the picture")
        else:
            return x1, y1, x2, y2
        return None

    def corners(self, place: Place, value: Any, size: Size | None = None) -> Box | None:
        """The box of x, y, width, height."""
        if isinstance(value, list | tuple) and len(value) == 4:
            x, y, width, height = value
            if all(isinstance(side, int | float) and not isinstance(side, bool) for side in value):
                value = (x, y, x + width, y + height)
        return self.box(place, value, size)

    def place(
        self,
        picture: str,
        words: str,
        box: Box,
        size: Size | None,
        *,
        tags: Sequence[str] = (),
        name: Any = None,
    ) -> None:
        """Adds where in a picture, which is a video of one moment, something is: a locate answer with one box at 0 s.

        The box's track has the picture's `size` among its extra keys, where it is known.
        """
        known = {} if size is None else {"size": list(size)}
        track = Track(words, np.zeros(1), np.array([box]), extra=known)
        tag = None if name is None else str(name)
        self.add(picture, Answer("locate", words, track=track, tags=tuple(tags), id=tag))

    def timelines(self) -> tuple[Timeline, ...]:
        """A timeline for each video that has records, in the order of the file; then the conversations."""
        known = self._records.items()
        return (
            *(Timeline(records, video, self._lengths[video]) for video, records in known if records),
            *self._apart,
        )
