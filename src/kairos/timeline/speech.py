"""Words in time: who said what in the conversation (`Turn`), and what is said in the video (`Utterance`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kairos.errors import TimelineError
from kairos.timeline import checks
from kairos.timeline.record import Record

__all__ = ["ROLES", "Turn", "Utterance"]

ROLES = ("system", "user", "stream", "assistant")


@dataclass(frozen=True, eq=False, repr=False)
class Turn(Record):
    """`text` said by `role` (system, user, stream or assistant) when the video stood at `time` seconds.

    Where several queries stand, `query` holds the words of the one that is answered; `confidence` lies in [0, 1].
    """

    kind: ClassVar[str] = "turn"

    role: str
    text: str
    time: float
    query: str | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ROLES:
            raise TimelineError(f"role must be one of {', '.join(ROLES)}, not {self.role!r}")
        self._set(text=checks.text(self.text, "text"), time=checks.number(self.time, "time"))
        if self.query is not None:
            self._set(query=checks.text(self.query, "query"))
        if self.confidence is not None:
            self._set(confidence=checks.probability(self.confidence, "confidence"))

    @property
    def span(self) -> tuple[float, float]:
        """The empty span at `time`."""
        return self.time, self.time


@dataclass(frozen=True, eq=False, repr=False)
class Utterance(Record):
    """`text` heard or shown in the video during [start, end) seconds, by `speaker` if known."""

    kind: ClassVar[str] = "utterance"

    start: float
    end: float
    text: str
    speaker: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        start, end = checks.span(self.start, self.end)
        self._set(start=start, end=end, text=checks.text(self.text, "text"))
        if self.speaker is not None:
            self._set(speaker=checks.text(self.speaker, "speaker"))

    @property
    def span(self) -> tuple[float, float]:
        """(start, end) in seconds."""
        return self.start, self.end
