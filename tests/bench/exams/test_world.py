"""The shipped model sits exams about clips of its own world, through files alone."""

from __future__ import annotations

import pytest

from kairos.model.loading import embedded_path
from kairos.timeline import Timeline
from kairos.world import render_split

CLIPS = 1

pytestmark = pytest.mark.skipif(
    not (embedded_path() / "config.json").is_file(), reason="the package holds no weights"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Clips with their labels, by name."""
    folder = tmp_path_factory.mktemp("world")
    paths = render_split(seed=0, split="test", count=CLIPS, out=folder)
    return folder, {path.stem: Timeline.from_jsonl(path.with_suffix(".timeline.jsonl")) for path in paths}


def test_sentences_are_grounded(world, sit, write):
    folder, labels = world
    lines = [
        f"{name} {answer.moments[0].start} {answer.moments[0].end}##{answer.query}"
        for name, timeline in labels.items()
        for answer in timeline.answers
        if answer.kind == "ground" and len(answer.moments) == 1
    ]
    report, items = sit("charades", write("world.txt", "\n".join(lines)), videos=folder, model="embedded")
    assert report.find("R1@0.5", "strict").value > 0.6
    assert len(items) == len(lines) > 5
    assert not any(item["unknown_words"] for item in items.values())


def test_what_happens_is_told(world, sit, write):
    folder, labels = world
    told = {}
    for name, timeline in labels.items():
        events = [answer for answer in timeline.answers if answer.kind == "caption"]
        told[name] = {
            "duration": timeline.duration,
            "timestamps": [list(event.moments[0].span) for event in events],
            "sentences": [event.text for event in events],
        }
    report, _ = sit("dense-captions", write("world.json", told), videos=folder, model="embedded")
    assert report.find("F1", "strict").value > 0.3
