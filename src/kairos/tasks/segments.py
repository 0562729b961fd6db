"""From what a model says and scores while it watches to segments: pure functions of turns and curves.

MMDuet 6.1 (relevance smoothed over frames on both sides) and 6.2 (a response's time and the one before bound its step).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kairos.timeline import Curve, Moment, Turn

__all__ = ["pinned", "relevant", "smooth", "steps"]


def pinned(turns: Iterable[Turn], tick_s: float) -> tuple[Moment, ...]:
    """Returns each turn of the assistant as the tick of `tick_s` seconds after which it was said (MAGQA, 6.3)."""
    return tuple(
        Moment(max(0.0, turn.time - tick_s), turn.time, _sure(turn), turn.text)
        for turn in turns
        if turn.role == "assistant"
    )


def steps(turns: Iterable[Turn], start: float = 0.0) -> tuple[Moment, ...]:
    """Returns the steps that the assistant told of a video watched from `start` seconds on, in order of time (6.2).

    Each lasts from the turn before to its own; neighbours with the same words are one step, scored by the surer of them.
    """
    told: list[Moment] = []
    since = start
    for turn in sorted((turn for turn in turns if turn.role == "assistant"), key=lambda turn: turn.time):
        if turn.time <= since:
            continue  # no time has passed since the last: there is nothing that it could be about
        if told and told[-1].label == turn.text:
            told[-1] = told[-1].replace(end=turn.time, score=max(told[-1].score, _sure(turn)))
        else:
            told.append(Moment(since, turn.time, _sure(turn), turn.text))
        since = turn.time
    return tuple(told)


def smooth(curve: Curve, ticks: int, tick_s: float) -> Curve:
    """Returns the curve whose value at each tick is the mean over itself and `ticks` ticks on both sides (6.1).

    The clip's ends have fewer neighbours; ticks of `tick_s` seconds that are missing from the curve do not count.
    """
    return curve.smooth((2 * ticks + 1) * tick_s)


def relevant(curve: Curve, threshold: float, tick_s: float) -> tuple[Moment, ...]:
    """Returns the runs of ticks whose value is above `threshold`, best first, each scored by its highest value (6.1).

    A value stands at the end of its tick, so a run of ticks k to n covers [time k - `tick_s`, time n). Where ticks are
    missing a run ends.
    """
    above = np.flatnonzero(curve.values > threshold)
    if not len(above):
        return ()
    apart = (np.diff(above) > 1) | (np.diff(curve.times[above]) > 1.5 * tick_s)
    runs = np.split(above, np.flatnonzero(apart) + 1)
    moments = (
        Moment(
            max(0.0, float(curve.times[run[0]]) - tick_s),
            float(curve.times[run[-1]]),
            float(curve.values[run].max()),
        )
        for run in runs
    )
    return tuple(sorted(moments, key=lambda moment: -moment.score))


def _sure(turn: Turn) -> float:
    return 1.0 if turn.confidence is None else turn.confidence
