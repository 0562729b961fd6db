"""From timestamps that may start anywhere, go back or leap, to one time that never goes back.

All streams of a source share the same shifts, so that picture and sound stay together: the stream that is first to break
off the old timestamps decides where the new ones stand, and each other follows as soon as it breaks off too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

__all__ = ["BACK_S", "Clock", "Stamp"]

BACK_S = 0.5  # a timestamp that lies further back than this belongs to a new run of timestamps


class Stamp(NamedTuple):
    """A time in seconds; `fresh` says that the clock was set anew for it, `leap` by how many seconds."""

    time: float
    fresh: bool = False
    leap: float = 0.0


@dataclass
class _Stream:
    run: int = 0  # which of the shifts it stands on
    last: Fraction | None = None
    length: Fraction = Fraction(0)  # of the last frame


@dataclass
class Clock:
    """Exact: a shift is a fraction, and only the sum becomes a float."""

    _shifts: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    _streams: dict[int, _Stream] = field(default_factory=dict)

    def anchor(self, start: Fraction, time: float) -> None:
        """A new connection: its `start`, in its own seconds, stands at `time` on the clock."""
        self._shifts = [Fraction(time) - start]
        self._streams = {}

    def delay(self, seconds: float) -> None:
        """From now on everything stands that much later."""
        shift = Fraction(seconds)
        self._shifts = [old + shift for old in self._shifts]
        for stream in self._streams.values():
            if stream.last is not None:
                stream.last += shift

    def at(self, index: int, stamp: Fraction | None, length: Fraction, leap_s: float) -> Stamp:
        """Returns the time of a frame of stream `index` with a timestamp in seconds (None: it follows the last one).

        `length` is how long the frame lasts, `leap_s` how far ahead of the last one it may stand.
        """
        stream = self._streams.setdefault(index, _Stream())
        last, leap, fresh = stream.last, Fraction(0), False
        if stamp is not None:
            time = stamp + self._shifts[stream.run]
            leap = Fraction(0) if last is None else time - last
            if last is not None and not -BACK_S <= leap <= leap_s:
                stream.run += 1
                if stream.run == len(self._shifts):
                    self._shifts.append(last + stream.length - stamp)
                    fresh = True
                time = stamp + self._shifts[stream.run]
        elif last is not None:
            time = last + stream.length
        else:
            time = self._shifts[stream.run]
        stream.last, stream.length = time, length
        return Stamp(float(time), fresh, float(leap) if fresh else 0.0)
