"""The paper's rules for duet samples: where turns stand, which ticks are informative or relevant."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.errors import OptionError, TimelineError
from kairos.timeline import Answer, Moment, Timeline, Turn
from kairos.train import duet
from kairos.train.duet import DuetSample, labels

FPS = (0.33, 0.5, 1.0, 2.0, 3.7, 10.0)
TWO = (Moment(2.0, 6.0, label="a cat sits"), Moment(8.0, 12.0, label="it leaves"))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[list[Moment], float]:
    """Segments of any kind, overlapping, equal, tiny or up to the end, and the video's length."""
    duration = draw(st.floats(1.0, 60.0))
    share = st.floats(0.0, 1.0)
    segments = []
    for k in range(draw(st.integers(1, 7))):
        a, b = sorted((draw(share) * duration, draw(share) * duration))
        if b - a > 1e-3:
            segments.append(Moment(a, b, label=f"event {draw(st.integers(0, k))}"))
    return segments or [Moment(0.0, duration, label="all of it")], duration


ways = st.tuples(st.sampled_from(duet.INSERTIONS), st.sampled_from(duet.INFORMATIVE))


@settings(deadline=None, max_examples=150)
@given(annotated(), ways, st.integers(0, 9))
def test_a_response_stands_in_its_segment_where_the_rule_says(annotation, way, seed) -> None:
    segments, duration = annotation
    sample = duet.caption(segments, duration, rng(seed), insertion=way[0], informative=way[1])
    assert sample.turns[0].role == "user"
    assert sample.turns[0].time == 0.0
    assert sample.turns[0].text in duet.CAPTION_QUERIES
    assert len(sample.responses) == len(segments)  # one each, overlapping or not
    assert sorted(s.span for s in sample.segments) == sorted(s.span for s in segments)
    for turn, segment, (start, end) in zip(
        sample.responses, sample.segments, sample.informative, strict=True
    ):
        share = (turn.time - segment.start) / segment.duration
        assert turn.text == segment.label
        assert share == pytest.approx(1.0) if way[0] == "end" else 0.5 - 1e-9 <= share <= 0.75 + 1e-9
        assert end == turn.time
        assert start == (turn.time if way[1] == "one" else pytest.approx((segment.start + segment.end) / 2))


@settings(deadline=None, max_examples=250)
@given(annotated(), ways, st.integers(0, 9), st.sampled_from(FPS), st.booleans())
def test_labels_on_the_grid_follow_the_rules(annotation, way, seed, fps, question) -> None:
    segments, duration = annotation
    build = duet.magqa if question else lambda _, *rest, **kw: duet.caption(*rest, **kw)
    sample = build("what ?", segments, duration, rng(seed), insertion=way[0], informative=way[1])
    told = labels(sample, fps)
    ticks = max(1, int(duration * fps + 1e-6))
    assert told.informative.shape == (ticks,)
    assert told.relevance is None
    assert not told.informative[: told.asked].any()  # nobody has asked yet
    user, *said = told.turns
    assert (user.role, user.after) == ("user", told.asked)
    if question:
        assert user.after / fps <= sample.turns[0].time + 1e-6
        assert sample.turns[0].time < (user.after + 1) / fps + 1e-6 or user.after == ticks - 1
    stops = [turn.after for turn in said]
    assert stops == sorted(set(stops))  # at most one response a tick
    assert min(stops) > user.after  # something was seen between the question and the first answer
    assert max(stops) <= ticks
    assert {turn.role for turn in said} == {"assistant"}
    texts = " ".join(turn.text for turn in said)
    assert all(segment.label in texts for segment in segments)  # nothing annotated is lost
    on = told.informative
    assert all(on[stop - 1] for stop in stops)  # the tick before a response is always one
    middle = (np.arange(ticks) + 0.5) / fps
    if way[1] == "one":
        assert on.sum() == len(stops)
    for k in np.flatnonzero(on):  # TRUE only where some segment is known by half and not yet told
        near = [s for s in segments if (s.start + s.end) / 2 <= middle[k] + 1e-6 and k / fps <= s.end + 1e-6]
        assert near or k + 1 in stops


