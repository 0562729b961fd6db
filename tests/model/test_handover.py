"""Requests go to the heads: as of any tick, streamed or at once, by words or by a box; a saved model still hands over."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from kairos.errors import InputError, ModelError
from kairos.model.follower import Follower
from kairos.model.handover import Seen, handed, look
from kairos.model.loading import load, save
from kairos.model.names import Frames
from kairos.model.words import BOX, BOX_TOKEN, SPECIAL, TRACK_BOX

HEADS = {
    "region": {},
    "temporal": {"video": 64, "width": 16, "heads": 2, "feedforward": 16, "dummies": 3},
    "mask": {"prompt": 64},
}


@pytest.fixture(scope="module")
def headed(tiny):
    torch.manual_seed(0)
    model = copy.deepcopy(tiny)
    model.give_heads(HEADS)
    model.give_follower(Follower())
    for parameter in model.handover.tokens.embeddings.values():  # which begin alike
        parameter.data += 0.2 * torch.randn(parameter.shape)
    model.config.presence_threshold = 0.0
    return model.eval()


def session(model, stream, query="where is the red ring ?", sizes=(40,), **say):
    frames, audio = stream
    opened, at = model.session(), 0
    opened.say(query, **say)
    for n in sizes:
        opened.see(frames[at : at + n], audio[at * 8000 : (at + n) * 8000])
        at += n
    return opened


def test_a_place_is_the_same_streamed_and_at_once(headed, stream):
    whole, pieces = session(headed, stream), session(headed, stream, sizes=(7, 1, 32))
    assert whole.place().box == pytest.approx(pieces.place().box, abs=1e-4)
    assert torch.allclose(whole.prompt(), pieces.prompt(), atol=1e-4)
    saliency, spans = whole.saliency()
    other, spans2 = pieces.saliency()
    np.testing.assert_allclose(saliency, other, atol=1e-3)
    assert spans[0][:2] == spans2[0][:2]


def test_a_place_as_of_a_tick_knows_nothing_of_later_ones(headed, stream):
    whole, part = session(headed, stream), session(headed, stream, sizes=(15,))
    assert whole.place(14).box == pytest.approx(part.place().box, abs=1e-4)
    assert torch.allclose(whole.prompt(14), part.prompt(), atol=1e-4)
    assert whole.place(14).box != pytest.approx(whole.place(39).box, abs=1e-6)


def test_without_a_region_head_the_towers_box_is_the_place(headed, stream):
    model = copy.deepcopy(headed)
    model.give_heads({"mask": {"prompt": 64}})
    asked = session(model, stream)
    _, seen, _ = asked._as_of(None)
    assert asked.place().box == pytest.approx(seen.box[0].tolist())
    assert model.tasks == ("segment",)


def test_boxes_are_ordered_and_inside(headed, stream):
    x1, y1, x2, y2 = session(headed, stream).place(3).box
    assert 0 <= x1 <= x2 <= 1
    assert 0 <= y1 <= y2 <= 1


def test_saliency_shows_ranks_from_0_to_1(headed, stream):
    saliency, spans = session(headed, stream).saliency()
    assert (saliency.min(), saliency.max()) == (0.0, 1.0)
    assert all(0 <= a < b <= 20 for a, b, _ in spans)


def test_what_is_absent_has_no_place(headed, stream):
    model = copy.copy(headed)
    model.config = copy.copy(headed.config)
    model.config.presence_threshold = 1.1
    assert session(model, stream).place() is None
    assert session(model, stream).prompt() is None


def test_a_models_words_decide_the_route(headed, stream, monkeypatch):
    begin, token = SPECIAL.index(BOX), SPECIAL.index(BOX_TOKEN)
    words = type(headed.speech).words

    def saying(self, hidden, frames, weight):
        logp = words(self, hidden, frames, weight)
        logp[..., begin] = 1.0
        return logp

    assert session(headed, stream).route() in (None, "ground", "locate", "segment")
    monkeypatch.setattr(type(headed.speech), "words", saying)
    assert session(headed, stream).route() == "locate"
    assert begin != token


def test_the_heads_own_tokens_matter(headed, stream):
    asked = session(headed, stream)
    ground, seen, _ = asked._as_of(None)
    one, two = (handed(headed, ground, seen, name).state for name in ("region", "mask"))
    assert not torch.allclose(one, two)


def test_who_the_track_points_at_matters(headed, stream):
    asked = session(headed, stream)
    ground, seen, _ = asked._as_of(None)
    other = Seen(seen.state, seen.box * 0.5)
    one, two = (handed(headed, ground, s, "region").state for s in (seen, other))
    assert not torch.allclose(one, two)


def test_look_gives_what_is_pointed_at():
    boxes = torch.rand(1, 3, 4, 4) * 0.2 + 0.3
    frames = Frames(torch.randn(1, 3, 5, 6), torch.rand(1, 3, 4, 2), boxes, torch.rand(1, 3, 4, 1))
    point = torch.full((1, 2, 2, 3, 5), -1e4)
    point[..., 2] = 0.0
    seen = look(point, frames, torch.tensor([[1, 2]]))
    assert torch.allclose(seen.state[0], frames.states[0, [1, 2], 2])
    middle, size = frames.boxes[0, [1, 2], 2].chunk(2, -1)
    assert torch.allclose(seen.box[0], torch.cat([middle - size / 2, middle + size / 2], -1))


def test_a_users_box_is_read(headed, stream):
    query = f"track {TRACK_BOX}"
    assert headed.unknown_words(query) == []
    assert SPECIAL.index(TRACK_BOX) in headed.words(query)
    one, two = (session(headed, stream, query, box=b).prompt() for b in ((0, 0, 0.2, 0.2), (0.5, 0.5, 1, 1)))
    assert not torch.allclose(one, two)


def test_saved_and_loaded_it_hands_over_the_same(headed, stream, tmp_path):
    before = session(headed, stream).place(9)
    save(headed, tmp_path, torch.float32)
    after = session(load(tmp_path), stream).place(9)
    assert after.box == pytest.approx(before.box, abs=1e-5)


def test_a_model_without_heads_says_so(tiny, stream):
    asked = session(tiny, stream)
    assert asked.route() is None
    with pytest.raises(ModelError, match="no temporal head"):
        asked.saliency()
    with pytest.raises(ModelError, match="cannot follow"):
        tiny.follow(box=(0, 0, 1, 1))


@pytest.mark.parametrize("tick", [-1, 40])
def test_a_tick_that_was_not_seen(headed, stream, tick):
    with pytest.raises(InputError, match="has not been seen"):
        session(headed, stream).place(tick)
