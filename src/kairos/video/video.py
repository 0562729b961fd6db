"""What every source of video offers: one clock, frames by time, sound by time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kairos.timeline import Moment

__all__ = ["Frame", "Frames", "Size", "StreamInfo", "Video"]

Size = int | tuple[int, int] | None  # a square side, (width, height), or None for the display size; pixels


class Frame(NamedTuple):
    """The frame that was shown at a requested time.

    `time` is its true presentation time and `at` the time asked for, both in seconds; `image` is RGB uint8 (H, W, 3);
    `tick` counts the requests from 0.
    """

    time: float
    image: NDArray[np.uint8]
    tick: int
    at: float


class Frames(NamedTuple):
    """The frames shown at n requested times: true presentation `times` float64 (n,), RGB `images` uint8 (n, H, W, 3)."""

    times: NDArray[np.float64]
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a container. `used` says whether the picture or the sound comes from it."""

    index: int
    kind: str
    codec: str
    used: bool
    language: str | None = None
    size: tuple[int, int] | None = None
    rate: float | None = None


@runtime_checkable
class Video(Protocol):
    """A source with one exact clock in seconds that starts (0.0) where its container starts.

    The frame shown at t is the last one whose presentation time is at or before t; before the first frame it is the
    first, after the last frame the last.
    """

    @property
    def path(self) -> str:
        """Where it comes from."""
        ...

    @property
    def name(self) -> str:
        """A short name for people."""
        ...

    @property
    def id(self) -> str:
        """The identity of the content, the same under any name."""
        ...

    @property
    def duration(self) -> float:
        """Seconds from the clock's start to the end of picture or sound, whichever is later."""
        ...

    @property
    def watermark(self) -> float:
        """Until when the content is known, in seconds; below `duration` where the file was cut."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in display pixels: rotated, with square pixels."""
        ...

    @property
    def rate(self) -> float:
        """Average frames per second."""
        ...

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound stream."""
        ...

    @property
    def streams(self) -> Sequence[StreamInfo]:
        """Every stream of the container."""
        ...

    @property
    def gaps(self) -> tuple[Moment, ...]:
        """The spans found damaged so far, labelled "picture" or "sound"."""
        ...

    def frames(self, times: ArrayLike, size: Size = None) -> Frames:
        """Returns the frames shown at `times` (n,) seconds, in the order given."""
        ...

    def sample(
        self,
        fps: float | None = None,
        max_frames: int | None = None,
        *,
        size: Size = None,
        phase: float = 0.0,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[Frame]:
        """Yields the frame shown at each start + (k + phase) / fps before `end`, streaming forward."""
        ...

    def audio(self, start: float = 0.0, end: float | None = None, rate: int = 16000) -> NDArray[np.float32]:
        """Returns mono sound in [-1, 1], round((end - start) * rate) samples; silence where there is none."""
        ...

    def audio_blocks(
        self, rate: int = 16000, step_s: float = 0.5, start: float = 0.0, end: float | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yields the sound of [start, end) in blocks of round(step_s * rate) samples, streaming forward."""
        ...

    def close(self) -> None:
        """Lets go of the file; an open pass ends."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
