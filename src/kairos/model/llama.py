"""Llama's forward over slots (`cache.py`) on a CPU, in few operations: the same numbers as `transformers`' up to rounding.

Ticks are small, so what a forward costs besides its products counts. Here projections of one input are one product, and a
chunk attends in two parts that are then weighed: to what was there before, where no mask is needed but for rows that lack
something, and causally to itself. A mask as wide as everything seen is never made.

Shapes: R rows, n new tokens, N slots, H heads, G key heads, K head width, E width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaModel

from kairos.model.cache import Slots

_MOST = 2**26  # weights that may be there twice, apart and joined

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


@dataclass
class _Layer:
    before: Tensor
    projections: tuple[Tensor, Tensor | None]
    out: tuple[Tensor, Tensor | None]
    after: Tensor
    gates: tuple[Tensor, Tensor | None]
    down: tuple[Tensor, Tensor | None]


class SlotLlama:
    """A Llama of float32 weights on a CPU. What it joins it copies, so weights that change later are not seen: see `of`."""

    def __init__(self, decoder: Any) -> None:
        config = decoder.config
        attention = decoder.layers[0].self_attn
        self.width, self.eps = config.hidden_size, config.rms_norm_eps
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_width, self.scale = attention.head_dim, attention.scaling
        self.act = decoder.layers[0].mlp.act_fn
        self.rotary, self.norm = decoder.rotary_emb, decoder.norm.weight
        self.sign = torch.ones(self.head_width)
        self.sign[: self.head_width // 2] = -1.0
        self.layers = [
            _Layer(
                layer.input_layernorm.weight,
                _joined(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                _joined(layer.self_attn.o_proj),
                layer.post_attention_layernorm.weight,
                _joined(layer.mlp.gate_proj, layer.mlp.up_proj),
                _joined(layer.mlp.down_proj),
            )
            for layer in decoder.layers
        ]

    @classmethod
    def of(cls, decoder: nn.Module) -> SlotLlama | None:
        """The same one for the same weights; None where the decoder does not fit."""
        if not cls.fits(decoder):
            return None
        weights = [(w.data_ptr(), w._version) for w in decoder.parameters()]
        known = _KNOWN.get(decoder)
        if known is None or known[0] != weights:
            known = _KNOWN[decoder] = weights, cls(decoder)
        return known[1]

    @staticmethod
    def fits(decoder: nn.Module) -> bool:
        """Whether the decoder is of this kind: nothing wrapped, quantised, elsewhere or too large to be there twice."""
        weights = list(decoder.parameters())
        return (
            type(decoder) is LlamaModel
            and all(type(m) is nn.Linear for name, m in decoder.named_modules() if name.endswith("_proj"))
            and all(w.dtype == torch.float32 and w.device.type == "cpu" for w in weights)
            and sum(w.numel() for w in weights) <= _MOST
        )

    def __call__(self, inputs: Tensor, position: Tensor, slots: Slots, mask: Tensor | None = None) -> Tensor:
        """Decoder states of inputs (R, n, E) at positions (R or 1, n), of the rows and in the slots that `slots` is at.

        They see what their row has and one another causally, or what an additive mask (R, 1, n, N) says.
        """
        r, n, _ = inputs.shape
        start, absent = slots.place.start, slots.absent[slots.place.rows, ..., : slots.place.start]
        lacking = absent if slots.ragged else None
        cos, sin = (x[:, None] for x in self.rotary(inputs, position_ids=position))
        sin = sin * self.sign
        x, h, g = inputs, self.heads, self.key_heads
        for i, layer in enumerate(self.layers):
            y = F.linear(F.rms_norm(x, (self.width,), layer.before, self.eps), *layer.projections)
            y = y.view(r, n, h + 2 * g, self.head_width).transpose(1, 2)
            turning = y[:, : h + g]
            turned = torch.addcmul(turning * cos, turning.roll(self.head_width // 2, -1), sin)
            keys, values = slots.update(turned[:, h:], y[:, h + g :], i)
            seen = self._attend(turned[:, :h], keys, values, start, lacking, mask)
            x = x + F.linear(seen.transpose(1, 2).reshape(r, n, -1), *layer.out)
            y = F.linear(F.rms_norm(x, (self.width,), layer.after, self.eps), *layer.gates)
            gate, up = y.chunk(2, -1)
            x = x + F.linear(self.act(gate) * up, *layer.down)
        return F.rms_norm(x, (self.width,), self.norm, self.eps)

    def _attend(
        self, q: Tensor, keys: Tensor, values: Tensor, start: int, lacking: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """(R, H, n, K) of queries over keys and values (R, G, N, K), the last n of which are their own."""
        r, h, n, _ = q.shape
        groups = h // keys.shape[1]
        grouped = q.reshape(r, keys.shape[1], groups * n, -1) if groups > 1 else q
        if mask is not None:
            mask = mask.repeat(1, 1, groups, 1) if groups > 1 else mask
            return self._flash(grouped, keys, values, False, mask)[0].reshape(r, h, n, -1)
        k, v = keys[:, :, start:], values[:, :, start:]
        if groups > 1:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        out, weight = self._flash(q, k, v, True, None)
        if not start:
            return out
        past, before = self._flash(grouped, keys[:, :, :start], values[:, :, :start], False, lacking)
        share = (before.reshape(r, h, n) - weight).sigmoid()[..., None]
        return torch.lerp(out, past.reshape(r, h, n, -1), share)

    def _flash(
        self, q: Tensor, k: Tensor, v: Tensor, causal: bool, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attention and the logarithm of the sum that it was divided by."""
        out: tuple[Tensor, Tensor] = _flash(q, k, v, 0.0, causal, attn_mask=mask, scale=self.scale)
        return out


_KNOWN: WeakKeyDictionary[nn.Module, tuple[list[tuple[int, int]], SlotLlama]] = WeakKeyDictionary()


def _joined(*linears: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of linear layers side by side; of a single one its own."""
    if len(linears) == 1:
        return linears[0].weight, linears[0].bias
    weight = torch.cat([x.weight.detach() for x in linears])
    bias = None if linears[0].bias is None else torch.cat([x.bias.detach() for x in linears])
    return weight, bias
