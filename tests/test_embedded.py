"""The model that ships: it keeps every rule of a session, and does the main job on files that it has never seen."""

from __future__ import annotations

import numpy as np
import pytest
from session_rules import SessionRules

import kairos
from kairos.model.loading import embedded_path
from kairos.tasks.stream import watch
from kairos.timeline import Timeline
from kairos.world import render_split
from kairos.world.raster import render
from kairos.world.sampling import sample_scene

pytestmark = pytest.mark.skipif(
    not (embedded_path() / "config.json").is_file(), reason="the package holds no weights"
)


@pytest.fixture(scope="module")
def embedded():
    return kairos.load()


class TestEmbedded(SessionRules):
    known, absent = "the red circle moves left", "a beep is heard"

    @pytest.fixture
    def model(self, embedded):
        return embedded

    def pictures(self, model):
        scene = sample_scene(3, "test")
        return render([scene], [np.arange(20) / 2 + 0.25]).images.numpy()


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return render_split(seed=77, split="test", count=4, out=tmp_path_factory.mktemp("clips"))


def test_it_grounds_and_answers_from_files(embedded, clips):
    hits, right, told = [], [], []
    for path in clips:
        session = embedded.session()
        with kairos.open(path) as video:
            watch(session, video, config=embedded.config)
        for label in (
            Timeline.from_jsonl(path.with_suffix(".timeline.jsonl")).filter(kind=("ground", "ask")).answers
        ):
            session.say(label.query)
            if label.kind == "ask":
                right.append(session.reply().text == label.text)
            elif label.moments and "something" not in label.tags:
                start, end, _ = session.spans(top=1)[0]
                hits.append(max(kairos.Moment(start, end).iou(m) for m in label.moments) >= 0.5)
            told.append((session.presence > 0.5) == bool(label.moments))
    assert np.mean(hits) > 0.65
    assert np.mean(right) > 0.5
    assert np.mean(told) > 0.7


def test_ask_agrees_with_ground_and_cites_its_moments(embedded, clips):
    labels = Timeline.from_jsonl(clips[0].with_suffix(".timeline.jsonl")).filter(kind="ground").answers
    for label in [x for x in labels if x.moments][:2]:
        found, asked = embedded.ground(clips[0], label.query), embedded.ask(clips[0], label.query)
        assert list(found.moments) == sorted(found.moments, key=lambda m: -m.score)
        if not (asked.abstained or found.abstained):
            assert asked.moments == found.moments


def test_words_never_seen_are_named(embedded, clips):
    answer = embedded.ask(clips[0], "when does the zebra juggle ?")
    assert answer.unknown_words == ("zebra", "juggle")
    assert answer.abstained
    assert not answer.moments
    assert "--model" in answer.text


def test_the_weights_are_small_shards():
    files = [f for f in embedded_path().iterdir() if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 32 * 2**20
    assert all(f.stat().st_size <= 16 * 2**20 for f in files)
    assert not [f for f in files if f.suffix in (".bin", ".pt", ".pkl")]
