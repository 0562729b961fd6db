"""A model with task heads and a follower keeps the rules that locate, track and segment rely on."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from place_rules import PlaceRules
from session_rules import TICKS

from kairos.errors import InputError, ModelError
from kairos.model.follower import Follower


@pytest.fixture(scope="module")
def placed(tiny):
    torch.manual_seed(0)
    model = copy.deepcopy(tiny)
    model.give_heads({"region": {}, "mask": {"prompt": 16}})
    model.follower = Follower(
        size=64, width=16, heads=2, layers=1, memories=2, pointers=3, stem=(4, 8), middle=8, fine=4
    )
    model.config.presence_threshold = 0.0  # a model of random weights is sure of nothing
    return model.eval()


class TestTinyModel(PlaceRules):
    named = "the red circle"

    @pytest.fixture
    def model(self, placed):
        return placed

    def pictures(self, model, count=TICKS):
        blocks = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
        return blocks.repeat(8, 1).repeat(8, 2)

    def test_it_has_a_place_and_a_prompt_to_be_judged(self, model):
        session = self.shown(model)
        assert session.place() is not None
        assert session.prompt().shape == (1, 3, 16)


def test_a_model_without_heads_says_so(tiny):
    session = tiny.session()
    session.say("the red circle")
    session.see(np.zeros((2, 64, 64, 3), np.uint8), None)
    assert session.route() is None
    with pytest.raises(ModelError, match="cannot follow"):
        tiny.follow(box=(0.1, 0.1, 0.5, 0.5))


def test_cups_are_counted_once_from_left_to_right(tiny):
    session = tiny.session()
    session.see(np.zeros((2, 64, 64, 3), np.uint8), None)
    slots = session._frames[0].cups.shape[2]
    boxes, cups = torch.zeros(1, 2, slots, 4), torch.zeros(1, 2, slots, 1)
    seen = [
        (0.8, 0.9),
        (0.5, 0.7),
        (0.53, 0.6),
        (0.2, 0.55),
        (0.3, 0.45),
    ]  # two slots on one cup, and one that is none
    for slot, (x, likely) in enumerate(seen):
        boxes[0, 1, slot] = torch.tensor([x, 0.5, 0.2, 0.3])
        cups[0, 1, slot] = likely
    session._frames = [dataclasses.replace(session._frames[0], boxes=boxes, cups=cups)]
    found = session.cups()
    assert [(x1 + x2) / 2 for x1, _, x2, _ in found] == pytest.approx([0.2, 0.5, 0.8])
    assert found[0] == pytest.approx((0.1, 0.35, 0.3, 0.65))
    assert session.cups(0) == []
    with pytest.raises(InputError, match="has not been seen"):
        session.cups(2)
