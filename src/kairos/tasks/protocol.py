"""What a task asks of a model: the seam at which a model of any size or kind can be put in.

Whatever passes tests/session_rules.py can be asked, grounded, highlighted and captioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kairos.model.trigger import Trigger

__all__ = ["Config", "Duet", "DuetModel", "Model", "Reply", "Said", "Scores", "Session"]


class Config(Protocol):
    """`fps` ticks a second; a tick's picture is `image_size` pixels square, its sound `audio_rate` / `fps` samples."""

    fps: float
    image_size: int
    audio_rate: int
    presence_threshold: float
    """Below this presence the thing asked for is held not to be in the video."""


class Scores(Protocol):
    """Scores of the current query: `times` (T,) are the ends of the ticks in seconds, the others (T,) lie in [0, 1]."""

    @property
    def times(self) -> NDArray[np.floating]: ...
    @property
    def relevance(self) -> NDArray[np.floating]: ...
    @property
    def informative(self) -> NDArray[np.floating]: ...


class Reply(Protocol):
    """What the model says; `abstained` where it holds that there is nothing to answer from."""

    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def abstained(self) -> bool: ...


class Session(Protocol):
    """A conversation with the video in it, on a clock that starts at 0.0 with the first tick."""

    def see(self, frames: NDArray[np.uint8], audio: NDArray[np.float32] | None) -> None:
        """Takes the next n ticks: RGB frames (n, S, S, 3), sound (n * audio_rate / fps,) or None without any."""
        ...

    def say(self, query: str) -> None:
        """Sets the current query, before, between or after what is seen."""
        ...

    def end(self, duration_s: float) -> None:
        """Says how long the video really is; spans are cut there."""
        ...

    @property
    def ticks(self) -> int: ...
    @property
    def scores(self) -> Scores: ...
    @property
    def presence(self) -> float:
        """The probability that what the query is about is in the video."""
        ...

    def spans(self, top: int = 5) -> list[tuple[float, float, float]]:
        """(start, end, score), seconds, best first, not overlapping."""
        ...

    def reply(self, max_words: int = 24) -> Reply: ...

    def captions(self) -> list[tuple[float, float, str, float]]:
        """(start, end, words, score) of every event that the model tells."""
        ...

    def rollback(self) -> None:
        """Forgets the last thing said or replied."""
        ...


class Model(Protocol):
    """Anything that opens sessions and knows which words it has never seen."""

    @property
    def config(self) -> Config: ...

    @property
    def name(self) -> str: ...

    def unknown_words(self, text: str) -> list[str]: ...

    def session(self) -> Session: ...


class Said(Protocol):
    """A turn of the model's in a duet: after which second, to which standing query, and the scores that triggered it."""

    @property
    def query(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def relevance(self) -> float: ...
    @property
    def informative(self) -> float: ...


class Duet(Protocol):
    """A conversation while the video plays, on a clock that starts at 0.0 with the first tick."""

    def say(self, text: str) -> int:
        """Puts a standing query from the next tick on; returns its number."""
        ...

    def see(self, frames: NDArray[np.uint8], audio: NDArray[np.float32] | None) -> Sequence[Said]:
        """Takes the next n ticks, as `Session.see` does; returns what is said after them, in the order of time."""
        ...

    def scores(self, query: int, last: int | None = None) -> Scores:
        """Of the `last` so many ticks since the query was put, or of all; where memory is bounded, of those seen last."""
        ...

    def end(self, duration_s: float) -> None: ...


class DuetModel(Protocol):
    """A model that can also be watched with."""

    @property
    def config(self) -> Config: ...
    @property
    def name(self) -> str: ...

    def unknown_words(self, text: str) -> list[str]: ...

    def duet(
        self, *, trigger: Trigger | None, heads: str, keep_replies: bool, window: int | None
    ) -> Duet: ...
