"""Grounding: how well the best-scored span fits, as R@1 at IoU thresholds and mean IoU (Gao et al., TALL, 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kairos.errors import OptionError
from kairos.score.score import Given, pairs
from kairos.timeline import Moment
from kairos.timeline.intervals import iou_matrix

__all__ = ["THRESHOLDS", "SpanScore", "best_span", "top_iou"]

THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class SpanScore:
    """R@1 at each IoU threshold and mean IoU, in [0, 1], over the references that have moments.

    Only the best-scored span counts, against the reference moment that it fits best. A prediction without moments
    scores 0. References without moments are left to AbstentionScore.
    """

    thresholds: tuple[float, ...] = THRESHOLDS

    def __post_init__(self) -> None:
        if not self.thresholds or not all(0.0 < t <= 1.0 for t in self.thresholds):
            raise OptionError(
                f"IoU thresholds {self.thresholds} must lie in (0, 1]",
                option="thresholds",
                value=self.thresholds,
            )

    def score(self, pred: Given, ref: Given) -> dict[str, float]:
        ious = np.array([top_iou(p.moments, r.moments) for p, r in pairs(pred, ref) if r.moments])
        if not len(ious):
            return {}
        hits = {f"r1_iou_{t:g}": float((ious >= t).mean()) for t in self.thresholds}
        return {**hits, "miou": float(ious.mean())}


def best_span(moments: Iterable[Moment]) -> Moment | None:
    """The moment with the highest score; of equals the earliest, then the shortest, so that order plays no part."""
    return min(moments, key=lambda m: (-m.score, m.start, m.end), default=None)


def top_iou(pred: Iterable[Moment], ref: Iterable[Moment]) -> float:
    """IoU of the best-scored predicted moment with the reference moment that it fits best; 0 where there is none."""
    best, spans = best_span(pred), list(ref)
    if best is None or not spans:
        return 0.0
    return float(iou_matrix([best], spans).max())