@settings(deadline=None, max_examples=100)
@given(st.floats(0, 20), st.floats(0.05, 20), st.sampled_from(FPS), st.integers(0, 99))
def test_one_segment_alone_is_informative_from_half_to_the_response(start, length, fps, seed) -> None:
    duration = start + length + 1.0
    sample = duet.caption([Moment(start, start + length, label="x")], duration, rng(seed))
    told = labels(sample, fps)
    after, time = told.turns[1].after, sample.responses[0].time
    ticks = len(told.informative)
    assert (after - 1) / fps < time <= after / fps + 1e-5 or after == ticks
    middle = (np.arange(ticks) + 0.5) / fps
    wanted = (middle >= start + length / 2) & (np.arange(ticks) < after)
    wanted[after - 1] = True
    assert told.informative.tolist() == wanted.tolist()


def test_labels_by_hand() -> None:
    segment = Moment(2.0, 6.0, label="a cat sits")
    sample = DuetSample(
        "a.mp4",
        8.0,
        "caption",
        (Turn("user", "narrate", 0.0), Turn("assistant", "a cat sits", 4.7)),
        (segment,),
        ((4.0, 4.7),),
    )
    told = labels(sample, 2.0)
    assert np.flatnonzero(told.informative).tolist() == [
        8,
        9,
    ]  # 4 s is half; tick 9 ends at 5 s, the first after 4.7
    assert told.turns == ((0, "user", "narrate"), (10, "assistant", "a cat sits"))
    assert told.asked == 0
    assert np.flatnonzero(labels(sample, 0.5).informative).tolist() == [2]


def test_what_is_said_after_the_last_whole_tick_is_said_at_it() -> None:
    """The last 0.4 s are no tick: question and answer fall into them, and still the last tick lies in between."""
    late = DuetSample(
        "",
        10.4,
        "magqa",
        (Turn("user", "what ?", 10.05), Turn("assistant", "x", 10.3)),
        (Moment(10.1, 10.4, label="x"),),
        ((10.25, 10.3),),
    )
    told = labels(late, 1.0)
    assert told.turns == ((9, "user", "what ?"), (10, "assistant", "x"))
    assert np.flatnonzero(told.informative).tolist() == [9]


def test_the_place_is_random_within_the_bounds_and_from_the_generator_alone() -> None:
    shares = [(duet.caption([TWO[0]], 20.0, rng(k)).responses[0].time - 2.0) / 4.0 for k in range(400)]
    assert 0.5 <= min(shares) < 0.51
    assert 0.74 < max(shares) <= 0.75
    assert np.mean(shares) == pytest.approx(0.625, abs=0.01)
    assert duet.caption(TWO, 20.0, rng(3)) == duet.caption(TWO, 20.0, rng(3))


def test_ablations_differ_in_nothing_else() -> None:
    """The same question at the same share of the way, and the generator in the same state after."""
    states = []
    for insertion in duet.INSERTIONS:
        for informative in duet.INFORMATIVE:
            source = rng(5)
            sample = duet.magqa("what ?", TWO, 20.0, source, insertion=insertion, informative=informative)
            states.append((source.random(), round(sample.turns[0].time / sample.responses[0].time, 9)))
    assert len(set(states)) == 1


def test_overlapping_segments_each_have_a_response_in_order_of_time() -> None:
    inner, outer = Moment(4.0, 6.0, label="inner"), Moment(0.0, 20.0, label="outer")
    sample = duet.caption([outer, inner], 20.0, rng())
    assert [turn.text for turn in sample.responses] == ["inner", "outer"]
    told = labels(sample, 2.0)
    stop = told.turns[1].after
    assert told.informative[10:stop].all()
    assert not told.informative[stop:20].any()  # inner has been told, outer is not yet known by half
    assert told.informative[20]


