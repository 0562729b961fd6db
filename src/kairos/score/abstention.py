"""Saying "that is not in the video" when it is not, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.errors import TimelineError
from kairos.score.score import Given, pairs
from kairos.timeline import Answer

__all__ = ["AbstentionScore", "auc", "is_absent", "presence"]


@dataclass(frozen=True)
class AbstentionScore:
    """Precision and recall of abstentions, and the AUC of absence by the predictions' confidence; all in [0, 1].

    `precision`: of the abstentions, how many references are absent. `recall`: of the absent references, how many were
    abstained from. `auc`: the chance that an absent reference looks less present than a present one, over the
    predictions that carry a confidence.
    """

    def score(self, pred: Given, ref: Given) -> dict[str, float]:
        both = pairs(pred, ref)
        absent = np.array([is_absent(r) for _, r in both], bool)
        abstained = np.array([p.abstained for p, _ in both], bool)
        result = {}
        if abstained.any():
            result["precision"] = float(absent[abstained].mean())
        if absent.any():
            result["recall"] = float(abstained[absent].mean())
        sure = [
            (presence(p), gone) for (p, _), gone in zip(both, absent, strict=True) if p.confidence is not None
        ]
        if 0 < sum(gone for _, gone in sure) < len(sure):
            result["auc"] = auc([1.0 - here for here, _ in sure], [gone for _, gone in sure])
        return result


def is_absent(ref: Answer) -> bool:
    """Whether a reference says that the thing asked for is not in the video.

    A question may have an answer and no moment ("no", "zero"): of questions it is the tag `absent`, or `abstained`,
    that says so. Of every other kind it is the lack of moments.
    """
    if ref.kind == "ask":
        return ref.abstained or "absent" in ref.tags
    return not ref.moments


def presence(pred: Answer) -> float:
    """How sure the prediction is that the thing is there: its confidence, turned round where it abstains."""
    assert pred.confidence is not None, "the prediction carries no confidence"
    return 1.0 - pred.confidence if pred.abstained else pred.confidence


def auc(values: Sequence[float] | NDArray[Any], positive: Sequence[bool] | NDArray[Any]) -> float:
    """The chance that a positive has a higher value than a negative, ties counting half (Mann-Whitney).

    Raises TimelineError for NaN, for different lengths, or where all are of one side.
    """
    x, y = np.asarray(values, np.float64), np.asarray(positive, bool)
    if x.shape != y.shape or x.ndim != 1 or np.isnan(x).any():
        raise TimelineError(
            f"values and labels must be numbers of one shape (n,), not {x.shape} and {y.shape}"
        )
    n, m = int(y.sum()), int((~y).sum())
    if not n or not m:
        raise TimelineError("the AUC needs both present and absent references")
    _, where, counts = np.unique(x, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2.0  # mean rank of each value, from 1
    return float((rank[where][y].sum() - n * (n + 1) / 2.0) / (n * m))
