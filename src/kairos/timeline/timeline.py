"""The immutable sequence of records over one video, and its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, overload

from kairos.errors import TimelineError
from kairos.timeline import checks, jsonl, subtitles
from kairos.timeline.answer import Answer
from kairos.timeline.files import atomic_write
from kairos.timeline.moment import Moment
from kairos.timeline.record import Record

__all__ = ["Timeline"]

StrPath = str | os.PathLike[str]


class Timeline(Sequence[Record]):
    """Records over one video, in the order given; `video` is its path, `duration` its length in seconds, if known."""

    __slots__ = ("_duration", "_records", "_video")

    def __init__(
        self, records: Iterable[Record] = (), video: str | None = None, duration: float | None = None
    ) -> None:
        self._records = tuple(records)
        for record in self._records:
            if not isinstance(record, Record):
                raise TimelineError(f"a timeline holds records, not {type(record).__name__}")
        self._video = None if video is None else checks.text(video, "video")
        self._duration = None if duration is None else checks.span(0.0, duration)[1]

    @property
    def video(self) -> str | None:
        """The path of the video."""
        return self._video

    @property
    def duration(self) -> float | None:
        """The length of the video in seconds."""
        return self._duration

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Timeline: ...
    def __getitem__(self, index: int | slice) -> Record | Timeline:
        return self._with(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        return self._state == other._state

    def __hash__(self) -> int:
        return hash(self._state)

    def __repr__(self) -> str:
        kinds = [record.record_kind for record in self]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"Timeline({counts or 'empty'}, video={self.video!r}, duration={self.duration})"

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The records that are moments (those that answers cite are in the answers)."""
        return tuple(record for record in self if isinstance(record, Moment))

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The records that are answers: predictions or labels."""
        return tuple(record for record in self if isinstance(record, Answer))

    def filter(
        self,
        kind: str | Collection[str] | None = None,
        between: tuple[float, float] | None = None,
        where: Callable[[Any], bool] | None = None,
    ) -> Timeline:
        """Returns the records of a kind (or kinds) that share time with the span `between` [a, b) and satisfy `where`.

        A record at one instant t is between when a <= t < b; one without a span never is.
        """
        kinds = {kind} if isinstance(kind, str) else kind
        window = None if between is None else checks.span(*between)

        def keep(record: Record) -> bool:
            if kinds is not None and record.record_kind not in kinds:
                return False
            if window is not None and not _touches(record.span, window):
                return False
            return where is None or bool(where(record))

        return self._with(record for record in self if keep(record))

    def merge(self, other: Timeline) -> Timeline:
        """Returns the records of both, sorted by start (those without a span first); TimelineError for two videos."""
        if self.video is not None and other.video is not None and self.video != other.video:
            raise TimelineError(
                f"timelines of two videos cannot be merged: {self.video!r} and {other.video!r}"
            )
        known = [length for length in (self.duration, other.duration) if length is not None]
        records = sorted([*self, *other], key=lambda record: record.span or (-float("inf"), 0.0))
        return Timeline(records, self.video or other.video, max(known, default=None))

    def to_jsonl(self, path: StrPath | None = None) -> str:
        """Returns the timeline as JSON Lines, and writes it to `path` if given."""
        return _write("".join(jsonl.dump(self, self.video, self.duration)), path)

    @classmethod
    def from_jsonl(cls, source: StrPath) -> Timeline:
        """Returns the timeline of a JSON Lines file, or of such text itself. TimelineError carries file and line."""
        text, path = jsonl.read_text(source, "{")
        return cls(*jsonl.parse(text, path))

    def to_vtt(self, path: StrPath | None = None) -> str:
        """Returns the timeline as WebVTT, and writes it to `path` if given: utterances, moments, answers' moments."""
        return _write(subtitles.to_vtt(self), path)

    @classmethod
    def from_vtt(cls, source: StrPath, kind: str = "utterance") -> Timeline:
        """Returns a WebVTT file or text as records of `kind`: utterance, moment or caption."""
        text, path = jsonl.read_text(source, "WEBVTT")
        return cls(subtitles.from_vtt(text, kind, path))

    def to_srt(self, path: StrPath | None = None) -> str:
        """Returns the timeline as SubRip, and writes it to `path` if given: utterances, moments, answers' moments."""
        return _write(subtitles.to_srt(self), path)

    @classmethod
    def from_srt(cls, source: StrPath, kind: str = "utterance") -> Timeline:
        """Returns a SubRip file or text as records of `kind`: utterance, moment or caption."""
        text, path = jsonl.read_text(source, "1\n")
        return cls(subtitles.from_srt(text, kind, path))

    @property
    def _state(self) -> tuple[object, ...]:
        return self._records, self._video, self._duration

    def _with(self, records: Iterable[Record]) -> Timeline:
        return Timeline(records, self.video, self.duration)


def _touches(span: tuple[float, float] | None, window: tuple[float, float]) -> bool:
    if span is None:
        return False
    start, end = span
    if start == end:
        return window[0] <= start < window[1]
    return start < window[1] and end > window[0]


def _write(text: str, path: StrPath | None) -> str:
    if path is not None:
        with atomic_write(path) as file:
            file.write(text)
    return text
