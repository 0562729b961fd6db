"""When to speak: MMDuet's `need_response` (section 4.2), as a few numbers that combine.

    Trigger(threshold=0.5)                               the chosen heads' sum is above it at this tick (MAGQA, 6.3)
    Trigger(heads=("informative",), total=2.0)           their sum since the last turn is above it (dense captions, 6.2)
    Trigger(threshold=0.5, interval_s=2, repeats_s=4)    and not too often, nor the same again

Comparisons are strict, and a cumulative sum starts again from zero, as in the paper. Scores decide before words are made;
what is then said again is dropped after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kairos.errors import OptionError

if TYPE_CHECKING:
    from kairos.model.config import KairosConfig

HEADS = ("relevance", "informative")


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Speaks where the sum of `heads` is above `threshold`, or their running total above `total`; exactly one is given.

    Then `interval_s` seconds must have passed since the last turn. Words that were said less than `repeats_s` seconds ago, or
    kept being made since, are not said again. Raises OptionError for what makes no sense.
    """

    heads: tuple[str, ...] = HEADS
    threshold: float | None = None
    total: float | None = None
    interval_s: float = 0.0
    repeats_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.heads or set(self.heads) - set(HEADS):
            raise OptionError(f"heads are of {', '.join(HEADS)}", option="heads", value=self.heads)
        if (self.threshold is None) == (self.total is None):
            raise OptionError(
                "give a threshold or a total, one of the two", option="threshold", value=self.threshold
            )
        for name in ("threshold", "total", "interval_s", "repeats_s"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise OptionError(f"{name} is {value}; it must be 0 or more", option=name, value=value)

    def start(self) -> Deciding:
        """The state of one query's conversation."""
        return Deciding(self)


@dataclass
class Deciding:
    """What a trigger remembers of one query; times in seconds must not go back."""

    trigger: Trigger
    total: float = 0.0
    spoke: float = -math.inf
    said: dict[str, float] = field(default_factory=dict)

    def speaks(self, time: float, relevance: float, informative: float) -> bool:
        """Whether to speak after the tick that ends at `time`, given its scores in [0, 1]."""
        trigger = self.trigger
        score = relevance * ("relevance" in trigger.heads) + informative * ("informative" in trigger.heads)
        self.total += score
        above = (
            score > trigger.threshold
            if trigger.threshold is not None
            else self.total > (trigger.total or 0.0)
        )
        if not above or time - self.spoke < trigger.interval_s:
            return False
        self.total, self.spoke = 0.0, time
        return True

    def new(self, time: float, text: str) -> bool:
        """Whether words made at `time` are worth saying: not the same as just before."""
        last = self.said.get(text, -math.inf)
        self.said = {t: at for t, at in self.said.items() if time - at < self.trigger.repeats_s} | {
            text: time
        }
        return time - last >= self.trigger.repeats_s


# Settings of the paper; s and t are on scores in [0, 1] a frame.
PRESETS: dict[str, Trigger] = {
    "caption": Trigger(heads=("informative",), total=2.0),
    "magqa": Trigger(threshold=0.5, repeats_s=4.0),
    "ground": Trigger(heads=("relevance",), threshold=0.5, interval_s=1e9),
    "highlight": Trigger(heads=("relevance",), threshold=0.5),
}
SMOOTHING = {
    "ground": 6,
    "highlight": 2,
}  # frames on both sides that a relevance score is averaged over (6.1)


def preset(name: str, config: KairosConfig, heads: str = "track") -> Trigger:
    """A preset of PRESETS, with the threshold that the model's heads of a kind were calibrated for (MAGQA). Raises OptionError."""
    if name not in PRESETS:
        raise OptionError(f"preset {name!r} is none of {', '.join(PRESETS)}", option="preset", value=name)
    calibrated = config.watch_thresholds.get(heads)
    return (
        PRESETS[name]
        if name != "magqa" or calibrated is None
        else replace(PRESETS[name], threshold=calibrated)
    )
