"""A follower behind plain arrays gives what it gives by itself, however the pictures are cut into chunks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from kairos.errors import InputError, OptionError
from kairos.model.follower import Follower
from kairos.model.pursuit import Pursuit

BOX = (0.2, 0.3, 0.6, 0.7)


@pytest.fixture(scope="module")
def follower():
    torch.manual_seed(0)
    return Follower(
        size=32, width=16, heads=2, layers=1, memories=2, pointers=3, stem=(4, 8), middle=8, fine=4
    ).eval()


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)


def seen(follower, frames, chunks, **begin):
    pursuit, at, sights = Pursuit(follower, **begin), 0, []
    for count in chunks:
        sights += pursuit.see(frames[at : at + count])
        at += count
    return sights


def test_it_is_the_follower(follower, frames):
    with torch.inference_mode():
        whole = follower(torch.from_numpy(frames)[None], torch.tensor([BOX]))
    for k, sight in enumerate(seen(follower, frames, (9,), box=BOX)):
        assert sight.box == pytest.approx(whole.boxes[0, k].clamp(0, 1).tolist(), abs=1e-5)
        assert sight.visible == pytest.approx(float(whole.visible[0, k].sigmoid()), abs=1e-5)
        assert sight.mask == pytest.approx(whole.masks[0, k].numpy(), abs=1e-4)


@pytest.mark.parametrize("chunks", [(1,) * 9, (4, 1, 4)])
def test_chunks_change_nothing(follower, frames, chunks):
    for one, two in zip(
        seen(follower, frames, (9,), box=BOX), seen(follower, frames, chunks, box=BOX), strict=True
    ):
        assert one.box == pytest.approx(two.box, abs=1e-5)
        assert one.mask == pytest.approx(two.mask, abs=1e-4)


class Elsewhere(torch.nn.Module):
    """Is on a device of its own, which it tells of what it is given."""

    size = 32

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))
        self.given = []

    def prompt(self, boxes):
        self.given.append(boxes.device.type)
        return torch.zeros(1, 3, 4, device="meta")

    def features(self, frames):
        self.given.append(frames.device.type)
        return frames[:0]


def test_what_it_gives_to_the_follower_is_where_the_follower_is(frames):
    follower = Elsewhere()
    assert Pursuit(follower, box=BOX).see(frames) == []
    assert follower.given == ["meta", "meta"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_sees_the_same(follower, frames):
    there = copy.deepcopy(follower).to("cuda")
    for one, two in zip(
        seen(follower, frames, (9,), box=BOX), seen(there, frames, (9,), box=BOX), strict=True
    ):
        assert one.box == pytest.approx(two.box, abs=1e-2)
        assert one.mask == pytest.approx(two.mask, abs=0.1)


def test_a_prompt_takes_the_boxs_place(follower, frames):
    with torch.inference_mode():
        prompt = follower.prompt(torch.tensor([BOX]))
    one, two = seen(follower, frames, (3,), box=BOX), seen(follower, frames, (3,), prompt=prompt)
    assert [sight.box for sight in one] == [sight.box for sight in two]


def test_what_is_refused(follower, frames):
    with pytest.raises(OptionError, match="no area"):
        Pursuit(follower, box=(0.5, 0.5, 0.5, 0.9))
    with pytest.raises(OptionError, match="either a box or a prompt"):
        Pursuit(follower)
    with pytest.raises(InputError, match="pictures are uint8"):
        Pursuit(follower, box=BOX).see(frames[:, :16])
