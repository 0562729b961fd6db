"""The quick forward gives the numbers of `transformers`, and knows what it cannot do."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModel

from kairos.model.cache import NEVER, Slots
from kairos.model.llama import SlotLlama

YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 32}


def decoder_of(**sizes):
    config = {
        "model_type": "llama",
        "vocab_size": 20,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "pad_token_id": 0,
    } | sizes
    decoder = AutoModel.from_config(AutoConfig.for_model(**config), attn_implementation="eager")
    generator = torch.Generator().manual_seed(5)
    for parameter in decoder.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return decoder.eval()


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"num_key_value_heads": 2},
        {"num_key_value_heads": 1, "head_dim": 8},
        {"attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"},
        {"rope_parameters": YARN, "rms_norm_eps": 1e-2},
    ],
    ids=["plain", "grouped", "wide", "biased", "scaled"],
)
@torch.inference_mode()
def test_it_equals_transformers(sizes):
    decoder = decoder_of(**sizes)
    quick, inputs = SlotLlama(decoder), torch.randn(3, 30, 16, generator=torch.Generator().manual_seed(2))
    one, other = Slots(2, 3, 40, inputs), Slots(2, 3, 40, inputs)
    one.lack(1, 2, 6), other.lack(1, 2, 6)
    for start, end, rows in (
        (0, 7, slice(None)),
        (7, 8, slice(None)),
        (8, 20, slice(None)),
        (20, 24, slice(1, 2)),
    ):
        x, n = inputs[rows, start:end], end - start
        position = start + torch.arange(n)[None]
        mask = torch.full((n, end), NEVER).triu(start + 1) + one.absent[rows, ..., :end]
        expected = decoder(
            inputs_embeds=x,
            attention_mask=mask,
            position_ids=position,
            past_key_values=one.at(rows, start),
            use_cache=True,
        ).last_hidden_state
        found = quick(x, position, other.at(rows, start))
        if start == 0:  # what a row lacks counts for those after it
            expected, found = expected[[0, 2]], found[[0, 2]]
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
        for a, b in zip(one.layers, other.layers, strict=True):  # from here on they hold the very same
            b.keys.copy_(a.keys), b.values.copy_(a.values)


@pytest.mark.parametrize("heads", [4, 2])
@torch.inference_mode()
def test_a_mask_is_all_that_counts_where_it_is_given(heads):
    decoder = decoder_of(num_key_value_heads=heads)
    quick, inputs = SlotLlama(decoder), torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(2))
    one, other = Slots(2, 2, 9, inputs), Slots(2, 2, 9, inputs)
    quick(inputs[:, :5], torch.arange(5)[None], one.at(slice(None), 0))
    quick(inputs[:, :5], torch.arange(5)[None], other.at(slice(None), 0))
    mask = NEVER * (torch.rand(2, 1, 4, 9, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    position = torch.tensor([[5, 5, 6, 8], [4, 4, 4, 5]])
    expected = decoder(
        inputs_embeds=inputs[:, 5:],
        attention_mask=mask,
        position_ids=position,
        past_key_values=one.at(slice(None), 5),
        use_cache=True,
    ).last_hidden_state
    found = quick(inputs[:, 5:], position, other.at(slice(None), 5), mask)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_what_does_not_fit_is_left_to_transformers(monkeypatch):
    assert SlotLlama.fits(decoder_of())
    assert not SlotLlama.fits(decoder_of(model_type="qwen2"))
    assert not SlotLlama.fits(decoder_of().to(torch.bfloat16))
    wrapped = decoder_of()
    wrapped.layers[1].mlp.up_proj = torch.nn.Sequential(wrapped.layers[1].mlp.up_proj)
    assert not SlotLlama.fits(wrapped)
    monkeypatch.setattr("kairos.model.llama._MOST", 1000)
    assert not SlotLlama.fits(decoder_of())


@torch.no_grad()
def test_weights_that_change_are_joined_anew():
    decoder = decoder_of()
    quick = SlotLlama.of(decoder)
    assert SlotLlama.of(decoder) is quick
    decoder.layers[0].self_attn.k_proj.weight.mul_(2.0)
    assert SlotLlama.of(decoder) is not quick
    assert SlotLlama.of(decoder_of(model_type="qwen2")) is None
