"""From turns and scores to segments: the rules of MMDuet 6.1 and 6.2 on curves that can be worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.tasks.segments import pinned, relevant, smooth, steps
from kairos.timeline import Curve, Moment, Turn


def said(*turns: tuple[float, str]) -> list[Turn]:
    return [Turn("assistant", text, time, confidence=0.5) for time, text in turns]


def curve(values, tick_s: float = 0.5) -> Curve:
    return Curve("relevance", (np.arange(len(values)) + 1) * tick_s, values)


def test_a_step_lasts_from_the_turn_before_to_its_own():
    told = steps(said((2.0, "cut"), (5.0, "stir"), (5.5, "serve")))
    assert [(m.start, m.end, m.label) for m in told] == [
        (0.0, 2.0, "cut"),
        (2.0, 5.0, "stir"),
        (5.0, 5.5, "serve"),
    ]


def test_neighbours_with_the_same_words_are_one_step():
    turns = said((2.0, "cut"), (3.0, "stir"), (4.0, "stir"), (6.0, "cut"))
    turns[2] = turns[2].replace(confidence=0.9)
    told = steps(turns)
    assert [(m.start, m.end, m.label) for m in told] == [
        (0.0, 2.0, "cut"),
        (2.0, 4.0, "stir"),
        (4.0, 6.0, "cut"),
    ]
    assert told[1].score == 0.9


def test_steps_begin_where_the_query_was_put_and_know_only_the_model():
    turns = [Turn("user", "narrate", 3.0), *said((8.0, "later"), (5.0, "first"))]
    assert [(m.start, m.end) for m in steps(turns, start=3.0)] == [(3.0, 5.0), (5.0, 8.0)]
    assert steps([Turn("user", "narrate", 3.0)]) == ()
    assert steps(said((3.0, "now")), start=3.0) == (), "no time has passed"


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from("ab")), max_size=20))
def test_steps_are_in_order_and_share_no_time(turns):
    told = steps(said(*((time / 2, text) for time, text in turns)))
    for one, two in pairwise(told):
        assert one.end == two.start
        assert one.label != two.label
    assert all(moment.duration > 0 for moment in told)
    assert not turns or told[-1].end == max(time for time, _ in turns) / 2


def test_smoothing_takes_so_many_ticks_on_both_sides():
    values = np.zeros(9)
    values[4] = 1.0
    for w in (0, 1, 2):
        smoothed = smooth(curve(values), w, 0.5).values
        expected = np.zeros(9)
        expected[4 - w : 4 + w + 1] = 1.0 / (2 * w + 1)
        assert smoothed == pytest.approx(expected)
    assert smooth(curve([1.0, 0.0, 0.0, 0.0]), 2, 0.5).values == pytest.approx([1 / 3, 1 / 4, 1 / 4, 0.0])


@pytest.mark.parametrize("fps", [2.0, 3.0, 0.3, 29.97])
def test_smoothing_does_not_depend_on_how_times_round(fps):
    values = np.random.default_rng(0).random(200)
    smoothed = smooth(curve(values, 1 / fps), 6, 1 / fps).values
    assert smoothed[100] == pytest.approx(values[94:107].mean())


def test_runs_above_the_threshold_cover_their_ticks():
    found = relevant(curve([0.2, 0.8, 0.9, 0.5, 0.7]), 0.5, 0.5)
    assert [(m.start, m.end, m.score) for m in found] == [(0.5, 1.5, 0.9), (2.0, 2.5, 0.7)]
    assert relevant(curve([0.5, 0.5]), 0.5, 0.5) == (), "the comparison is strict"
    assert relevant(curve([]), 0.5, 0.5) == ()


def test_a_run_ends_where_ticks_are_missing():
    times = np.array([0.5, 1.0, 4.0, 4.5])
    found = relevant(Curve("relevance", times, np.array([0.9, 0.9, 0.8, 0.8])), 0.5, 0.5)
    assert [(m.start, m.end) for m in found] == [(0.0, 1.0), (3.5, 4.5)]


def test_turns_are_pinned_to_their_tick():
    turns = [Turn("user", "when ?", 0.0), *said((0.5, "now"), (3.0, "again"))]
    assert pinned(turns, 0.5) == (Moment(0.0, 0.5, 0.5, "now"), Moment(2.5, 3.0, 0.5, "again"))
