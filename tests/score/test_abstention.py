"""Abstaining: precision, recall, and how well confidence tells absent from present."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import InputError
from kairos.score import AbstentionScore, Score, auc, is_absent
from kairos.timeline import Answer, Moment, Timeline

values = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(y for _, y in rows) < len(rows)
)


def ground(query, there, confidence=None, abstained=False):
    return Answer(
        "ground",
        query,
        moments=(Moment(0.0, 1.0),) if there else (),
        confidence=confidence,
        abstained=abstained,
    )


@given(values)
def test_auc_is_the_chance_that_a_positive_is_higher(rows):
    x, y = [v for v, _ in rows], [p for _, p in rows]
    wins = [(a > b) + 0.5 * (a == b) for a, p in rows if p for b, q in rows if not q]
    assert auc(x, y) == pytest.approx(np.mean(wins))
    assert auc([-v for v in x], y) == pytest.approx(1.0 - auc(x, y))


def test_auc_refuses_what_has_no_answer():
    with pytest.raises(InputError):
        auc([0.1, float("nan")], [True, False])
    with pytest.raises(InputError, match="both"):
        auc([0.1, 0.2], [True, True])
    with pytest.raises(InputError, match="shape"):
        auc([0.1], [True, False])


def test_precision_recall_and_auc():
    ref = Timeline([ground("a", True), ground("b", True), ground("c", False), ground("d", False)])
    pred = Timeline(
        [
            ground("a", True, 0.9),
            ground("b", False, 0.6, abstained=True),  # held to be there by 0.4
            ground("c", False, 0.8, abstained=True),
            ground("d", True, 0.7),
        ]
    )
    assert AbstentionScore().score(pred, ref) == {"precision": 0.5, "recall": 0.5, "auc": 0.75}


def test_values_are_missing_where_they_mean_nothing():
    assert AbstentionScore().score(ground("a", True, 0.9), ground("a", True)) == {}
    assert AbstentionScore().score(Timeline(), ground("a", False)) == {"recall": 0.0}


def test_a_question_may_have_an_answer_and_no_moment():
    assert not is_absent(Answer("ask", "q", "no", tags=("yes_no",)))
    assert is_absent(Answer("ask", "q", "that is not in the video", tags=("absent",)))
    assert is_absent(Answer("ask", "q", abstained=True))
    assert is_absent(Answer("ground", "q"))
    assert not is_absent(ground("q", True))


def test_it_is_a_score():
    assert isinstance(AbstentionScore(), Score)