def test_responses_in_one_tick_wait_for_the_next_or_become_one_turn() -> None:
    def stops(*segments: Moment) -> list[tuple[int, str]]:
        sample = duet.caption(segments, 10.0, rng(), insertion="end", query="narrate")
        return [(turn.after, turn.text) for turn in labels(sample, 1.0).turns[1:]]

    a, b = Moment(1.0, 4.2, label="a"), Moment(1.0, 4.6, label="b")
    assert stops(a, b) == [(5, "a b")]  # both end in tick 4: no tick is left to wait for
    assert stops(a, b.replace(label="a")) == [(5, "a")]
    sample = duet.caption([Moment(0, 8, label="a"), Moment(0, 8, label="b")], 10.0, rng(), query="narrate")
    told = labels(sample, 0.2)  # ticks of five seconds: both are told between four and six
    assert len(told.turns) in (2, 3)
    near = DuetSample(
        "",
        10.0,
        "caption",
        (Turn("user", "q", 0.0), *(Turn("assistant", x, 4.2) for x in "abc")),
        tuple(Moment(0, end, label=x) for x, end in (("a", 5), ("b", 8), ("c", 8))),
        ((4.2, 4.2),) * 3,
    )
    told = labels(near, 1.0)
    assert [(t.after, t.text) for t in told.turns[1:]] == [(5, "a"), (6, "b"), (7, "c")]
    assert np.flatnonzero(told.informative).tolist() == [4, 5, 6]


@settings(deadline=None, max_examples=100)
@given(annotated(), st.integers(0, 99))
def test_a_question_stands_before_its_first_answer(annotation, seed) -> None:
    segments, duration = annotation
    sample = duet.magqa("what ?", segments, duration, rng(seed))
    assert 0.0 <= sample.turns[0].time < sample.responses[0].time
    assert sample.relevance is None  # the paper trains that head on grounding alone


def test_a_question_stands_anywhere_before_its_first_answer() -> None:
    shares = [
        s.turns[0].time / s.responses[0].time
        for s in (duet.magqa("what ?", TWO, 20.0, rng(k)) for k in range(300))
    ]
    assert min(shares) < 0.03
    assert max(shares) > 0.97


def test_what_is_not_mentioned_is_left_out() -> None:
    silent = [Moment(0, 1, label=x) for x in ("Not Mentioned.", "not mentioned", " ", '"Not mentioned"')]
    sample = duet.magqa("what ?", [*silent, *TWO], 20.0, rng())
    assert [turn.text for turn in sample.responses] == ["a cat sits", "it leaves"]
    nothing = duet.magqa("what ?", silent, 20.0, rng())
    assert nothing.responses == ()
    assert nothing.turns[0].time < 10.0
    assert not labels(nothing, 2.0).informative.any()
    assert duet.mentioned("It is not mentioned why.")


def test_answered_segments_may_train_relevance_too() -> None:
    sample = duet.magqa("what ?", TWO, 20.0, rng(2), relevance=True)
    told = labels(sample, 2.0)
    on = np.zeros(40, bool)
    on[4:12] = on[16:24] = True
    on[: told.asked] = False
    assert told.relevance.tolist() == on.tolist()


def test_grounding_is_the_query_first_relevance_and_no_word() -> None:
    sample = duet.ground("the cat", [Moment(1.0, 2.2), Moment(7.6, 7.7)], 9.0)
    assert sample.turns == (Turn("user", "the cat", 0.0),)
    told = labels(sample, 2.0)
    assert told.informative is None
    assert np.flatnonzero(told.relevance).tolist() == [2, 3, 15]  # 7.6 to 7.7 holds no middle: its own tick
    assert labels(duet.ground("a dog", [], 9.0), 2.0).relevance.sum() == 0


@settings(deadline=None, max_examples=80)
@given(annotated(), st.sampled_from(FPS))
def test_every_relevant_span_is_seen_by_a_tick_and_no_other_tick_is(annotation, fps) -> None:
    segments, duration = annotation
    on = labels(duet.ground("x", segments, duration), fps).relevance
    middle = (np.arange(len(on)) + 0.5) / fps
    for s in segments:
        if s.start < len(on) / fps - 0.5 / fps:
            assert on[(middle >= s.start - 1 / fps) & (middle < s.end + 1 / fps)].any()
    for k in np.flatnonzero(on):
        assert any(s.start - 1 / fps <= middle[k] <= s.end + 1 / fps for s in segments)


def test_what_lies_beyond_the_cap_is_discarded() -> None:
    sample = duet.caption(TWO, 20.0, rng(), query="narrate")
    whole, told = labels(sample, 2.0), labels(sample, 2.0, ticks=20)
    assert len(told.informative) == 20
    assert told.informative.tolist() == whole.informative[:20].tolist()
    assert [turn.text for turn in told.turns] == ["narrate", "a cat sits"]
    assert labels(sample, 2.0, ticks=400).turns == whole.turns
    late = duet.magqa("what ?", [Moment(30, 40, label="x")], 40.0, rng(1))
    assert labels(late, 2.0, ticks=3).asked <= 3


