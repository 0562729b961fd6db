"""What every score keeps to, whatever is said: a value in its range, the same for copies and for any order, nothing changed."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from kairos import Answer, Curve, MaskTrack, Moment, Timeline, Track
from kairos.score import (
    AbstentionScore,
    AnswerScore,
    DuetScore,
    HighlightScore,
    MaskScore,
    MomentScore,
    OnlineScore,
    Score,
    SpanScore,
    TrackScore,
)
from kairos.timeline.rle import Rle

WORDS = ("red", "blue", "a dog barks", "")


def judge(pred, gold, question):
    return 5.0 if pred == gold else 2.0


SCORES = {
    "spans": SpanScore(),
    "moments": MomentScore(),
    "highlights": HighlightScore(positive=0.5),
    "answers": AnswerScore(("count", "yes_no")),
    "abstention": AbstentionScore(),
    "online": OnlineScore(),
    "duet": DuetScore(judge),
    "tracks": TrackScore(),
    "masks": MaskScore(),
    "masks without ends": MaskScore(ends=False),
}
RATINGS = ("in_span", "in_span_once")
COUNTS = ("turns", "turns_once", "false_turns", "responses_per_event")
SECONDS = ("delay_s", "told_delay_s")
SAID_AGAIN = ("in_span", "turns", "false_turns", "responses_per_event", "repeats", "outside")
"""How often something was said is what these measure; `in_span` is the paper's, `in_span_once` is without copies."""


def timeline(draw: random.Random) -> Timeline:
    """Answers to the same queries, and tracks of the same labels, as chance has them."""
    records = []
    for k in range(6):
        moments = tuple(moment(draw) for _ in range(draw.randrange(4)))
        records.append(Answer("ground", f"g{k}", moments=moments, confidence=draw.random()))
        turns = tuple(replace(moment(draw), label=draw.choice(WORDS[:3])) for _ in range(draw.randrange(4)))
        records.append(Answer("watch", f"w{k}", moments=turns))
        kind = draw.choice(["count", "yes_no", "absent"])
        records.append(
            Answer("ask", f"a{k}", text=draw.choice(WORDS), abstained=draw.random() < 0.3, tags=(kind,))
        )
        curve = Curve("relevance", np.arange(5) * 2.0 + 1.0, [draw.random() for _ in range(5)])
        records.append(Answer("highlight", f"h{k}", curve=curve, duration=10.0))
    for k in range(2):
        corner = np.array([[draw.uniform(0, 20), draw.uniform(0, 20)] for _ in range(4)])
        records.append(Track(f"t{k}", np.arange(4.0), np.hstack([corner, corner + draw.uniform(0, 20)])))
        masks = [
            Rle.encode(np.array([[draw.random() < 0.5 for _ in range(6)] for _ in range(5)]))
            for _ in range(4)
        ]
        records.append(MaskTrack(f"m{k}", (5, 6), np.arange(4.0), tuple(masks)))
    return Timeline(records, duration=10.0)


def moment(draw: random.Random) -> Moment:
    start, length = draw.uniform(0, 8), draw.uniform(0, 2)
    return Moment(
        start, start + length, draw.choice([0.2, 0.5, 0.9]), extra={"fired_at": draw.uniform(0, 10)}
    )


def copied(given: Timeline, draw: random.Random) -> Timeline:
    """The same answers in another order, some of their moments and some of the records twice."""
    records = []
    for record in given:
        if isinstance(record, Answer):
            twice = [*record.moments, *(m for m in record.moments if draw.random() < 0.5)]
            draw.shuffle(twice)
            record = replace(record, moments=tuple(twice))
        records += [record] * draw.choice([1, 2])
    draw.shuffle(records)
    return Timeline(records, duration=given.duration)


@pytest.fixture(params=range(8))
def both(request):
    draw = random.Random(request.param)
    return timeline(draw), timeline(draw), draw


@pytest.mark.parametrize("name", SCORES)
def test_values_lie_in_their_range(name, both):
    pred, ref, _ = both
    assert isinstance(SCORES[name], Score)
    found = SCORES[name].score(pred, ref)
    assert found, "these timelines hold something for every score"
    for key, value in found.items():
        assert type(value) is float
        assert math.isfinite(value), key
        if key in RATINGS:
            assert 1.0 <= value <= 5.0, key
        elif key in COUNTS:
            assert value >= 0.0, key
        elif key not in SECONDS:
            assert 0.0 <= value <= 1.0, key


@pytest.mark.parametrize("name", SCORES)
def test_copies_and_order_change_nothing(name, both):
    pred, ref, draw = both
    before = list(pred), list(ref)
    found = SCORES[name].score(pred, ref)
    again = SCORES[name].score(copied(pred, draw), ref)
    kept = {key: value for key, value in found.items() if key not in SAID_AGAIN}
    assert {key: again[key] for key in kept} == pytest.approx(kept, abs=1e-12)
    assert (list(pred), list(ref)) == before


@pytest.mark.parametrize("name", SCORES)
def test_nothing_is_better_than_the_truth(name, both):
    pred, ref, _ = both
    truth, found = SCORES[name].score(ref, ref), SCORES[name].score(pred, ref)
    for key in found.keys() & truth.keys() - {*SECONDS, *COUNTS, "repeats", "outside", "auc"}:
        if key == "false_fire":
            assert truth[key] == 0.0
        elif key not in ("precision", "recall"):
            assert truth[key] >= found[key] - 1e-12, key


@pytest.mark.parametrize("name", SCORES)
def test_saying_nothing_is_no_error(name, both):
    _, ref, _ = both
    assert all(math.isfinite(value) for value in SCORES[name].score(Timeline(()), ref).values())
    assert SCORES[name].score(ref, Timeline(())) == {}
