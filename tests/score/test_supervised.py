from __future__ import annotations

import numpy as np
import pytest

from kairos.score.supervised import Fragments, Run


def run(*overlaps, starts=(0,), failures=()):
    return Run(np.array([np.nan, *overlaps]), starts, failures)


def test_a_run_without_a_failure_says_nothing_about_longer_sequences():
    parts = Fragments([run(0.5, 0.7), run(0.2, 0.2, 0.2, 0.2)])
    assert parts.expected(2, 2) == pytest.approx((0.5 + 0.2) / 2)
    assert parts.expected(4, 4) == pytest.approx(0.2)
    assert parts.expected(2, 3) == pytest.approx(((0.5 + 0.2) / 2 + (0.6 + 0.2) / 2) / 2)
    assert np.isnan(parts.expected(9, 12))
    assert np.isnan(Fragments([]).expected(2, 3))


def test_a_part_that_ended_in_a_failure_goes_on_with_nothing():
    nan = np.nan
    parts = Fragments([run(1.0, nan, nan, nan, nan, nan, nan, 1.0, 1.0, starts=(0, 7), failures=(2,))])
    # the first part runs to the next start in frame 7; the second, frames 7 to 9, is cut off by the end
    assert parts.expected(2, 2) == pytest.approx((1.0 + 1.0) / 2)
    assert parts.expected(5, 5) == pytest.approx(1.0 / 4)


def test_runs_can_count_several_times():
    parts = Fragments([run(0.5), run(0.2)])
    assert parts.expected(2, 2, np.array([3.0, 1.0])) == pytest.approx((3 * 0.5 + 0.2) / 4)
    assert parts.expected(2, 2, np.array([0.0, 2.0])) == pytest.approx(0.2)


def test_a_failure_near_the_end_weighs_less_in_the_toolkit():
    short = run(
        1.0, np.nan, np.nan, np.nan, np.nan, failures=(1,)
    )  # its next start would be frame 6, behind the end
    long = run(*[0.5] * 5)
    strict, official = (Fragments([short, long], strict=way).expected(2, 2) for way in (True, False))
    assert strict == pytest.approx((1.0 + 0.5) / 2)
    assert official == pytest.approx((1.0 * 6 / 7 + 0.5) / (6 / 7 + 1))


def test_accuracy_leaves_the_burn_in_out():
    kept = run(*[0.5] * 12).accurate()
    assert np.isnan(kept[:10]).all()
    np.testing.assert_array_equal(kept[10:], 0.5)