def test_segments_are_cut_to_the_video() -> None:
    sample = duet.caption([Moment(-2, 4, label="a"), Moment(9, 99, label="b")], 10.0, rng())
    assert [s.span for s in sample.segments] == [(0, 4), (9, 10)]
    with pytest.raises(TimelineError, match="no segment"):
        duet.caption([Moment(10, 12, label="a")], 10.0, rng())


def timeline() -> Timeline:
    answers = [
        Answer("ground", "the cat sits.", moments=[Moment(2, 6)]),
        Answer("ground", "a dog", abstained=True),
        Answer("caption", text="it purrs", moments=[Moment(6, 7), Moment(15, 16)]),
        Answer("watch", "what does it do ?", moments=[*TWO, Moment(0, 1, label="Not Mentioned.")]),
        Answer("ask", "how many ?", "two", moments=[Moment(2, 6)]),
    ]
    return Timeline([*TWO, *answers], "a.mp4", 20.0)


def test_samples_of_a_timeline() -> None:
    (narrated,) = duet.samples(timeline(), "caption", rng())
    assert [turn.text for turn in narrated.responses] == ["a cat sits", "it purrs", "it leaves", "it purrs"]
    assert (narrated.video, narrated.duration, narrated.kind) == ("a.mp4", 20.0, "caption")
    (asked,) = duet.samples(timeline(), "magqa", rng())
    assert asked.query == "what does it do ?"
    assert len(asked.responses) == 2
    grounded = duet.samples(timeline(), "ground", rng())
    assert len(grounded) == 4
    assert [len(s.relevance) for s in grounded] == [1, 0, 1, 1]
    assert "'the cat sits'" in grounded[0].query or "the cat sits" in grounded[0].query
    assert all("%s" not in s.query for s in grounded)
    assert duet.samples(Timeline(duration=3.0), "caption", rng()) == []


def test_one_label_twice_is_one_query_for_two_moments() -> None:
    twice = Timeline([Moment(0, 1, label="a bark"), Moment(3, 4, label="a bark")], "a", 9.0)
    (sample,) = duet.samples(twice, "ground", rng())
    assert sample.relevance == ((0, 1), (3, 4))


def test_bad_input_is_refused() -> None:
    with pytest.raises(TimelineError, match="length of the video"):
        duet.samples(Timeline(TWO), "caption", rng())
    with pytest.raises(OptionError, match="narrate"):
        duet.samples(timeline(), "narrate", rng())
    with pytest.raises(OptionError, match="insertion"):
        duet.caption(TWO, 20.0, rng(), insertion="start")
    with pytest.raises(OptionError, match="informative"):
        duet.caption(TWO, 20.0, rng(), informative="none")
    with pytest.raises(TimelineError, match="no label"):
        duet.magqa("what ?", [Moment(1, 2)], 20.0, rng())
    sample = duet.caption(TWO, 20.0, rng())
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="fps"):
            labels(sample, fps)
    with pytest.raises(OptionError, match="ticks"):
        labels(sample, 2.0, ticks=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duration": 0.0}, "some length"),
        ({"duration": 10.0}, "not within"),
        ({"kind": "talk"}, "one of"),
        ({"segments": ()}, "cannot belong"),
        ({"informative": ((1.0, 2.0),)}, "one informative span"),
        ({"relevance": ((3.0, 2.0),)}, "reversed"),
        ({"relevance": ((3.0, 21.0),)}, "not within"),
    ],
)
def test_a_sample_that_contradicts_itself_is_refused(change, reason) -> None:
    good = duet.caption(TWO, 20.0, rng(), insertion="end")
    with pytest.raises(TimelineError, match=reason):
        DuetSample(**{**vars(good), **change})
    with pytest.raises(TimelineError, match="order of time"):
        DuetSample(**{**vars(good), "turns": good.turns[::-1]})


def test_samples_are_made_without_torch_pydantic_or_a_decoder() -> None:
    code = (
        "import sys, kairos.train.duet; "
        "print(sorted({'torch', 'av', 'pydantic', 'httpx', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
