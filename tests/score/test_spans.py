"""Grounding scores: ranges, invariances, and what happens at the edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import InputError
from kairos.score import Score, SpanScore, best_span, pairs, top_iou
from kairos.timeline import Answer, Moment, Timeline

seconds = st.integers(0, 400).map(lambda t: t / 10)
moments = st.builds(
    lambda a, length, score: Moment(a, a + length, score),
    seconds,
    st.integers(1, 100).map(lambda t: t / 10),
    st.integers(0, 10).map(lambda t: t / 10),
)


def ground(query, *spans):
    return Answer("ground", query, moments=tuple(Moment(*span) for span in spans))


@given(st.lists(moments, max_size=6), st.lists(moments, max_size=4), st.randoms(use_true_random=False))
def test_range_and_invariance_to_order_and_copies(pred, ref, random):
    value = top_iou(pred, ref)
    assert 0.0 <= value <= 1.0
    shuffled_pred, shuffled_ref = [*pred, *pred[:2]], [*ref, *ref[:2]]
    random.shuffle(shuffled_pred)
    random.shuffle(shuffled_ref)
    assert top_iou(shuffled_pred, shuffled_ref) == value


@given(st.lists(moments, min_size=1, max_size=4))
def test_the_truth_itself_scores_one(ref):
    assert top_iou([ref[0]], ref) == 1.0
    pred, label = Answer("ground", "q", moments=(ref[0],)), Answer("ground", "q", moments=tuple(ref))
    assert set(SpanScore().score(pred, label).values()) == {1.0}


def test_only_the_best_scored_span_counts_against_the_best_reference():
    pred = ground("q", (0.0, 2.0, 0.2), (10.0, 14.0, 0.9))
    assert top_iou(pred.moments, ground("q", (0.0, 2.0)).moments) == 0.0
    assert top_iou(pred.moments, ground("q", (0.0, 2.0), (10.0, 12.0)).moments) == 0.5
    assert best_span(pred.moments).start == 10.0
    assert best_span(()) is None


def test_thresholds_are_closed_and_the_mean_is_over_present_references():
    pred = Timeline([ground("a", (0.0, 4.0)), ground("b", (0.0, 1.0)), ground("gone", (0.0, 1.0))])
    ref = Timeline([ground("a", (0.0, 2.0)), ground("b", (5.0, 6.0)), ground("gone")])
    assert SpanScore().score(pred, ref) == {
        "r1_iou_0.3": 0.5,
        "r1_iou_0.5": 0.5,
        "r1_iou_0.7": 0.0,
        "miou": 0.25,
    }


def test_what_was_left_out_counts_as_missed_and_what_nobody_asked_does_not_count():
    ref = Timeline([ground("a", (0.0, 2.0)), ground("b", (0.0, 2.0))])
    pred = Timeline([ground("a", (0.0, 2.0)), ground("c", (0.0, 2.0))])
    assert SpanScore().score(pred, ref)["miou"] == 0.5


def test_nothing_to_measure_gives_no_value():
    assert SpanScore().score(Timeline(), Timeline()) == {}
    assert SpanScore().score(ground("a", (0.0, 1.0)), ground("a")) == {}


def test_two_predictions_for_one_query_are_refused_unless_equal():
    one, two = ground("a", (0.0, 1.0)), ground("a", (0.0, 2.0))
    assert len(pairs(Timeline([one, one]), one)) == 1
    with pytest.raises(InputError, match="two predictions for ground 'a'"):
        pairs(Timeline([one, two]), one)


def test_nan_is_refused():
    with pytest.raises(InputError, match="finite"):
        ground("a", (0.0, float("nan")))
    with pytest.raises(InputError, match="finite"):
        ground("a", (0.0, 1.0, float("nan")))
    with pytest.raises(InputError, match="thresholds"):
        SpanScore((float("nan"),))


def test_it_is_a_score():
    assert isinstance(SpanScore(), Score)
