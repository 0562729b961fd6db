"""What a task asks of a model: the seam at which a model of any size or kind can be put in.

Whatever passes tests/session_rules.py can be asked, grounded, highlighted and captioned. A model that fulfils
`PlaceModel` can also locate, track and segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kairos.model.trigger import Trigger

__all__ = [
    "Box",
    "Config",
    "Duet",
    "DuetModel",
    "Follower",
    "Model",
    "Place",
    "PlaceModel",
    "PlaceSession",
    "Pursuit",
    "Reply",
    "Said",
    "Scores",
    "Session",
    "Sight",
]

Box = Sequence[float]
"""x1, y1, x2, y2. At this seam in fractions of the picture: it is squeezed to a square, so [0, 1] both ways."""


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


class Place(Protocol):
    """Where something is in one picture, and how sure it is that it is there, in [0, 1]."""

    @property
    def box(self) -> Box: ...
    @property
    def confidence(self) -> float: ...


class PlaceSession(Session, Protocol):
    """A session with task heads. A `tick` is counted from 0; None is the last one seen."""

    def route(self) -> str | None:
        """What the model says that the current query asks for: "ground", "locate", "track" or "segment"; None for an answer
        in words. Asked after something was seen.
        """
        ...

    def best_tick(self) -> int:
        """The tick at which what the query is about is seen best."""
        ...

    def place(self, tick: int | None = None) -> Place | None:
        """Where what the query is about is at a tick, as of what was seen by then; None where it is not there."""
        ...

    def cups(self, tick: int | None = None) -> Sequence[Box]:
        """The boxes of the cups that stand in the picture of a tick, from left to right. A model that knows no cups has no such
        method: it is then not told which of them hides something.
        """
        ...

    def saliency(self) -> tuple[NDArray[np.floating], list[tuple[float, float, float]]]:
        """The temporal head's saliency of each tick, 0 to 1, and its spans (start, end, score), seconds, best first."""
        ...

    def prompt(self, tick: int | None = None) -> Any:
        """From what a pursuit begins that starts with this tick's picture; None where it is not there."""
        ...


class Sight(Protocol):
    """What is seen in one picture of what is followed: `mask` (S, S), inside above 0; `visible`, the probability in [0, 1]
    that any of it is seen; `box`, where it is, even while it hides.
    """

    @property
    def mask(self) -> NDArray[np.floating]: ...
    @property
    def visible(self) -> float: ...
    @property
    def box(self) -> Box: ...


class Pursuit(Protocol):
    """One thing being followed."""

    def see(self, frames: NDArray[np.uint8]) -> Sequence[Sight]:
        """Takes the next n pictures, RGB (n, S, S, 3), of which the very first is the one that the pursuit starts from.

        However they are cut into pieces, the sights are the same.
        """
        ...


class Follower(Protocol):
    """What follows things: pictures `size` pixels square, `fps` of them a second as it was trained."""

    @property
    def size(self) -> int: ...
    @property
    def fps(self) -> float: ...


class PlaceModel(Protocol):
    """A model that finds and follows things; `follower` is None where it cannot follow."""

    @property
    def config(self) -> Config: ...
    @property
    def name(self) -> str: ...
    @property
    def follower(self) -> Follower | None: ...

    def unknown_words(self, text: str) -> list[str]: ...

    def session(self) -> PlaceSession: ...

    def follow(self, *, box: Box | None = None, prompt: Any = None) -> Pursuit:
        """Begins to follow what a box holds, or what a session's prompt is about, in the picture that it is shown first."""
        ...


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
