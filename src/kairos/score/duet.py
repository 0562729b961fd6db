"""What is said while the video plays: the right words, in time, once (MMDuet's multi-answer grounded QA, section 6.3).

A prediction is a watch answer whose moments are its turns, each labelled with its words; a turn's time is its moment's middle,
so that an instant is itself and a span told after the whole video counts at its middle, as the paper has it. A reference's
moments are the events to tell, each labelled with its gold words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kairos.errors import KairosError, TimelineError
from kairos.score.answers import normal
from kairos.score.judge import BEST, WORST, ExactJudge, Judge
from kairos.score.score import Given, pairs
from kairos.timeline import Answer, Moment

__all__ = ["RIGHT", "DuetScore", "Told", "summary", "told"]

RIGHT = 4.0  # from this rating on, a turn tells the event


@dataclass(frozen=True)
class Told:
    """How one standing query was answered, against Q events. `nan` where an event has no turn (of that sort) in its span.

    `scores` (Q,) are the paper's: the mean rating of the turns inside [start, end], 1 where there are none; in `once`, words
    that are said again inside a span count once. `delays` (Q,) are the seconds from an event's middle to the first turn in
    its span, `told` (Q,) to the first that is rated 4 or better.
    """

    scores: tuple[float, ...]
    once: tuple[float, ...]
    delays: tuple[float, ...]
    told: tuple[float, ...]
    turns: int
    different: int  # turns of different words
    repeats: int  # turns that say again what was said inside the same span
    outside: int  # turns in no span

    @property
    def events(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class DuetScore:
    """`in_span` in [1, 5]: the paper's in-span score, the mean over standing queries of the mean over their events.

    `in_span_once`: the same where words said again inside a span count once. `responses_per_event`: all turns over all events,
    those outside of every span and those to queries without an event too. `delay_s`: median seconds from an event's middle to
    the first turn in its span; `told_delay_s`: to the first that is rated 4 or better. `reached`, `told`: shares of events
    with such a turn. `repeats`, `outside`: shares of turns. `turns`, `turns_once`: all and different ones a query.
    `false_turns`: turns a query that has no event.
    """

    judge: Judge = field(default_factory=ExactJudge)

    def score(self, pred: Given, ref: Given) -> dict[str, float]:
        return summary([told(p, r, self.judge) for p, r in pairs(pred, ref) if r.kind == "watch"])


def summary(found: Iterable[Told]) -> dict[str, float]:
    """The values of many standing queries together; those that cannot be measured are missing."""
    rows = list(found)
    asked = [row for row in rows if row.events]
    turns, events = sum(row.turns for row in rows), sum(row.events for row in rows)
    result: dict[str, float] = {}
    if rows:
        result["turns"] = turns / len(rows)
        result["turns_once"] = sum(row.different for row in rows) / len(rows)
    if len(asked) < len(rows):
        quiet = [row.turns for row in rows if not row.events]
        result["false_turns"] = sum(quiet) / len(quiet)
    if turns:
        result["repeats"] = sum(row.repeats for row in rows) / turns
        result["outside"] = sum(row.outside for row in rows) / turns
    if not events:
        return result
    result["in_span"] = float(np.mean([np.mean(row.scores) for row in asked]))
    result["in_span_once"] = float(np.mean([np.mean(row.once) for row in asked]))
    result["responses_per_event"] = turns / events
    for delay, share, name in (("delay_s", "reached", "delays"), ("told_delay_s", "told", "told")):
        late = np.array([value for row in asked for value in getattr(row, name)])
        known = late[~np.isnan(late)]
        result[share] = len(known) / events
        if len(known):
            result[delay] = float(np.median(known))
    return result


def told(pred: Answer, ref: Answer, judge: Judge) -> Told:
    """How one standing query was answered. Only turns inside a span are judged, equal words once.

    Raises TimelineError for a turn or an event without words, and KairosError for a judge's value outside of [1, 5].
    """
    said = [(_time(turn), _words(turn, "turn")) for turn in sorted(pred.moments, key=_time)]
    ratings: dict[tuple[str, str], float] = {}

    def rated(words: str, gold: str) -> float:
        if (words, gold) not in ratings:
            ratings[words, gold] = _checked(judge(words, gold, ref.query))
        return ratings[words, gold]

    scores, once, delays, heard = [], [], [], []
    again: set[int] = set()
    inside: set[int] = set()
    for event in ref.moments:
        gold, middle = _words(event, "event"), _time(event)
        mine = [k for k, (time, _) in enumerate(said) if event.start <= time <= event.end]
        value = [rated(said[k][1], gold) for k in mine]
        first = _firsts([said[k][1] for k in mine])
        scores.append(float(np.mean(value)) if value else WORST)
        once.append(float(np.mean([value[i] for i in first])) if value else WORST)
        delays.append(said[mine[0]][0] - middle if mine else math.nan)
        good = [k for k, v in zip(mine, value, strict=True) if v >= RIGHT]
        heard.append(said[good[0]][0] - middle if good else math.nan)
        inside |= set(mine)
        again |= set(mine) - {mine[i] for i in first}
    return Told(
        tuple(scores),
        tuple(once),
        tuple(delays),
        tuple(heard),
        turns=len(said),
        different=len({normal(words) for _, words in said}),
        repeats=len(again),
        outside=len(said) - len(inside),
    )


def _time(moment: Moment) -> float:
    return (moment.start + moment.end) / 2


def _words(moment: Moment, what: str) -> str:
    if moment.label is None:
        raise TimelineError(
            f"the {what} at {moment.start:g} s has no words", hint="a watch answer's moments need a label"
        )
    return moment.label


def _firsts(words: Sequence[str]) -> list[int]:
    """Where each of the different words is said first."""
    found: dict[str, int] = {}
    for i, text in enumerate(words):
        found.setdefault(normal(text), i)
    return list(found.values())


def _checked(value: float) -> float:
    if not WORST <= value <= BEST:
        raise KairosError(f"a judge's value must lie in [1, 5], not {value}")
    return float(value)
