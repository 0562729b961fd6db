"""The in-span score and what else is measured of turns in time."""

from __future__ import annotations

import pytest

from kairos import Answer, KairosError, Moment, Timeline, TimelineError
from kairos.score import DuetScore, Score
from kairos.score.duet import told

QUERY = "what happens ?"


def judge(pred, gold, question):
    """5 for equal words, 1 for "bad", 3 for any other."""
    assert question == QUERY
    return 5.0 if pred == gold else 1.0 if pred == "bad" else 3.0


def gold(*events, query=QUERY, kind="watch"):
    return Answer(kind, query, moments=tuple(Moment(a, b, label=text) for a, b, text in events))


def said(*turns, query=QUERY):
    return Answer("watch", query, moments=tuple(Moment(t, t, label=text) for t, text in turns))


EVENTS = gold((2.0, 4.0, "a"), (6.0, 10.0, "b"))
score = DuetScore(judge).score


def test_the_paper_s_score():
    """Mean over the turns inside, 1 where there are none, mean over the events."""
    assert isinstance(DuetScore(), Score)
    assert (
        score(said((3.5, "a"), (7.0, "b"), (9.0, "half")), EVENTS)["in_span"] == (5.0 + (5.0 + 3.0) / 2) / 2
    )
    assert score(said((3.5, "a")), EVENTS)["in_span"] == (5.0 + 1.0) / 2
    assert score(said((5.0, "a"), (20.0, "b")), EVENTS)["in_span"] == 1.0
    assert score(said(), EVENTS)["in_span"] == 1.0


def test_the_span_is_closed_as_in_the_paper():
    assert score(said((2.0, "a"), (10.0, "b")), EVENTS)["in_span"] == 5.0
    assert score(said((1.99, "a"), (10.01, "b")), EVENTS)["in_span"] == 1.0


def test_a_turn_counts_for_every_event_that_it_falls_into():
    both = gold((2.0, 6.0, "a"), (4.0, 8.0, "b"))
    assert score(said((5.0, "a")), both)["in_span"] == (5.0 + 3.0) / 2
    assert score(said((5.0, "a")), both)["reached"] == 1.0
    assert score(said((5.0, "a")), both)["told"] == 0.5
    assert score(said((5.0, "a")), both)["outside"] == 0.0


def test_words_said_again_inside_a_span_count_once():
    found = score(said((2.5, "a"), (3.0, "A."), (3.5, "bad"), (7.0, "a"), (8.0, "b")), EVENTS)
    assert found["in_span"] == ((5.0 + 3.0 + 1.0) / 3 + (3.0 + 5.0) / 2) / 2
    assert found["in_span_once"] == ((5.0 + 1.0) / 2 + (3.0 + 5.0) / 2) / 2
    assert found["repeats"] == 1 / 5
    assert found["turns"] == 5.0
    assert found["turns_once"] == 3.0


def test_the_same_words_for_two_events_are_no_repeat():
    twice = gold((2.0, 4.0, "a"), (6.0, 8.0, "a"))
    assert score(said((3.0, "a"), (7.0, "a")), twice)["repeats"] == 0.0


def test_responses_count_wherever_they_are_said():
    found = score(
        Timeline([said((3.0, "a"), (5.0, "x"), (30.0, "y")), said((1.0, "z"), query="absent")]),
        Timeline([EVENTS, gold(query="absent")]),
    )
    assert found["responses_per_event"] == 4 / 2
    assert found["false_turns"] == 1.0
    assert found["outside"] == 3 / 4


def test_delays_are_from_the_middle_to_the_first_turn_inside():
    found = score(said((2.5, "bad"), (3.5, "a"), (9.0, "b"), (9.5, "b")), EVENTS)
    assert found["delay_s"] == (-0.5 + 1.0) / 2
    assert found["told_delay_s"] == (0.5 + 1.0) / 2
    assert found["reached"] == found["told"] == 1.0


def test_a_span_told_afterwards_counts_at_its_middle():
    spans = Answer("watch", QUERY, moments=(Moment(5.0, 9.0, 0.9, "b"), Moment(1.0, 5.0, 0.8, "a")))
    assert score(spans, EVENTS)["in_span"] == 5.0
    assert score(spans, EVENTS)["delay_s"] == -0.5


def test_order_of_turns_plays_no_part():
    turns = [(2.5, "bad"), (3.5, "a"), (9.0, "b"), (9.0, "x")]
    assert score(said(*turns), EVENTS) == score(said(*reversed(turns)), EVENTS)


def test_each_query_weighs_the_same():
    long = gold(*((float(k), k + 0.5, "a") for k in range(9)), query=QUERY)
    both = Timeline([long, gold((1.0, 2.0, "b"), query="other")])
    found = DuetScore(lambda p, g, q: 5.0).score(
        Timeline([said(query=QUERY), said((1.5, "b"), query="other")]), both
    )
    assert found["in_span"] == (1.0 + 5.0) / 2


def test_values_without_anything_to_measure_are_missing():
    assert score(said((1.0, "x")), Answer("ask", QUERY)) == {}
    assert set(score(said(), gold())) == {"turns", "turns_once", "false_turns"}
    quiet = score(said(), EVENTS)
    assert not {"delay_s", "told_delay_s", "false_turns", "repeats", "outside"} & set(quiet)
    assert quiet["responses_per_event"] == 0.0
    assert "told_delay_s" not in score(said((3.0, "bad")), EVENTS)


def test_nothing_predicted_is_the_worst():
    assert score(Timeline(), Timeline([EVENTS]))["in_span"] == 1.0


def test_only_turns_inside_are_judged_and_equal_words_once():
    asked = []

    def counting(pred, true, question):
        asked.append((pred, true))
        return 5.0

    told(said((0.0, "far"), (3.0, "a"), (3.5, "a"), (7.0, "a")), EVENTS, counting)
    assert asked == [("a", "a"), ("a", "b")]


@pytest.mark.parametrize("value", [0.0, 5.5, float("nan")])
def test_a_judge_outside_of_its_scale_is_an_error(value):
    with pytest.raises(KairosError, match=r"\[1, 5\]"):
        DuetScore(lambda *_: value).score(said((3.0, "a")), EVENTS)


def test_a_judge_that_fails_is_an_error():
    with pytest.raises(KairosError, match="no sentence of the world"):
        DuetScore().score(said((3.0, "a")), EVENTS)


def test_turns_and_events_need_words():
    with pytest.raises(TimelineError, match="turn at 3 s has no words"):
        score(Answer("watch", QUERY, moments=(Moment(3.0, 3.0),)), EVENTS)
    with pytest.raises(TimelineError, match="event at 2 s has no words"):
        score(said((3.0, "a")), Answer("watch", QUERY, moments=(Moment(2.0, 4.0),)))


def test_the_world_s_own_labels_told_in_time_and_far_too_late():
    from kairos.world.files import standing
    from kairos.world.sampling import sample_scene

    labels = [
        gold(*((a, b, text) for (a, b), text in s.answers), query=s.query)
        for s in standing(sample_scene(3, "test"))
        if s.answers
    ]
    at = [said(*((m.start + 0.6 * m.duration, m.label) for m in r.moments), query=r.query) for r in labels]
    late = [said(*((m.end + 100.0, m.label) for m in r.moments), query=r.query) for r in labels]
    assert DuetScore().score(Timeline(at), Timeline(labels))["in_span"] > 4.0
    assert DuetScore().score(Timeline(late), Timeline(labels))["in_span"] == 1.0
