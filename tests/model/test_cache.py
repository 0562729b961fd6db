"""Slots hold what a decoder's own cache would, in place."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaModel

from kairos.model.cache import NEVER, Slots


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=0,
    )
    config._attn_implementation = "eager"
    return LlamaModel(config).eval()


def forward(decoder, past, inputs, start, mask=None):
    n = inputs.shape[1]
    if mask is None:
        mask = torch.full((1, 1, n, start + n), NEVER).triu(start + 1)
    position = (start + torch.arange(n)).expand(len(inputs), n)
    with torch.no_grad():
        return decoder(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=position,
            past_key_values=past,
            use_cache=True,
        ).last_hidden_state


def test_in_place_equals_concatenated(decoder):
    inputs = torch.randn(3, 12, 16, generator=torch.Generator().manual_seed(1))
    plain, slots = DynamicCache(), Slots(2, 3, 12, inputs)
    for start, end in ((0, 5), (5, 6), (6, 12)):
        one = forward(decoder, plain, inputs[:, start:end], start)
        other = forward(decoder, slots.at(slice(None), start), inputs[:, start:end], start)
        torch.testing.assert_close(other, one, atol=1e-6, rtol=0)
    for layer, own in zip(plain.layers, slots.layers, strict=True):
        torch.testing.assert_close(own.keys, layer.keys)
        torch.testing.assert_close(own.values, layer.values)


def test_past_keys_stay_where_they_are(decoder):
    slots, inputs = Slots(2, 1, 64, torch.zeros(1)), torch.randn(1, 8, 16)
    forward(decoder, slots.at(slice(None), 0), inputs, 0)
    place = [x.data_ptr() for layer in slots.layers for x in (layer.keys, layer.values)]
    for start in range(8, 64, 8):
        forward(decoder, slots.at(slice(None), start), inputs, start)
    assert place == [x.data_ptr() for layer in slots.layers for x in (layer.keys, layer.values)]
    slots.at(slice(None), 8)
    keys, _ = slots.update(slots.layers[0].keys[:, :, :2], slots.layers[0].values[:, :, :2], 0)
    assert keys.data_ptr() == place[0]
    assert keys.shape == (1, 2, 10, 4)


def test_a_row_alone_leaves_the_others(decoder):
    slots, inputs = Slots(2, 3, 16, torch.zeros(1)), torch.randn(3, 8, 16)
    forward(decoder, slots.at(slice(None), 0), inputs, 0)
    before = [layer.keys.clone() for layer in slots.layers]
    forward(decoder, slots.at(slice(1, 2), 8), inputs[1:2], 8)
    for layer, keys in zip(slots.layers, before, strict=True):
        changed = (layer.keys != keys).any(-1).any(1)
        assert changed[1, 8:].all()
        changed[1, 8:] = False
        assert not changed.any()


def test_more_room_holds_the_same(decoder):
    slots, inputs = Slots(2, 2, 8, torch.zeros(1)), torch.randn(2, 8, 16)
    forward(decoder, slots.at(slice(None), 0), inputs, 0)
    slots.lack(1, 2, 4)
    more = slots.resized(3, 20, 6)
    assert more.absent.shape == (3, 1, 1, 20)
    assert (more.absent[1, 0, 0, 2:4] == NEVER).all()
    assert int((more.absent < 0).sum()) == 2
    assert more.ragged
    for old, new in zip(slots.layers, more.layers, strict=True):
        torch.testing.assert_close(new.keys[:2, :, :6], old.keys[:, :, :6], atol=0, rtol=0)
        assert not new.values[2, :, :6].any()
    assert Slots(2, 0, 8, torch.zeros(1)).resized(1, 8, 0).layers[0].keys is None


def test_picked_slots_are_the_first_and_turned(decoder):
    slots, inputs = Slots(2, 2, 8, torch.zeros(1)), torch.randn(2, 8, 16)
    forward(decoder, slots.at(slice(None), 0), inputs, 0)
    index = torch.tensor([[1, 7], [0, 3]])
    picked = slots.picked(index, torch.tensor([[0.0, 0.0], [NEVER, 0.0]]), lambda keys: -keys)
    for old, new in zip(slots.layers, picked.layers, strict=True):
        for r in range(2):
            assert torch.equal(new.keys[r, :, :2], -old.keys[r][:, index[r]])
            assert torch.equal(new.values[r, :, :2], old.values[r][:, index[r]])
    assert (picked.size, picked.ragged) == (8, True)
