"""The heads' stages: who learns in each, what a request is taught as, and that what comes out can be asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import kairos
from kairos.model.kairos import count_parameters
from kairos.model.spelled import LAST, numbers
from kairos.model.words import BOX, BOX_TOKEN, SPECIAL, TRACK_BOX
from kairos.train.objectives import QueryLoss
from kairos.train.pool import Pool
from kairos.train.queries import END_ID, HEADED, Counts, QueryBatches, Targets
from kairos.train.recipe import Following, Heads, Optimiser
from kairos.train.run import _groups, run
from kairos.world.places import requests
from kairos.world.sampling import sample_scene

FEW = Optimiser(steps=2, warmup=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from tiny import TINY

    from kairos.train.recipe import Dialogue, Grounding, Language, Perception, Recipe
    from kairos.train.recipe import Pool as PoolSettings

    out = tmp_path_factory.mktemp("run")
    few = dataclasses.replace(FEW, steps=1)
    recipe = Recipe(
        threads=1,
        loaders=0,
        calibration=1,
        model=TINY,
        perception=Perception(optimiser=few, scenes=2, moments=2),
        pool=PoolSettings(clips=4, shard=4, workers=0),
        following=Following(optimiser=few, clips=1, objects=1, frames=2),
        grounding=Grounding(optimiser=few, clips=2, queries=2),
        language=Language(optimiser=few, clips=2, queries=1, questions=1, captions=1),
        dialogue=Dialogue(optimiser=few, clips=2, queries=1, questions=1, captions=1, standing=1),
        heads=Heads(
            assign=FEW,
            tune=FEW,
            joint=FEW,
            settle=FEW,
            moments=FEW,
            clips=2,
            queries=1,
            questions=1,
            standing=1,
        ),
    )
    return out, run(recipe, out)


def changed(out, one, two):
    a, b = (load_file(out / stage / "done.safetensors") for stage in (one, two))
    return {key for key in a.keys() & b.keys() if not torch.equal(a[key], b[key])}


def test_each_stage_teaches_its_own(trained):
    out, _ = trained
    assert all(".handover." in key for key in changed(out, "assign", "tune"))
    assert any(".handover.tokens.heads.region" in key for key in changed(out, "assign", "tune"))
    joint = changed(out, "tune", "joint")
    assert any(".query_track." in key for key in joint)
    assert any(".speech.decoder" in key for key in joint)
    assert not [key for key in joint if key.startswith(("model.vision.", "model.audio.", "model.follower."))]
    assert all(".handover." in key for key in changed(out, "joint", "settle"))
    assert all(".heads.temporal." in key for key in changed(out, "settle", "moments"))
    assert changed(out, "settle", "moments")


def test_the_plan_names_them(trained):
    _, result = trained
    names = [stage["name"] for stage in result["stages"]]
    assert names[2] == "following"
    assert names[-5:] == ["assign", "tune", "joint", "settle", "moments"]
    assert result["parameters"] == count_parameters(kairos.load(result["model"]))


def test_what_was_trained_can_be_asked(trained):
    _, result = trained
    model = kairos.load(result["model"])
    model.config.presence_threshold = 0.0
    session = model.session()
    session.see(np.zeros((4, 64, 64, 3), np.uint8))
    session.say("where is the red ring ?")
    box = session.place().box
    sights = model.follow(box=(0.1, 0.1, 0.5, 0.5)).see(np.zeros((3, 64, 64, 3), np.uint8))
    assert len(box) == 4
    assert len(sights) == 3


def test_a_request_is_answered_with_its_heads_tokens():
    scene = sample_scene(3)
    times = (np.arange(int(scene.duration * 2)) + 0.5) / 2
    words = {}

    def ids(text):
        return [words.setdefault(w, 20 + len(words)) for w in text.split() if w != TRACK_BOX]

    asked = requests(scene, np.random.default_rng(0), 12, 4, 0, 4, times=times)
    targets = Targets(1, len(asked), len(times), 2.0)
    slots = np.tile(np.arange(5), (len(times), 1))
    slots[slots >= len(scene.things)] = -1
    for q, request in enumerate(asked):
        targets.place(0, q, scene, request, ids, slots, len(times), np.random.default_rng(q))
    pair = [SPECIAL.index(BOX), SPECIAL.index(BOX_TOKEN), END_ID]
    for q, request in enumerate(asked):
        if request.task == "locate":
            assert targets.answer[0, q, :3].tolist() == pair
            assert targets.head[0, q] == HEADED.index("region")
            assert targets.length[0, q] == int(request.at * 2) + 1
            assert bool(targets.boxed[0, q]) == request.present
            if request.present:
                assert targets.box[0, q] == pytest.approx(request.box, abs=1e-6)
        if request.task == "ground" and request.present:
            assert targets.window[0, q, 0].tolist() == pytest.approx(request.moments[0], abs=1e-4)
        if "box" in request.tags:
            assert targets.given[0, q] == pytest.approx(request.box, abs=1e-6)
            assert targets.asked[0, q] == 0
    assert {r.task for r in asked} == {"locate", "track", "ground"}


def test_transformers_learn_no_faster_than_they_can(trained):
    out, _ = trained
    model = kairos.load(out / "model")
    loss = QueryLoss(model)
    groups = _groups(loss, 3e-3, 8e-4)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    of = dict(loss.named_parameters())
    assert {rate[id(p)] for name, p in of.items() if ".heads.temporal." in name} == {8e-4}
    assert {rate[id(p)] for name, p in of.items() if ".heads.region." in name} == {3e-3}
    assert len(rate) == sum(p.requires_grad for p in of.values())


@pytest.fixture(scope="module")
def batches(trained):
    out, _ = trained
    model = kairos.load(out / "model")

    def batch(heads):
        counts = Counts(4, place=6)
        of = QueryBatches(Pool(out / "pool", 1), model.words, 2.0, 5, 3, counts, 0.0, 0, 1, heads=heads)
        return of.batch(0), model

    return batch


def test_requests_are_for_the_heads_that_are_there(batches):
    batch, _ = batches({"mask": False})
    asked = batch["head"][batch["head"] >= 0]
    assert set(asked.tolist()) == {HEADED.index("mask")}
    assert not batch["said"][:, :4].any()  # a sentence of what happens is no request without its head


def test_a_sentence_teaches_the_temporal_head_and_is_not_handed_over(batches):
    batch, _ = batches(dict.fromkeys(HEADED, False))
    there = batch["query"][:, :4, 0] > 0
    assert (batch["head"][:, :4][there] == HEADED.index("temporal")).all()
    assert torch.equal(batch["unasked"][:, :4] > 0, there)
    assert not batch["unasked"][:, 4:].any()
    shown = batch["relevance"][:, :4].any(-1)
    assert torch.equal(batch["window"][:, :4, 0, 1] > 0, shown)
    for row, window in zip(batch["relevance"][:, :4][shown], batch["window"][:, :4][shown], strict=True):
        middle = (torch.arange(len(row)) + 0.5) / 2
        inside = ((middle[:, None] >= window[:, 0]) & (middle[:, None] < window[:, 1])).any(1)
        assert torch.equal(inside, row > 0)


def test_answers_are_spelled_where_there_is_no_head(batches):
    batch, model = batches(dict.fromkeys(HEADED, True))
    rows = (batch["head"] >= 0).nonzero().tolist()
    told = {HEADED.index(name): 0 for name in HEADED}
    for b, q in rows:
        ids = batch["answer"][b, q].tolist()
        words = model.tokenizer.decode(ids[2 : ids.index(END_ID)])
        if batch["head"][b, q] == HEADED.index("temporal"):
            start, end = batch["window"][b, q, 0].tolist()
            if end < 0:
                assert words == ""
            else:
                assert numbers(words, 2) == [round(2 * start), round(2 * end)]
        elif batch["boxed"][b, q]:
            assert np.array(numbers(words, 4)) / LAST == pytest.approx(batch["box"][b, q].numpy(), abs=0.011)
        told[int(batch["head"][b, q])] += words != ""
    assert all(told.values())
