"""The real model watches a real file: what comes out is what its duet says, tick by tick, of the same ticks."""

from __future__ import annotations

import numpy as np
import pytest
from painted import write_clip

import kairos
from kairos.model.trigger import Trigger
from kairos.tasks.stream import CHUNK_TICKS

ASKED = "tell me whenever something moves left"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Nine seconds: more than a chunk."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, [(1.0, 3.0, "red"), (4.0, 5.0, "green"), (7.0, 8.0, "blue")], 9.0)


@pytest.mark.parametrize("options", [{}, {"heads": "context", "keep_replies": True}])
def test_a_watch_is_its_duet(tiny, clip, options):
    trigger = Trigger(threshold=0.0, interval_s=2.0)
    watch = tiny.watch(clip, ASKED, trigger=trigger, **options)
    turns = list(watch)
    duet = tiny.duet(trigger=trigger, **options)
    duet.say(ASKED)
    with kairos.open(clip) as video:
        sound = video.audio(0.0, 9.0, 16000)
        frames = np.stack([frame.image for frame in video.sample(2.0, size=64, phase=0.5)])
    said = [
        turn
        for start in range(0, len(frames), CHUNK_TICKS)
        for turn in duet.see(
            frames[start : start + CHUNK_TICKS], sound[start * 8000 : (start + CHUNK_TICKS) * 8000]
        )
    ]
    assert [turn.time for turn in turns] == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert [(turn.time, turn.text, turn.confidence) for turn in turns] == [
        (s.time, s.text, s.confidence) for s in said
    ]
    (answer,) = watch.answers()
    np.testing.assert_array_equal(answer.curve.values, duet.scores(0).relevance)


def test_words_that_the_model_does_not_know(tiny, clip):
    (turn,) = tiny.watch(clip, "the dragon")
    assert '"dragon"' in turn.text


def test_captions_live(tiny, clip):
    answer = tiny.caption(clip, live=True)
    assert answer.kind == "caption"
    assert len(answer.curve) == 18
