"""Intervals: seeded, around the estimate, wider when videos stand or fall together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.errors import InputError
from kairos.score import auc, interval, mean_interval

items = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40)


@settings(max_examples=40)
@given(items)
def test_the_interval_is_seeded_and_within_the_values(rows):
    values, owners = [v for v, _ in rows], [o for _, o in rows]
    found = mean_interval(values, owners, rounds=50)
    assert found == mean_interval(values, owners, rounds=50)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert (found.n, found.clusters) == (len(values), len(set(owners)))
    assert found.value == pytest.approx(np.mean(values))


def test_both_ways_draw_the_same_videos():
    rng = np.random.default_rng(1)
    values, owners = rng.random(60), rng.integers(0, 12, 60)
    fast = mean_interval(values, owners, rounds=80)
    slow = interval(lambda index: float(values[index].mean()), owners, rounds=80)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high))


def test_videos_that_stand_or_fall_together_widen_it():
    values = np.repeat([0.0, 1.0] * 10, 10)
    together = mean_interval(values, np.repeat(np.arange(20), 10))
    apart = mean_interval(values, np.arange(200))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_it_covers_the_truth_about_as_often_as_it_says():
    covered = []
    for seed in range(100):
        values = np.random.default_rng(seed).random(40) < 0.7
        found = mean_interval(values, np.arange(40), rounds=200, seed=seed)
        covered.append(found.low <= 0.7 <= found.high)
    assert 0.85 <= np.mean(covered) <= 1.0


def test_draws_without_a_value_do_not_count():
    values, labels, owners = np.array([0.1, 0.9]), np.array([False, True]), np.array(["a", "b"])

    def statistic(index):
        return auc(values[index], labels[index]) if 0 < labels[index].sum() < len(index) else None

    found = interval(statistic, owners, rounds=30)
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)


def test_bad_input():
    assert mean_interval([], []) is None
    with pytest.raises(InputError):
        mean_interval([float("nan")], [0])
    with pytest.raises(InputError):
        mean_interval([1.0, 2.0], [0])
    with pytest.raises(InputError, match="rounds"):
        mean_interval([1.0], [0], rounds=0)
    with pytest.raises(InputError, match="level"):
        mean_interval([1.0], [0], level=1.0)
