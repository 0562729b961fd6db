"""Which packets must be decoded to show the wanted times, and no others: exact, from timestamps alone.

The frame shown at t is the one with the largest timestamp at or before t. Knowing the timestamps of a group of pictures
before decoding it tells which of its frames will be shown; a frame that nobody sees and nobody refers to needs no
decoding, nor does what follows the last wanted frame, nor a whole group without one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Schedule", "plan"]


@dataclass(frozen=True)
class Schedule:
    """`shown[i]` says whether packet i's frame will be shown; packets from `stop` on need no decoding."""

    shown: list[bool]
    stop: int


def plan(
    before: Sequence[float],
    group: Sequence[float],
    after: Sequence[float],
    wanted: Sequence[float],
    closed: bool,
) -> Schedule:
    """Returns the schedule of one group of packets, in decoding order, given as presentation times in seconds.

    `before` are the times of the last packets before the group, `after` those that follow; `wanted` is sorted.
    `closed` says that `after` starts with a key frame: frames that precede it in presentation may still refer to this
    group. Where the following time is not known, the frame counts as shown.
    """
    known = sorted({*before, *group, *after})
    following = dict(pairwise(known))
    first = known[0]

    def is_shown(time: float) -> bool:
        low = 0 if time == first and not before else bisect_left(wanted, time)
        end = following.get(time)
        high = len(wanted) if end is None else bisect_left(wanted, end)
        return high > low

    shown = [is_shown(time) for time in group]
    if not closed or any(is_shown(time) for time in after if time < after[0]):
        return Schedule(shown, len(group))
    last = max((i for i, is_wanted in enumerate(shown) if is_wanted), default=-1)
    return Schedule(shown, last + 1)
