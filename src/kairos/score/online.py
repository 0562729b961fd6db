"""Strict online grounding: one shot a query, fired while the video runs, never taken back.

A prediction is a ground answer whose moment carries `fired_at` (seconds, in `extra`): when it was said, from what had
been seen by then. No moment means that it never fired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kairos.errors import OptionError
from kairos.score.abstention import is_absent
from kairos.score.score import Given, pairs
from kairos.timeline import Answer, Moment, checks
from kairos.timeline.intervals import iou_matrix

__all__ = ["FIRED_AT", "OnlineScore", "delay", "fired"]

FIRED_AT = "fired_at"


@dataclass(frozen=True)
class OnlineScore:
    """`hit`: share of present references that the first shot meets at the IoU threshold. `false_fire`: share of absent
    references at which anything was fired. `delay_s`: median seconds from the end of the met moment to the shot, over
    hits (negative where it spoke before the end).
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise OptionError(
                f"an IoU threshold of {self.threshold} must lie in (0, 1]",
                option="threshold",
                value=self.threshold,
            )

    def score(self, pred: Given, ref: Given) -> dict[str, float]:
        hits, false, delays = [], [], []
        for p, r in pairs(pred, ref):
            shot = fired(p)
            if is_absent(r):
                false.append(shot is not None)
                continue
            if not r.moments:
                continue
            late = delay(p, r, self.threshold)
            hits.append(late is not None)
            delays += [] if late is None else [late]
        result = {}
        if hits:
            result["hit"] = float(np.mean(hits))
        if false:
            result["false_fire"] = float(np.mean(false))
        if delays:
            result["delay_s"] = float(np.median(delays))
        return result


def fired(pred: Answer) -> Moment | None:
    """The first shot: the moment with the earliest `fired_at`. Moments without one were not said online and do not count.

    Raises TimelineError where `fired_at` is not a finite number.
    """
    shots = [m for m in pred.moments if FIRED_AT in m.extra]
    return min(shots, key=lambda m: (_when(m), m.start, m.end), default=None)


def delay(pred: Answer, ref: Answer, threshold: float = 0.5) -> float | None:
    """Seconds from the end of the reference moment that the first shot meets to the shot; None where it meets none."""
    shot = fired(pred)
    if shot is None or not ref.moments:
        return None
    ious = iou_matrix([shot], ref.moments)[0]
    if ious.max() < threshold:
        return None
    return _when(shot) - ref.moments[int(ious.argmax())].end


def _when(moment: Moment) -> float:
    return checks.number(moment.extra[FIRED_AT], FIRED_AT)
