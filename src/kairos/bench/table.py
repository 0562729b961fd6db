"""The rows of `kairos bench embedded`: what each measures, on which queries, and what it must reach.

Seen compositions are the `test` split. Held-out compositions are the `composition` split, of which visual rows and answers
count only the queries that name or need a held-out pair; the third column counts all of that split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.predictions import online_of
from kairos.bench.report import Measure, Target
from kairos.score import Interval, auc, fired, interval, is_absent, is_right, mean_interval, top_iou
from kairos.score.abstention import presence
from kairos.score.online import delay
from kairos.timeline import Answer
from kairos.world.language import ANSWER_KINDS
from kairos.world.lexicon import HELD_OUT_LOOKS

__all__ = ["ALL", "HELD_OUT", "ROWS", "SEEN", "Item", "Row", "held_out", "measures"]

SEEN, HELD_OUT, ALL = "seen compositions", "held-out compositions", "composition split, all"
DETAIL, KINDS = "in detail", "answers by kind"


@dataclass(frozen=True)
class Item:
    """A prediction beside its label, and the clip that both are about."""

    clip: str
    split: str
    pred: Answer
    ref: Answer


Values = Sequence[Item]
Found = Callable[[Values], "Interval | None"]


@dataclass(frozen=True)
class Row:
    """One row: the items that it is about, and the number that it makes of them."""

    name: str
    about: Callable[[Answer], bool]
    found: Found
    looks: bool = True  # whether held-out compositions are told by the queries; else the whole split counts
    targets: dict[str, Target] = field(default_factory=dict)
    section: str = ""
    unit: str = "%"
    digits: int = 1

    def measures(self, items: Values, groups: Sequence[str] = (SEEN, HELD_OUT, ALL)) -> Iterator[Measure]:
        """The row's number in each column in which there is anything to measure."""
        mine = [item for item in items if self.about(item.ref)]
        for group in groups:
            if group == ALL and not self.looks:
                continue
            own = [item for item in mine if self._in(item, group)]
            if own and (found := self.found(own)) is not None:
                yield Measure(
                    self.name,
                    group,
                    found.value,
                    found.low,
                    found.high,
                    found.n,
                    self.targets.get(group),
                    self.unit,
                    self.digits,
                    self.section,
                )

    def _in(self, item: Item, group: str) -> bool:
        if group == SEEN:
            return item.split == "test"
        return item.split == "composition" and (group == ALL or not self.looks or held_out(item.ref))


def held_out(ref: Answer) -> bool:
    """Whether a query needs what training never showed: a held-out pair, told by its tag or named in its words."""
    return "held_out" in ref.tags or any(f"{colour} {shape}" in ref.query for colour, shape in HELD_OUT_LOOKS)


def measures(items: Values) -> Iterator[Measure]:
    """Every row of the table."""
    for row in ROWS:
        yield from row.measures(items)


# numbers -----------------------------------------------------------------------------------------------------------


def mean(value: Callable[[Item], float | bool | None]) -> Found:
    """The mean over the items for which there is a value."""

    def found(items: Values) -> Interval | None:
        known = [(v, item.clip) for item in items if (v := value(item)) is not None]
        return mean_interval([float(v) for v, _ in known], [clip for _, clip in known])

    return found


def hit(threshold: float) -> Found:
    return mean(lambda item: top_iou(item.pred.moments, item.ref.moments) >= threshold)


def told(item: Item) -> bool:
    """The best moment fits and was told: where the model holds the thing to be absent, nothing is."""
    return not item.pred.abstained and top_iou(item.pred.moments, item.ref.moments) >= 0.5


def absence(items: Values) -> Interval | None:
    values = np.array([1.0 - presence(item.pred) for item in items])
    gone = np.array([is_absent(item.ref) for item in items])

    def statistic(index: NDArray[np.intp]) -> float | None:
        return auc(values[index], gone[index]) if 0 < gone[index].sum() < len(index) else None

    return interval(statistic, [item.clip for item in items])


def macro(items: Values) -> Interval | None:
    right = np.array([is_right(item.pred, item.ref) for item in items])
    kind = np.array(
        [next(ANSWER_KINDS.index(t) for t in item.ref.tags if t in ANSWER_KINDS) for item in items]
    )

    def statistic(index: NDArray[np.intp]) -> float:
        return float(np.mean([right[index][kind[index] == k].mean() for k in np.unique(kind[index])]))

    return interval(statistic, [item.clip for item in items])


def median_delay(items: Values) -> Interval | None:
    known = [(v, item.clip) for item in items if (v := delay(online_of(item.pred), item.ref)) is not None]
    values = np.array([v for v, _ in known])
    return interval(lambda index: float(np.median(values[index])), [c for _, c in known]) if known else None


right = mean(lambda item: is_right(item.pred, item.ref))
fires = mean(lambda item: fired(online_of(item.pred)) is not None)
online_hit = mean(lambda item: delay(online_of(item.pred), item.ref) is not None)
precise = mean(lambda item: is_absent(item.ref) if item.pred.abstained else None)
recalled = mean(lambda item: item.pred.abstained if is_absent(item.ref) else None)

