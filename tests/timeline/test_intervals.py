"""Interval arithmetic against brute force on a grid, and its laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import TimelineError
from kairos.timeline import Moment, intervals

GRID = 60
points = st.integers(0, GRID)
span = st.tuples(points, points).map(sorted)
spans = st.lists(span, max_size=8).map(lambda rows: np.array(rows, float).reshape(-1, 2))
reals = st.floats(-1e6, 1e6)
real_spans = st.lists(st.tuples(reals, reals).map(sorted), min_size=1, max_size=6).map(np.array)


def cells(rows: np.ndarray) -> np.ndarray:
    """Which of the unit cells [i, i + 1) the spans cover."""
    covered = np.zeros(GRID, bool)
    for start, end in rows:
        covered[int(start) : int(end)] = True
    return covered


def is_canonical(rows: np.ndarray) -> bool:
    return bool((rows[:, 1] > rows[:, 0]).all() and (rows[1:, 0] > rows[:-1, 1]).all())


@given(spans, spans)
def test_set_operations_agree_with_cells(a: np.ndarray, b: np.ndarray) -> None:
    for result, expected in [
        (intervals.union(a, b), cells(a) | cells(b)),
        (intervals.intersect(a, b), cells(a) & cells(b)),
        (intervals.subtract(a, b), cells(a) & ~cells(b)),
    ]:
        np.testing.assert_array_equal(cells(result), expected)
        assert is_canonical(result)
        assert intervals.total_length(result) == expected.sum()


@given(real_spans, real_spans)
def test_laws(a: np.ndarray, b: np.ndarray) -> None:
    both, rest = intervals.intersect(a, b), intervals.subtract(a, b)
    np.testing.assert_array_equal(both, intervals.intersect(b, a))
    np.testing.assert_array_equal(intervals.union(a, b), intervals.union(b, a))
    np.testing.assert_array_equal(intervals.union(intervals.union(a)), intervals.union(a))
    np.testing.assert_array_equal(intervals.union(both, rest), intervals.union(a))
    assert not len(intervals.intersect(rest, b))


@given(real_spans, real_spans)
def test_iou_matrix(a: np.ndarray, b: np.ndarray) -> None:
    matrix = intervals.iou_matrix(a, b)
    assert matrix.shape == (len(a), len(b))
    assert ((matrix >= 0) & (matrix <= 1)).all()
    np.testing.assert_allclose(matrix, intervals.iou_matrix(b, a).T)
    for i, one in enumerate(a):
        for j, two in enumerate(b):
            assert matrix[i, j] == pytest.approx(Moment(*one).iou(Moment(*two)), abs=1e-9)
    full = a[:, 1] > a[:, 0]
    np.testing.assert_array_equal(np.diag(intervals.iou_matrix(a, a))[full], 1.0)


@given(real_spans, reals, reals)
def test_clamp(a: np.ndarray, x: float, y: float) -> None:
    lo, hi = sorted((x, y))
    clamped = intervals.clamp(a, lo, hi)
    assert ((clamped >= lo) & (clamped <= hi)).all()
    assert len(clamped) == len(a)
    np.testing.assert_array_equal(intervals.union(clamped), intervals.intersect(a, [(lo, hi)]))


@given(spans, st.data(), st.floats(0, 1))
def test_nms(a: np.ndarray, data: Any, threshold: float) -> None:
    scores = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=len(a), max_size=len(a))))
    kept = intervals.nms(a, scores, threshold)
    assert sorted(set(kept.tolist())) == sorted(kept.tolist())
    assert (np.diff(scores[kept]) <= 0).all()
    overlaps = intervals.iou_matrix(a, a)
    for position, index in enumerate(kept):
        assert not (overlaps[index, kept[:position]] > threshold).any()
    for index in set(range(len(a))) - set(kept.tolist()):
        better = [k for k in kept if scores[k] >= scores[index]]
        assert (overlaps[index, better] > threshold).any()


def test_takes_moments_and_lists() -> None:
    assert intervals.total_length([Moment(0, 2), Moment(1, 3)]) == 3.0
    assert intervals.union().shape == (0, 2)
    assert intervals.iou_matrix([], [(0, 1)]).shape == (0, 1)
    assert intervals.union([(0, 1), (1, 2)]).tolist() == [
        [0.0, 2.0]
    ]  # half-open spans that touch leave no hole
    assert intervals.nms([], []).tolist() == []


@pytest.mark.parametrize(
    "wrong",
    [[(2, 1)], [(0, float("nan"))], [(0, float("inf"))], [(1, 2, 3)], [1, 2], [("a", "b")], [(1,), (1, 2)]],
)
def test_bad_spans(wrong: Any) -> None:
    with pytest.raises(TimelineError):
        intervals.union(wrong)


def test_bad_scores() -> None:
    with pytest.raises(TimelineError):
        intervals.nms([(0, 1)], [1.0, 2.0])
    with pytest.raises(TimelineError):
        intervals.nms([(0, 1)], [float("nan")])
