"""A duet is the loop that goes tick by tick: however it is cut, whoever else asks, whatever was said before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kairos.errors import InputError, OptionError
from kairos.model.duet import Duet
from kairos.model.trigger import Trigger

ASKED = ("tell me whenever something moves left", "what does the red circle do ?")
SLOW = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def play(model, stream, sizes=(), later=None, **options):
    """A duet over the stream in chunks of `sizes`; a second query comes after `later` ticks."""
    frames, audio = stream
    duet = Duet(model, max_words=5, **options)
    duet.say(ASKED[0])
    said, at = [], 0
    stops = sorted({*np.cumsum(sizes).tolist(), *([later] if later else []), len(frames)})
    for stop in (s for s in stops if s <= len(frames)):
        if stop > at:
            said += duet.see(frames[at:stop], audio[at * 8000 : stop * 8000])
            at = stop
        if later == stop:
            duet.say(ASKED[1])
    return duet, said


def alike(one, other):
    (duet, said), (duet2, said2) = one, other
    assert [(s.query, s.time, s.text) for s in said] == [(s.query, s.time, s.text) for s in said2]
    for q in range(len(duet.queries)):
        a, b = duet.scores(q), duet2.scores(q)
        np.testing.assert_array_equal(a.times, b.times)
        np.testing.assert_allclose(a.relevance, b.relevance, atol=1e-4)
        np.testing.assert_allclose(a.informative, b.informative, atol=1e-4)


def between(model, stream, heads, share):
    """A threshold that so many of the ticks are above."""
    duet, _ = play(model, stream, trigger=Trigger(threshold=2.0), heads=heads)
    scores = duet.scores(0)
    total = np.sort(scores.relevance + scores.informative)
    cut = min(int(len(total) * (1 - share)), len(total) - 2)
    return float((total[cut] + total[cut + 1]) / 2)


@pytest.mark.parametrize("heads", ["track", "context"])
@SLOW
@given(
    st.lists(st.integers(1, 17), max_size=6),
    st.integers(1, 20),
    st.sampled_from([0.1, 0.4]),
    st.one_of(st.none(), st.integers(3, 35)),
)
def test_chunks_are_the_loop(tiny, stream, heads, sizes, chunk, share, later):
    options = {
        "trigger": Trigger(threshold=between(tiny, stream, heads, share)),
        "heads": heads,
        "later": later,
    }
    loop = play(tiny, stream, [1] * 40, chunk=1, **options)
    assert loop[1]
    alike(loop, play(tiny, stream, sizes, chunk=chunk, **options))


@SLOW
@given(st.lists(st.integers(1, 17), max_size=4), st.integers(1, 20), st.sampled_from([0.1, 0.4]))
def test_kept_replies_are_the_loop_too(tiny, stream, sizes, chunk, share):
    trigger = Trigger(threshold=between(tiny, stream, "context", share))
    options = {"trigger": trigger, "heads": "context", "keep_replies": True, "later": 9}
    loop = play(tiny, stream, [1] * 40, chunk=1, **options)
    alike(loop, play(tiny, stream, sizes, chunk=chunk, **options))


def test_a_kept_reply_changes_what_comes_after_and_a_removed_one_does_not(tiny, stream):
    silent, _ = play(tiny, stream, trigger=Trigger(threshold=2.0), heads="context")
    trigger = Trigger(threshold=between(tiny, stream, "context", 0.3))
    removed, said = play(tiny, stream, trigger=trigger, heads="context")
    kept, _ = play(tiny, stream, trigger=trigger, heads="context", keep_replies=True)
    first = round(said[0].time * tiny.config.fps)
    assert first < 40
    np.testing.assert_allclose(removed.scores(0).relevance, silent.scores(0).relevance, atol=1e-5)
    np.testing.assert_allclose(
        kept.scores(0).relevance[:first], silent.scores(0).relevance[:first], atol=1e-5
    )
    assert np.abs(kept.scores(0).relevance[first:] - silent.scores(0).relevance[first:]).max() > 1e-4


@pytest.mark.parametrize("heads", ["track", "context"])
def test_many_queries_are_as_each_alone(tiny, stream, heads):
    frames, audio = stream
    trigger = Trigger(threshold=between(tiny, stream, heads, 0.2))
    together = Duet(tiny, trigger=trigger, heads=heads, max_words=5)
    numbers = [together.say(text) for text in ASKED]
    said = together.see(frames, audio)
    for number, text in zip(numbers, ASKED, strict=True):
        alone = Duet(tiny, trigger=trigger, heads=heads, max_words=5)
        alone.say(text)
        mine = alone.see(frames, audio)
        assert [(s.time, s.text) for s in mine] == [(s.time, s.text) for s in said if s.query == number]
    assert [s.time for s in said] == sorted(s.time for s in said)


@pytest.mark.parametrize("heads", ["track", "context"])
def test_a_bounded_duet_holds_no_more_however_long_it_plays(tiny, stream, heads):
    frames, audio = stream
    duet = Duet(tiny, trigger=Trigger(threshold=1.9), heads=heads, window=8)
    duet.say(ASKED[0])
    for _ in range(4):
        duet.see(frames, audio)
    assert duet.ticks == 160
    assert duet.time == 80.0
    assert len(duet.scores(0).times) == 8
    assert duet.scores(0).times[-1] == 80.0
    assert duet._voice.recent.frames.states.shape[1] < tiny.config.track_window + 16


def test_scores_stand_at_the_ends_of_ticks_since_the_query(tiny, stream):
    duet, _ = play(tiny, stream, later=10, trigger=Trigger(threshold=2.0))
    np.testing.assert_array_equal(duet.scores(0).times, (np.arange(40) + 1) / 2)
    np.testing.assert_array_equal(duet.scores(1).times, (np.arange(10, 40) + 1) / 2)
    duet.end(19.8)
    assert duet.time == 19.8


def test_the_track_scores_as_the_session_does(tiny, stream):
    duet, _ = play(tiny, stream, trigger=Trigger(threshold=2.0))
    session = tiny.session()
    session.say(ASKED[0])
    session.see(*stream)
    np.testing.assert_allclose(duet.scores(0).relevance, session.scores.relevance, atol=2e-5)
    np.testing.assert_allclose(duet.scores(0).informative, session.scores.informative, atol=2e-5)


@pytest.mark.parametrize(
    "options",
    [{"heads": "both"}, {"keep_replies": True}, {"chunk": 0}, {"window": 0}, {"max_words": 0}],
)
def test_absurd_options_are_refused(tiny, options):
    with pytest.raises(OptionError):
        Duet(tiny, **options)


def test_bad_input_is_refused(tiny, stream):
    duet = Duet(tiny)
    with pytest.raises(InputError, match="empty"):
        duet.say(" ! ")
    with pytest.raises(InputError, match="frames"):
        duet.see(stream[0][:, :8])
    with pytest.raises(InputError, match="sound"):
        duet.see(stream[0], stream[1][:-1])
    assert duet.see(stream[0], stream[1]) == []  # nobody has asked
    with pytest.raises(OptionError):
        duet.end(-1)
