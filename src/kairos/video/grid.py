"""From pictures and sound as they arrive to ticks of equal length.

Knows nothing of files, networks or the time of day. A tick shows the last picture at or before its middle, as
`Video.sample` does at phase 0.5, and carries its interval's sound. It is given as soon as a later picture proves which
one that is and its sound is there, or, where the sound is late, when pictures are `patience_s` ahead of it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kairos.video.painter import Painter
from kairos.video.tick import Tick

if TYPE_CHECKING:
    import av

__all__ = ["Grid", "Tape"]

Samples = NDArray[np.float32]

FAR_S = 120.0  # sound that claims to stand further ahead of the grid than this is not believed


class _Decided(NamedTuple):
    """A tick whose picture is known."""

    tick: int
    image: NDArray[np.uint8]
    lost: int


class Grid:
    """Ticks of 1 / `fps` s, painted by `painter`, with sound at `rate` Hz (None: without).

    A hole in the picture is filled with the picture before it, for `hold_s` at most; ticks beyond are lost and counted.
    """

    def __init__(
        self, fps: float, painter: Painter, rate: int | None, *, hold_s: float, patience_s: float
    ) -> None:
        self._fps, self._painter, self._rate = fps, painter, rate
        self._hold_s, self._patience_s = hold_s, patience_s
        self._tape = None if rate is None else Tape(rate, fps)
        self._decided: deque[_Decided] = deque()
        self._tick = 0  # the first without a picture
        self._lost = 0
        self._frame: av.VideoFrame | None = None
        self._frame_time = -math.inf
        self._image: NDArray[np.uint8] | None = None  # the frame, painted

    @property
    def time(self) -> float:
        """Start of the first tick whose picture is not decided, in seconds."""
        return self._tick / self._fps

    @property
    def given(self) -> float:
        """Start of the first tick that was not given, in seconds."""
        return (self._decided[0].tick if self._decided else self._tick) / self._fps

    @property
    def started(self) -> bool:
        """Whether there was a picture."""
        return self._frame is not None

    def picture(self, time: float, frame: av.VideoFrame) -> list[Tick]:
        """Takes the picture shown from `time` seconds on; returns the ticks that are complete by it.

        A picture that is not later than the one before it is left out.
        """
        if self._frame is None:  # before the first picture, the first is shown
            self._frame, self._frame_time = frame, time
        elif time <= self._frame_time:
            return []
        self._decide(time)
        self._frame, self._frame_time, self._image = frame, time, None
        return self._complete(time - self._patience_s)

    def sound(self, time: float, samples: Samples) -> list[Tick]:
        """Takes samples (n,) from `time` seconds on; returns the ticks that are complete by them."""
        if self._tape is None or time > self.time + FAR_S:
            return []
        self._tape.write(time, samples)
        return self._complete(-math.inf)

    def hold(self, until: float) -> list[Tick]:
        """Nothing came: gives the ticks that end by `until` seconds with the last picture, and silence where need be."""
        if self._frame is None:
            return []
        until = min(until, self._frame_time + self._hold_s)
        stop = math.floor(until * self._fps + 1e-9)
        while self._tick < stop:
            self._show()
        return self._complete(until)

    def end(self, at: float) -> list[Tick]:
        """The source ends `at` seconds: gives what is left, at least one tick if there was a picture."""
        if self._frame is not None:
            if self._tick == 0:
                self._show()
            self._decide(at - 1e-9)
        return self._complete(math.inf)

    def _decide(self, before: float) -> None:
        """Every tick whose middle lies before that shows the picture that we have, as long as it may be held."""
        stop = self._first_at(before)
        if stop <= self._tick:
            return
        if before - self._frame_time > self._hold_s:
            held_to = min(stop, self._first_at(self._frame_time + self._hold_s))
        else:
            held_to = stop
        if (
            self._tick == 0 and self._image is None
        ):  # what precedes the first picture may be shown it, no longer
            begin = self._first_at(self._frame_time - self._hold_s)
            self._lost, self._tick = self._lost + begin, begin
        while self._tick < held_to:
            self._show()
        self._lost += stop - self._tick
        self._tick = stop

    def _show(self) -> None:
        if self._image is None:
            assert self._frame is not None
            self._image = self._painter.paint(self._frame)
        self._decided.append(_Decided(self._tick, self._image, self._lost))
        self._tick, self._lost = self._tick + 1, 0

    def _first_at(self, time: float) -> int:
        """The first tick whose middle is not before `time`."""
        tick = max(0, math.ceil(time * self._fps - 0.5))
        while tick > 0 and (tick - 0.5) / self._fps >= time:
            tick -= 1
        while (tick + 0.5) / self._fps < time:
            tick += 1
        return tick

    def _complete(self, settled: float) -> list[Tick]:
        """Gives the decided ticks whose sound is there, or that end by `settled` seconds."""
        done = []
        while self._decided:
            tick, image, lost = self._decided[0]
            if self._tape is not None and not self._tape.has(tick) and (tick + 1) / self._fps > settled:
                break
            self._decided.popleft()
            sound = None if self._tape is None else self._tape.read(tick)
            done.append(Tick(tick / self._fps, image, sound, lost))
        return done


class Tape:
    """Sound of one rate, written where its time says and read tick by tick; silence where nothing was written."""

    def __init__(self, rate: int, fps: float) -> None:
        self._rate, self._fps = rate, fps
        self._length = round(rate / fps)
        self._pieces: deque[tuple[int, Samples]] = deque()
        self._until = 0  # the sample after the last one written

    def has(self, tick: int) -> bool:
        """Whether sound up to the end of a tick was written."""
        return self._until >= self._first(tick) + self._length

    def write(self, time: float, samples: Samples) -> None:
        """Puts samples (n,) at `time` seconds; where there is sound already it stays."""
        first = round(time * self._rate)
        samples = samples[max(0, self._until - first) :]
        if len(samples):
            first = max(first, self._until)
            self._pieces.append((first, np.clip(samples, -1.0, 1.0)))
            self._until = first + len(samples)

    def read(self, tick: int) -> Samples:
        """Returns a tick's samples (round(rate / fps),), float32; what lies before it is forgotten."""
        first = self._first(tick)
        block = np.zeros(self._length, np.float32)
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= first:
            self._pieces.popleft()
        for begin, samples in self._pieces:
            if begin >= first + self._length:
                break
            part = samples[max(0, first - begin) : first + self._length - begin]
            at = max(0, begin - first)
            block[at : at + len(part)] = part
        self._until = max(self._until, first + self._length)
        return block

    def _first(self, tick: int) -> int:
        return round(tick * (1.0 / self._fps) * self._rate)
