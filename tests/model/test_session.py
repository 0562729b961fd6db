"""Streamed equals batch, cached equals uncached, and what is rolled back is gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos.errors import InputError, OptionError

QUERY = "the red circle moves left"


def feed(session, stream, sizes):
    frames, audio = stream
    a = 0
    for n in sizes:
        n = min(n, len(frames) - a)
        if n:
            session.see(frames[a : a + n], audio[a * 8000 : (a + n) * 8000])
        a += n
    if a < len(frames):
        session.see(frames[a:], audio[a * 8000 :])
    session.end(19.9)


def findings(session):
    reply = session.reply()
    return session.scores, session.presence, session.spans(), reply


def same(one, other):
    (s, p, spans, reply), (s2, p2, spans2, reply2) = one, other
    np.testing.assert_allclose(s.relevance, s2.relevance, atol=2e-5)
    np.testing.assert_allclose(s.informative, s2.informative, atol=2e-5)
    np.testing.assert_array_equal(s.times, s2.times)
    assert p == pytest.approx(p2, abs=2e-5)
    np.testing.assert_allclose(np.array(spans), np.array(spans2), atol=2e-4)
    assert reply.text == reply2.text
    assert reply.confidence == pytest.approx(reply2.confidence, abs=1e-4)


@pytest.fixture(scope="module")
def whole(tiny, stream):
    session = tiny.session()
    session.say(QUERY)
    feed(session, stream, [40])
    return findings(session)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 17), min_size=1, max_size=10), when=st.integers(0, 3))
def test_chunks_and_the_time_of_asking_do_not_matter(tiny, stream, whole, sizes, when):
    session = tiny.session()
    if when == 0:
        session.say(QUERY)
    feed(session, stream, sizes)
    if when == 1:
        session.say("a beep is heard")
    if when:
        session.say(QUERY)
    same(findings(session), whole)


def test_one_tick_at_a_time(tiny, stream, whole):
    session = tiny.session()
    session.say(QUERY)
    feed(session, stream, [1] * 40)
    same(findings(session), whole)


def test_a_later_frame_changes_no_earlier_score(tiny, stream):
    frames, audio = stream
    scores = []
    for ticks in (20, 40):
        session = tiny.session()
        session.say(QUERY)
        session.see(frames[:ticks], audio[: ticks * 8000])
        scores.append(session.scores.relevance[:20])
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-5)


def test_a_stream_longer_than_every_window_is_banded_alike(tiny, stream):
    frames, audio = (np.concatenate([x, x[::-1]]) for x in stream)  # 80 ticks, ten windows
    one, other = tiny.session(), tiny.session()
    for session, step in ((one, 80), (other, 7)):
        for a in range(0, 80, step):
            session.see(frames[a : a + step], np.ascontiguousarray(audio[a * 8000 : (a + step) * 8000]))
        session.say(QUERY)
    same(findings(one), findings(other))


def test_rollback_restores_what_was_current(tiny, stream):
    session = tiny.session()
    session.say(QUERY)
    feed(session, stream, [40])
    before = findings(session)
    session.rollback()  # the reply
    session.say("a chime is heard")
    session.rollback()
    same(findings(session), before)
    session.rollback()
    session.rollback()
    assert session.turns == []
    with pytest.raises(InputError):
        session.rollback()


def test_spans_are_sorted_inside_the_stream_and_apart(tiny, stream):
    session = tiny.session()
    feed(session, stream, [40])
    session.say(QUERY)
    spans = session.spans(top=5)
    assert spans
    assert [s[2] for s in spans] == sorted((s[2] for s in spans), reverse=True)
    assert all(0 <= a < b <= 19.9 and 0 <= score <= 1 for a, b, score in spans)


def test_online_fires_on_what_has_been_seen_only(tiny, stream):
    session = tiny.session()
    session.say(QUERY)
    feed(session, stream, [40])
    fired = session.online(threshold=float(np.median(session.scores.relevance)))
    assert fired is None or 0 <= fired[0] < fired[1] <= fired[2] <= 20.0


def test_what_cannot_be_is_refused(tiny, stream):
    session = tiny.session()
    with pytest.raises(InputError, match="no query"):
        session.spans()
    with pytest.raises(InputError, match="empty"):
        session.say("  ")
    session.say(QUERY)
    with pytest.raises(InputError, match="nothing has been seen"):
        session.reply()
    with pytest.raises(InputError, match="frames are"):
        session.see(np.zeros((2, 32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="sound is"):
        session.see(np.zeros((2, 64, 64, 3), np.uint8), np.zeros(3, np.float32))
    with pytest.raises(OptionError):
        session.end(float("nan"))


def test_captions_and_scores_without_a_query(tiny, stream):
    session = tiny.session()
    feed(session, stream, [40])
    assert session.scores.informative.shape == (40,)
    told = session.captions(least=0.0)
    assert told == sorted(told)
