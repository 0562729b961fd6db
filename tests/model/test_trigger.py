"""When to speak: strict, reset to zero, not too often, not the same again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import OptionError
from kairos.model.trigger import PRESETS, Trigger

scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=40)


@given(scores, st.floats(0, 2))
def test_a_threshold_is_strict_and_on_the_sum_of_the_chosen_heads(ticks, t):
    both, one = Trigger(threshold=t).start(), Trigger(threshold=t, heads=("informative",)).start()
    for k, (relevance, informative) in enumerate(ticks):
        assert both.speaks(k, relevance, informative) == (relevance + informative > t)
        assert one.speaks(k, relevance, informative) == (informative > t)


@given(scores, st.floats(0.1, 3))
def test_a_total_starts_again_from_zero(ticks, s):
    deciding, total = Trigger(heads=("informative",), total=s).start(), 0.0
    for k, (relevance, informative) in enumerate(ticks):
        total += informative
        assert deciding.speaks(k, relevance, informative) == (total > s)
        total = 0.0 if total > s else total


def test_an_interval_has_to_pass():
    deciding = Trigger(threshold=0.5, interval_s=2).start()
    assert [deciding.speaks(t / 2, 1, 1) for t in range(9)] == [True, *[False] * 3, True, *[False] * 3, True]


def test_the_same_is_not_said_again_while_it_goes_on():
    deciding = Trigger(threshold=0.5, repeats_s=2).start()
    heard = [(0, "a"), (1, "a"), (2.5, "a"), (3, "b"), (3.5, "a"), (6, "a"), (8, "a"), (10, "a")]
    assert [deciding.new(t, text) for t, text in heard] == [True, False, False, True, False, True, True, True]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threshold": 0.5, "total": 2.0},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"total": float("inf")},
        {"threshold": 0.5, "heads": ()},
        {"threshold": 0.5, "heads": ("loudness",)},
        {"threshold": 0.5, "repeats_s": -1},
    ],
)
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(OptionError):
        Trigger(**options)


def test_presets_are_the_papers():
    assert PRESETS["caption"] == Trigger(heads=("informative",), total=2.0)
    assert set(PRESETS) == {"caption", "magqa", "ground", "highlight"}
