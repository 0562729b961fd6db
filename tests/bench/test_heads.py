"""Rows of `kairos bench heads`: what the labels themselves say is perfect, saying nothing is not, and both come from files."""

from __future__ import annotations

import numpy as np
import pytest

from kairos.bench import heads, run
from kairos.errors import OptionError
from kairos.timeline import Answer, Track
from kairos.world import render_split

LABELS = ("locate", "track", "segment", "ground")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    out = tmp_path_factory.mktemp("heads")
    return [
        path
        for shells in (False, True)
        for path in render_split(seed=0, split="composition", count=1, out=out, places=True, shells=shells)
    ]


def items(clips, say):
    found = []
    for path in clips:
        asked, world = heads._asked(path.with_suffix(".timeline.jsonl"))
        found += [heads.Item(path.stem, truth, say(truth, world), world) for truth in asked]
    return found


def perfect(truth, world):
    """What the labels say, and for a shell game a path that ends where the right cup stands."""
    extra = {"route": heads.ROUTES[truth.kind], "seconds": 1.0}
    if truth.moments:
        extra["peaks"] = [truth.best.start, truth.best.end]
    if not world.get("cups"):
        return truth.replace(extra=extra)
    from kairos.world.scene import states_at
    from kairos.world.shells import place_of, sample_shells

    scene, at = sample_shells(world["seed"], world["split"]), truth.extra["at"]
    cups = np.sort(states_at(scene, np.array([at])).x[len(scene.things) :, 0]) * world["size"][0]
    x = cups[place_of(scene, at)]
    box = np.array([[x - 5, 100, x + 5, 110.0]])
    return Answer("ask", "", text=truth.text, track=Track("it", np.array([at]), box), extra=extra)


def silent(truth, world):
    return Answer(truth.kind, truth.query, abstained=True, extra={"route": "ask", "seconds": 1.0})


def values(found):
    measures = {row.name: row.measure("model", found, True) for row in heads.ROWS}
    return {name: m for name, m in measures.items() if m is not None}


def test_the_labels_themselves_pass_every_floor(clips):
    found = values(items(clips, perfect))
    assert {
        "locate, Acc@0.5",
        "track from a first box, success AUC",
        "segment by words, J&F",
        "requests handed to the right head",
        "shell game: the right cup of three",
    } <= set(found)
    assert [name for name, m in found.items() if m.passed is False] == []
    assert found["segment by words, J&F"].value == pytest.approx(1.0)
    assert found["shell game, in words"].value == 1.0
    assert found["highest saliency, HIT@1"].value == 1.0  # a moment holds its start, not its end
    assert found["highest relevance of the query track, HIT@1"].value == 0.0


def test_silence_passes_none_but_refusals(clips):
    found = values(items(clips, silent))
    assert found["what is not there is not located"].value == 1.0
    assert found["segment by words, J&F"].value < 0.2  # where nothing is seen, nothing is right
    assert found["highest saliency, HIT@1"].value == 0.0
    for name in ("locate, Acc@0.5", "shell game: the right cup of three"):
        assert found[name].value == 0.0
        assert found[name].passed is False


def test_only_templates_that_are_held_out_are_asked(clips):
    asked, _ = heads._asked(clips[0].with_suffix(".timeline.jsonl"))
    assert {a.extra.get("templates") for a in asked if a.kind in LABELS} == {"held_out"}
    assert len([a for a in asked if a.kind == "ask"]) == 6


def test_a_hiding_that_ends_in_the_open_counts_once(clips):
    truth = next(i.truth for i in items(clips, perfect) if i.truth.kind == "track" and i.truth.track)
    times = truth.track.times
    start, end = float(times[8]), float(times[24])
    world = {"events": [{"event": "hide", "object": truth.extra["object"], "start": start, "end": end}]}
    given = truth.replace(tags=("box",))
    assert [*heads._again(heads.Item("c", given, given, world))] == [1.0]
    assert [*heads._again(heads.Item("c", given, given.replace(track=None), world))] == [0.0]


def test_a_dry_run_loads_nothing(tmp_path):
    report = run("heads", out=tmp_path, count=3, dry_run=True)
    assert report.facts["clips"] == 3
    assert not [*tmp_path.iterdir()]


def test_ablations_need_models(tmp_path):
    with pytest.raises(OptionError, match="no models here"):
        run("heads", out=tmp_path, ablations=tmp_path, dry_run=True)


class Asked:
    """A model with some heads that answers nothing; it remembers what it was asked."""

    name = "asked"

    def __init__(self, *tasks):
        self.tasks, self.said = tasks, []

    def unknown_words(self, text):
        self.said.append(text)
        return ["all"]

    def session(self):
        return self

    config = None

    def say(self, query, box=None):
        pass

    def route(self):
        return None


def test_a_study_asks_what_the_heads_are_for(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("kairos.tasks.stream.watch", lambda *a, **k: None)
    model = Asked("ground")
    found = heads._said(model, "hash", clips[:1], tmp_path, lambda *a: None, study=True)
    assert {item.truth.kind for item in found} == {"ground", "ask"}
    whole = heads._said(Asked(), "other", clips[:1], tmp_path, lambda *a: None)
    assert {item.truth.kind for item in whole} == {*LABELS, "ask"}
