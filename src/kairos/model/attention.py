"""Attention over time with a window and a memory of keys, the one kind used outside the language model.

Shapes: R rows (clips or queries), L tokens, D width, H heads, K head width. Several tokens may share one tick; only
differences of ticks matter, so a stream has no end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_NEVER = -1e4


@dataclass
class Past:
    """Keys and values (R, H, L, K) of earlier tokens."""

    keys: Tensor
    values: Tensor

    def last(self, tokens: int) -> Past:
        """What the last so many tokens left."""
        n = self.keys.shape[2]
        return Past(self.keys[:, :, max(0, n - tokens) :], self.values[:, :, max(0, n - tokens) :])


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention in plain products, at these sizes faster to train on a CPU than the fused kernel,
    whose backward pass with a mask is slow.
    """
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if bias is not None:
        logits = logits + bias.to(logits.dtype)
    return logits.softmax(-1).to(v.dtype) @ v


class Nearness(nn.Module):
    """What distance in time means to attention: a learned bias for each difference of ticks below `window`."""

    def __init__(self, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.distance = nn.Parameter(torch.zeros(heads, 2 * window - 1))

    def forward(self, queries: Tensor, keys: Tensor, causal: bool, tokens: int = 1) -> Tensor:
        """Bias (H, Lq, Lk) between ticks, each of so many tokens; very low where a query may not look."""
        distance = keys[None, :] - queries[:, None]
        near = (distance.abs() < self.window) & ((distance <= 0) | (not causal))
        bias = self.distance[:, distance.clamp(1 - self.window, self.window - 1) + self.window - 1]
        bias = bias.masked_fill(~near, _NEVER)
        return bias.repeat_interleave(tokens, 1).repeat_interleave(tokens, 2) if tokens > 1 else bias


class Attention(nn.Module):
    """Multi-head self-attention; where ticks matter, `near` is the bias that tells their order."""

    near: Nearness

    def __init__(self, width: int, heads: int, window: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        if window:
            self.near = Nearness(heads, window)

    def forward(self, x: Tensor, bias: Tensor | None = None, past: Past | None = None) -> tuple[Tensor, Past]:
        """x (R, L, D), bias broadcastable to (R, H, L, past + L)."""
        r, n, d = x.shape
        q, k, v = self.qkv(x).view(r, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past.keys, k], 2), torch.cat([past.values, v], 2)
        out = attend(q, k, v, bias)
        return self.out(out.transpose(1, 2).reshape(r, n, d)), Past(k, v)


def feedforward(width: int, factor: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, factor * width), nn.GELU(), nn.Linear(factor * width, width))


class Layer(nn.Module):
    """Pre-norm attention and feed-forward."""

    attention: Attention

    def __init__(self, width: int, heads: int, factor: int = 4, window: int = 0) -> None:
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, heads, window)
        self.after, self.feedforward = nn.LayerNorm(width), feedforward(width, factor)

    def forward(self, x: Tensor, bias: Tensor | None = None, past: Past | None = None) -> tuple[Tensor, Past]:
        y, past = self.attention(self.before(x), bias, past)
        x = x + y
        return x + self.feedforward(self.after(x)), past


def layers(width: int, heads: int, factor: int, window: int, count: int) -> Layers:
    return Layers(Layer(width, heads, factor, window) for _ in range(count))


class Layers(nn.ModuleList):
    """Layers in order."""

    def __iter__(self) -> Iterator[Layer]:
        for layer in super().__iter__():
            assert isinstance(layer, Layer)
            yield layer


def forbid(allowed: Tensor) -> Tensor:
    """A bias that is very low where `allowed` is False."""
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill_(~allowed, _NEVER)
