"""Regions of a picture, boxes or polygons in source pixels, and how far two of them overlap.

Two measures. `exactly` compares areas. `on_pixels` is how VOT's toolkit counts (Kristan et al., 2018): corners are rounded, a
row of pixels is filled from one side to the next with both ends, and overlaps come out a little too large.

Shapes: n regions, k corners, R rows of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kairos.errors import TimelineError
from kairos.timeline.checks import FloatArray

__all__ = ["corners", "exactly", "on_pixels"]

FRAMES = 128
"""So many are drawn at once: a megapixel has a thousand rows, each of a few numbers."""
APART = 1e-10
"""Where one region is so much smaller than the other, the toolkit calls their overlap 0."""

Point = tuple[float, float]


def corners(regions: Sequence[Sequence[float]]) -> FloatArray:
    """The corners (n, k, 2) of boxes x, y, width, height and of polygons x1, y1, x2, y2, ...; one of fewer corners than
    others repeats its last one. Raises TimelineError for a region that is neither."""
    found = []
    for region in regions:
        if len(region) == 4:
            x, y, width, height = region
            region = (x, y, x + width, y, x + width, y + height, x, y + height)
        if len(region) < 6 or len(region) % 2:
            raise TimelineError(f"a region must be a box or a polygon, not {len(region)} numbers")
        found.append(np.asarray(region, np.float64).reshape(-1, 2))
    most = max((len(one) for one in found), default=0)
    rows = [np.concatenate([one, np.repeat(one[-1:], most - len(one), axis=0)]) for one in found]
    return np.array(rows).reshape(len(rows), most, 2)


# on pixels -----------------------------------------------------------------------------------------------------------


def on_pixels(pred: FloatArray, true: FloatArray, bound: tuple[float, float]) -> FloatArray:
    """IoU of polygon i with polygon i, (n,) from corners (n, k, 2), in a picture of `bound` (width, height), in pixels."""
    parts = [
        _drawn(pred[k : k + FRAMES], true[k : k + FRAMES], np.asarray(bound, np.float32))
        for k in range(0, len(pred), FRAMES)
    ]
    return np.concatenate([np.zeros(0), *parts])


def _drawn(pred: FloatArray, true: FloatArray, bound: NDArray[np.float32]) -> FloatArray:
    """Both polygons are drawn in the box that holds them; all in single precision, as in the toolkit."""
    polygons = [given.astype(np.float32) for given in (pred, true)]
    lows = np.array([np.maximum(np.floor(p.min(axis=1)), 0) for p in polygons], np.float32)
    highs = np.array([np.minimum(np.ceil(p.max(axis=1)), bound) for p in polygons], np.float32)
    low, size = lows.min(axis=0), (highs.max(axis=0) - lows.min(axis=0)).astype(np.int64) + 1
    one, two = (highs - lows).prod(axis=2).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = (one > 0) & (two > 0) & (one / two >= APART) & (two / one >= APART)
    near = sizes & (size >= 1).all(axis=1) & ((highs.min(axis=0) - lows.max(axis=0)).prod(axis=1) != 0)
    result = np.zeros(len(pred))
    if not near.any():
        return result
    first, second = (_spans((p - low[:, None])[near], size[near]) for p in polygons)
    shared = sum(
        (np.minimum(b, d) - np.maximum(a, c) + 1).clip(0).sum(axis=1) for a, b in first for c, d in second
    )
    each = [sum((b - a + 1).clip(0).sum(axis=1) for a, b in spans) for spans in (first, second)]
    whole = np.asarray(each[0] + each[1] - shared, np.float64)
    with np.errstate(invalid="ignore"):
        result[near] = np.asarray(shared / whole, np.float32)
    return result


def _spans(polygons: NDArray[np.float32], size: NDArray[np.int64]) -> list[tuple[FloatArray, FloatArray]]:
    """The pixels of each row that are inside, as spans [first, last] (n, R) that share none; empty where last < first."""
    given = polygons.astype(np.float64)
    p = np.trunc(given + np.copysign(0.5, given))[:, None]  # as C rounds: halves away from zero
    q = np.roll(p, 1, axis=2)
    y = np.arange(size[:, 1].max())[None, :, None]
    down = q[..., 1] - p[..., 1]
    crosses = (down != 0) & (np.minimum(p[..., 1], q[..., 1]) <= y) & (y <= np.maximum(p[..., 1], q[..., 1]))
    crosses &= y < size[:, None, None, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.trunc(p[..., 0] + (y - p[..., 1]) / down * (q[..., 0] - p[..., 0]))
    x = np.sort(np.where(crosses, x, np.inf), axis=2)
    width = size[:, :1]
    spans = []
    taken, last = np.zeros(x.shape[:2], bool), np.full(x.shape[:2], -1.0)
    for k in range(x.shape[2] - 1):
        a, b = x[..., k], x[..., k + 1]
        # Where a corner lies in the row, both of its sides end there: of two equal ends the first is passed over.
        pair = ~taken & (a != b) & np.isfinite(b)
        drawn = pair & (a < width) & (b >= 0)
        start, end = np.maximum(a, last + 1), np.minimum(b, width - 1)
        spans.append((np.where(drawn, start, 1.0), np.where(drawn, end, 0.0)))
        last = np.where(drawn, np.maximum(last, end), last)
        taken = pair
    return spans


# areas ---------------------------------------------------------------------------------------------------------------


def exactly(pred: FloatArray, true: FloatArray, bound: tuple[float, float]) -> FloatArray:
    """IoU of polygon i with polygon i, (n,) from corners (n, k, 2), of what lies in a picture of `bound` (width, height).

    Predicted polygons must be convex, as boxes are, turned or not. Raises TimelineError where one is not.
    """
    width, height = bound
    picture = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    result = np.zeros(len(pred))
    for k, (one, two) in enumerate(zip(_points(pred), _points(true), strict=True)):
        clip = _convex(one, k)
        mine, theirs = _cut(clip, picture), _cut(two, picture)
        shared = abs(_area(_cut(theirs, clip))) if clip else 0.0
        whole = abs(_area(mine)) + abs(_area(theirs)) - shared
        result[k] = min(shared / whole, 1.0) if whole > 0 else 0.0
    return result


def _points(polygons: FloatArray) -> list[list[Point]]:
    """Corners without those that stand twice."""
    return [list(dict.fromkeys((float(x), float(y)) for x, y in one)) for one in polygons]


def _convex(points: list[Point], number: int) -> list[Point]:
    """The corners in the turn of a positive area; none of a polygon without area."""
    turns = []
    for k, c in enumerate(points):
        a, b = points[k - 2], points[k - 1]
        turns.append((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]))
    slack = 1e-6 * max(map(abs, turns), default=0.0)
    if min(turns, default=0.0) < -slack and max(turns, default=0.0) > slack:
        raise TimelineError(f"region {number} is no convex polygon: its area cannot be compared")
    area = _area(points)
    return [] if not area else points if area > 0 else points[::-1]


def _cut(polygon: list[Point], clip: list[Point]) -> list[Point]:
    """What of a polygon lies in a convex one (Sutherland and Hodgman, 1974)."""
    for k, b in enumerate(clip):
        a = clip[k - 1]
        dx, dy = b[0] - a[0], b[1] - a[1]
        sides = [dx * (y - a[1]) - dy * (x - a[0]) for x, y in polygon]
        kept: list[Point] = []
        for i, (here, side) in enumerate(zip(polygon, sides, strict=True)):
            (x, y), before = polygon[i - 1], sides[i - 1]
            if side * before < 0:
                t = before / (before - side)
                kept.append((x + t * (here[0] - x), y + t * (here[1] - y)))
            if side >= 0:
                kept.append(here)
        polygon = kept
    return polygon


def _area(polygon: list[Point]) -> float:
    """The area, above 0 where the corners turn from x to y."""
    return sum(polygon[k - 1][0] * y - x * polygon[k - 1][1] for k, (x, y) in enumerate(polygon)) / 2
