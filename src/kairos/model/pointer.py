"""From the pointer's logits to spans in seconds.

A span's rank is the geometric mean of how likely its ends are, times the mean relevance inside it; the score shown is that,
relative to the best ends, times the probability that the query is present at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kairos.model.track import Final

Span = tuple[float, float, float]  # start, end in seconds, score in [0, 1]

_ENDS = 16  # the likeliest starts and ends that are paired
_LEAST = 0.3  # of the best span's score


def spans_of(final: Final, query: int, fps: float, duration_s: float, top: int) -> list[Span]:
    """The best spans (start, end, score) of one query of a single clip, best first, none overlapping another.

    Starts and ends lie in [0, duration_s]; empty where nothing fits.
    """
    relevance = _numbers(final.relevance[0, query].sigmoid())
    starts, ends = (_numbers(x[0, query].softmax(-1)) for x in (final.start, final.end))
    before, after = (_numbers(x[0, query]) for x in (final.start_offset, final.end_offset))
    presence = float(final.presence[0, query].sigmoid())
    total = np.concatenate([[0.0], np.cumsum(relevance)])
    i, j = np.argsort(-starts)[:_ENDS, None], np.argsort(-ends)[None, :_ENDS]
    inside = (total[j + 1] - total[np.minimum(i, j)]) / np.maximum(j + 1 - i, 1)
    rank = np.where(j >= i, np.sqrt(starts[i] * ends[j]) * inside, -1.0)
    best_ends = np.sqrt(starts.max() * ends.max())
    chosen: list[Span] = []
    for k in np.argsort(-rank, axis=None, kind="stable"):
        a, b = np.unravel_index(k, rank.shape)
        if rank[a, b] <= 0 or len(chosen) == top:
            break
        first, last = int(i[a, 0]), int(j[0, b])
        start = min(max(float(first + before[first]) / fps, 0.0), duration_s)
        end = min(max(float(last + 1 + after[last]) / fps, 0.0), duration_s)
        score = float(presence * rank[a, b] / best_ends)
        if chosen and score < _LEAST * chosen[0][2]:
            break
        if end > start and all(end <= other[0] or start >= other[1] for other in chosen):
            chosen.append((start, end, score))
    return chosen


def _numbers(x: Tensor) -> NDArray[np.float64]:
    return x.detach().double().cpu().numpy()
