"""Answers in words: what counts as the same, and what abstaining is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.score import AnswerScore, Score, is_right, normal
from kairos.timeline import Answer, Moment, Timeline


def ask(query, text, *tags, abstained=False):
    return Answer("ask", query, text, tags=tags, abstained=abstained)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Two", "two"),
        ("the red circle.", "The red  circle"),
        ("it moves left!", " it moves-left "),
        ("don’t", "don't"),
    ],
)
def test_texts_that_are_the_same(one, two):
    assert normal(one) == normal(two)


def test_texts_that_are_not():
    assert normal("two") != normal("too")
    assert normal("the red circle") != normal("red circle")


@given(st.text())
def test_normal_is_stable(text):
    assert normal(normal(text)) == normal(text)


def test_accuracy_of_all_of_each_kind_and_of_the_kinds():
    ref = Timeline(
        [ask("a", "two", "count"), ask("b", "one", "count"), ask("c", "yes", "yes_no"), ask("d", "x", "when")]
    )
    pred = Timeline([ask("a", "Two."), ask("b", "two"), ask("c", "yes"), ask("d", "x")])
    assert AnswerScore(("count", "yes_no", "what")).score(pred, ref) == {
        "accuracy": pytest.approx(2 / 3),
        "accuracy_count": 0.5,
        "accuracy_yes_no": 1.0,
        "accuracy_macro": 0.75,
    }
    assert AnswerScore().score(pred, ref) == {"accuracy": 0.75}


def test_abstaining_is_right_only_where_there_is_nothing():
    gone = ask("a", "that is not in the video", "absent")
    assert is_right(ask("a", "", abstained=True), gone)
    assert not is_right(ask("a", "that is not in the video"), gone)
    assert not is_right(ask("a", "no", abstained=True), ask("a", "no", "yes_no"))
    assert is_right(ask("a", "no"), ask("a", "no", "yes_no"))  # an answer without a moment is still one


def test_moments_and_other_kinds_play_no_part():
    ref = Timeline([ask("a", "two"), Answer("ground", "a", moments=(Moment(0.0, 1.0),))])
    assert AnswerScore().score(ask("a", "two"), ref) == {"accuracy": 1.0}
    assert AnswerScore().score(Timeline(), Timeline()) == {}


def test_it_is_a_score():
    assert isinstance(AnswerScore(), Score)
