"""Interval arithmetic on half-open spans [start, end): float arrays of shape (n, 2), in seconds.

`union`, `intersect` and `subtract` take any spans and return canonical ones: sorted, disjoint, not touching, none empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.errors import TimelineError
from kairos.timeline.checks import FloatArray

__all__ = ["as_spans", "clamp", "intersect", "iou_matrix", "nms", "subtract", "total_length", "union"]


def as_spans(spans: Any) -> FloatArray:
    """Returns spans (n, 2) as float64; takes arrays, lists of pairs and lists of moments.

    Raises TimelineError for another shape, NaN, infinity, or a reversed span.
    """
    if not isinstance(spans, np.ndarray):
        spans = [getattr(item, "span", item) for item in spans]
    try:
        result = np.array(spans, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TimelineError("spans must be pairs of numbers, shape (n, 2)") from error
    if result.size == 0:
        return np.zeros((0, 2))
    if result.ndim != 2 or result.shape[1] != 2:
        raise TimelineError(f"spans must have shape (n, 2), not {result.shape}")
    if not np.isfinite(result).all():
        raise TimelineError("spans must be finite: no NaN, no infinity")
    if (result[:, 1] < result[:, 0]).any():
        worst = result[int(np.argmax(result[:, 1] < result[:, 0]))]
        raise TimelineError(f"the span [{worst[0]:g}, {worst[1]:g}) is reversed")
    return result


def iou_matrix(a: Any, b: Any) -> FloatArray:
    """Returns intersection over union of every pair, shape (n, m), in [0, 1]; 0 where both spans are empty."""
    a, b = as_spans(a), as_spans(b)
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.maximum(shared, 0.0)
    total = np.diff(a, axis=1) + np.diff(b, axis=1).T - shared
    ratio = np.zeros_like(shared)
    np.divide(shared, total, out=ratio, where=total > 0)
    np.minimum(ratio, 1.0, out=ratio)
    return ratio


def union(*spans: Any) -> FloatArray:
    """Returns the times that lie in any of the spans, as canonical spans."""
    parts: FloatArray = np.concatenate([np.zeros((0, 2)), *(as_spans(part) for part in spans)])
    parts = parts[parts[:, 1] > parts[:, 0]]
    if not len(parts):
        return parts
    parts = parts[np.argsort(parts[:, 0], kind="stable")]
    reach = np.maximum.accumulate(parts[:, 1])
    first = np.concatenate([[True], parts[1:, 0] > reach[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([parts[first, 0], reach[last]], axis=1)


def intersect(a: Any, b: Any) -> FloatArray:
    """Returns the times that lie in both, as canonical spans."""
    a, b = union(a), union(b)
    start = np.maximum(a[:, None, 0], b[None, :, 0])
    end = np.minimum(a[:, None, 1], b[None, :, 1])
    keep = end > start
    return union(np.stack([start[keep], end[keep]], axis=1))


def subtract(a: Any, b: Any) -> FloatArray:
    """Returns the times that lie in `a` but not in `b`, as canonical spans."""
    a, b = union(a), union(b)
    if not len(a):
        return a
    # What is outside of b: before the first, between, after the last.
    lo, hi = min(a[0, 0], b[0, 0] if len(b) else a[0, 0]), max(a[-1, 1], b[-1, 1] if len(b) else a[-1, 1])
    outside: FloatArray = np.stack([np.concatenate([[lo], b[:, 1]]), np.concatenate([b[:, 0], [hi]])], axis=1)
    return intersect(a, outside[outside[:, 1] > outside[:, 0]])


def total_length(spans: Any) -> float:
    """Returns the seconds covered, each counted once."""
    return float(np.diff(union(spans), axis=1).sum())


def clamp(spans: Any, lo: float, hi: float) -> FloatArray:
    """Returns spans (n, 2) with both ends moved into [lo, hi]; those outside become empty, none is dropped."""
    lo, hi = as_spans([(lo, hi)])[0].tolist()
    return np.clip(as_spans(spans), lo, hi)


def nms(spans: Any, scores: Any, iou: float = 0.5) -> NDArray[np.intp]:
    """Returns the indices to keep, best first: greedy non-maximum suppression.

    A span goes when its IoU with a better kept span is above `iou`. Of equal scores the earlier one is better.
    """
    spans = as_spans(spans)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(spans),) or not np.isfinite(scores).all():
        raise TimelineError(f"scores must be finite, shape ({len(spans)},)")
    overlaps = iou_matrix(spans, spans)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if not (overlaps[index, kept] > iou).any():
            kept.append(index)
    return np.array(kept, dtype=np.intp)