# items -------------------------------------------------------------------------------------------------------------


def grounding(*tags: str, absent: bool = False) -> Callable[[Answer], bool]:
    """Queries for moments with any of the tags, present or absent ones."""
    return lambda ref: (
        ref.kind == "ground" and is_absent(ref) == absent and not set(tags).isdisjoint(ref.tags)
    )


def visual(tag: str) -> Callable[[Answer], bool]:
    return lambda ref: grounding("visual")(ref) and tag in ref.tags


def asking(*kinds: str) -> Callable[[Answer], bool]:
    return lambda ref: ref.kind == "ask" and bool(ref.tags) and ref.tags[0] in kinds


def evidence(ref: Answer) -> bool:
    return asking(*ANSWER_KINDS)(ref) and bool(ref.moments)


def any_of(kind: str) -> Callable[[Answer], bool]:
    return lambda ref: ref.kind == kind


def _both(seen: Target, held: Target) -> dict[str, Target]:
    return {SEEN: seen, HELD_OUT: held}


_FALSE_FIRES = _both(Target(0.20, 0.05, at_most=True), Target(0.20, at_most=True))

ROWS: tuple[Row, ...] = (
    Row(
        "visual grounding, R@1 IoU 0.5",
        grounding("visual"),
        hit(0.5),
        targets=_both(Target(0.85, 0.97), Target(0.78, 0.95)),
    ),
    Row(
        "visual grounding, R@1 IoU 0.7",
        grounding("visual"),
        hit(0.7),
        targets=_both(Target(0.78, 0.95), Target(0.70, 0.92)),
    ),
    Row(
        "hard subset, R@1 IoU 0.5",
        visual("hard"),
        hit(0.5),
        targets=_both(Target(0.82, 0.97), Target(0.76, 0.95)),
    ),
    Row(
        "ordinal and relative, R@1 IoU 0.5",
        lambda ref: visual("ordinal")(ref) or visual("relative")(ref),
        hit(0.5),
        targets=_both(Target(0.75, 0.95), Target(0.65, 0.92)),
    ),
    Row(
        "strict online grounding, R@1 IoU 0.5",
        grounding("visual"),
        online_hit,
        targets=_both(Target(0.78, 0.95), Target(0.74)),
    ),
    Row(
        "strict online, false fires on absent queries",
        grounding("visual", absent=True),
        fires,
        targets=_FALSE_FIRES,
    ),
    Row(
        "sound grounding, R@1 IoU 0.5",
        grounding("sound"),
        hit(0.5),
        looks=False,
        targets=_both(Target(0.96), Target(0.94)),
    ),
    Row("answers, all kinds", asking(*ANSWER_KINDS), right, targets=_both(Target(0.65), Target(0.50))),
    Row("answers, yes/no", asking("yes_no"), right, targets=_both(Target(0.82, 0.95), Target(0.75))),
    Row(
        "not in the video, AUC",
        any_of("ground"),
        absence,
        looks=False,
        targets=_both(Target(0.93), Target(0.90)),
        unit="",
        digits=3,
    ),
    Row("answers, mean of the kinds", asking(*ANSWER_KINDS), macro, section=KINDS),
    *(Row(kind, asking(kind), right, section=KINDS) for kind in ANSWER_KINDS),
    Row("when (told as a statement)", asking("when"), right, section=KINDS),
    Row(
        "visual grounding, mean IoU",
        grounding("visual"),
        mean(lambda i: top_iou(i.pred.moments, i.ref.moments)),
        section=DETAIL,
    ),
    Row("visual grounding, R@1 IoU 0.3", grounding("visual"), hit(0.3), section=DETAIL),
    Row(
        "visual grounding as told, abstaining counted as missed",
        grounding("visual"),
        mean(told),
        section=DETAIL,
    ),
    *(
        Row(f"{tag}, R@1 IoU 0.5", visual(tag), hit(0.5), section=DETAIL)
        for tag in ("plain", "ordinal", "relative", "bound")
    ),
    Row(
        "something (any of several moments), R@1 IoU 0.5",
        grounding("something"),
        hit(0.5),
        looks=False,
        section=DETAIL,
    ),
    Row("moments cited by answers, R@1 IoU 0.5", evidence, hit(0.5), section=DETAIL),
    Row("strict online, median delay", grounding("visual"), median_delay, unit="s", digits=2, section=DETAIL),
    Row("answers that abstain, precision", any_of("ask"), precise, looks=False, section=DETAIL),
    Row("answers that abstain, recall", any_of("ask"), recalled, looks=False, section=DETAIL),
    Row("grounding that abstains, precision", any_of("ground"), precise, looks=False, section=DETAIL),
    Row("grounding that abstains, recall", any_of("ground"), recalled, looks=False, section=DETAIL),
)


def row(name: str, section: str = "") -> Row:
    """The row of that name; raises KeyError."""
    found: dict[str, Any] = {r.name: r for r in ROWS if r.section == section}
    result: Row = found[name]
    return result
