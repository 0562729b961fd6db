"""What a live source gives: ticks on an exact grid of time, and notices of what went wrong with it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kairos.video.video import Video

__all__ = ["KINDS", "Feed", "Notice", "Tick"]

KINDS = ("dropped", "reconnect", "stall", "resolution", "backwards", "end")


class Tick(NamedTuple):
    """Tick k covers [k / fps, (k + 1) / fps) seconds; `time` is its start.

    `image` is RGB uint8 (H, W, 3), the picture shown at the tick's middle; `audio` float32 (round(audio_rate / fps),), None
    where the source has no sound; `dropped` counts the ticks lost just before it.
    """

    time: float
    image: NDArray[np.uint8]
    audio: NDArray[np.float32] | None
    dropped: int = 0


class Notice(NamedTuple):
    """Something a user should know: `time` in seconds of the video's clock, `kind` one of KINDS, `text` one line."""

    time: float
    kind: str
    text: str


class Feed(Protocol):
    """Where ticks come from. `notices` are those not told yet, oldest first."""

    notices: deque[Notice]

    @property
    def has_audio(self) -> bool:
        """Whether ticks carry sound."""
        ...

    @property
    def paced(self) -> bool:
        """Whether ticks come in real time, so that waiting for several of them costs time."""
        ...

    @property
    def video(self) -> Video | None:
        """The file behind it, if it is one."""
        ...

    @property
    def duration(self) -> float | None:
        """Seconds in all, where that is known beforehand."""
        ...

    @property
    def over(self) -> bool:
        """Whether no tick will come any more."""
        ...

    def poll(self, timeout_s: float) -> Tick | None:
        """Returns the next tick, or None where there is none within `timeout_s` seconds. Raises VideoError."""
        ...

    def close(self) -> None:
        """Ends its thread and lets go of the source; may be called from any thread, more than once."""
        ...
