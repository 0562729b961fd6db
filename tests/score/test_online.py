"""One shot a query, fired while the video runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import InputError
from kairos.score import OnlineScore, Score, fired
from kairos.timeline import Answer, Moment, Timeline


def shot(start, end, at, score=1.0):
    return Moment(start, end, score, extra={"fired_at": at})


def ground(query, *moments):
    return Answer("ground", query, moments=moments)


def test_hits_false_fires_and_delay():
    ref = Timeline([ground("a", Moment(2.0, 4.0)), ground("b", Moment(2.0, 4.0)), ground("c"), ground("d")])
    pred = Timeline(
        [ground("a", shot(2.0, 5.0, 4.5)), ground("b"), ground("c", shot(0.0, 1.0, 1.0)), ground("d")]
    )
    assert OnlineScore().score(pred, ref) == {"hit": 0.5, "false_fire": 0.5, "delay_s": 0.5}


def test_only_the_first_shot_counts_however_good_a_later_one_is():
    pred = ground("a", shot(10.0, 12.0, 12.5, 0.9), shot(0.0, 1.0, 1.5, 0.1))
    assert fired(pred).start == 0.0
    assert OnlineScore().score(pred, ground("a", Moment(10.0, 12.0))) == {"hit": 0.0}


def test_a_span_that_was_not_said_online_does_not_count():
    assert fired(ground("a", Moment(0.0, 1.0))) is None
    assert OnlineScore().score(ground("a", Moment(0.0, 1.0)), ground("a", Moment(0.0, 1.0))) == {"hit": 0.0}


@given(st.permutations([(0.0, 1.0, 2.0), (0.0, 1.0, 2.0), (3.0, 4.0, 2.0), (0.5, 1.0, 5.0)]))
def test_order_and_copies_play_no_part(rows):
    pred = ground("a", *(shot(*row) for row in rows))
    assert fired(pred).span == (0.0, 1.0)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), "soon"])
def test_a_time_that_is_none_is_refused(at):
    with pytest.raises(InputError, match="fired_at"):
        OnlineScore().score(ground("a", shot(0.0, 1.0, at)), ground("a", Moment(0.0, 1.0)))


def test_it_is_a_score():
    assert isinstance(OnlineScore(), Score)
    with pytest.raises(InputError):
        OnlineScore(float("nan"))
