"""The query track: one query against a stream of frame states, to scores, spans and evidence.

The query is encoded alone. Inside each tick it attends over the frame state; a small causal stack over time gives the
relevance and informative scores (MMDuet's two heads, of the `track` kind: frames are encoded once, so many queries on one
stream are nearly free, and a later frame cannot change an earlier score). A final stack, over all ticks seen so far, gives
presence and the start / end pointer, each with an offset inside its tick.

Shapes: B clips, Q queries a clip, T ticks, N tokens a frame state, D width, V query vectors, W track width, L words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from kairos.model.attention import Layer, Past, forbid, layers
from kairos.model.config import KairosConfig

_LONGEST = 64  # words of a query that are told apart by place


@dataclass
class TrackPast:
    """What the causal stack remembers of one query."""

    layers: list[Past | None] = field(default_factory=list)


@dataclass
class Final:
    """What is known at the last tick seen, logits (B, Q, T) but presence (B, Q); offsets in ticks, -0.5 to 0.5."""

    relevance: Tensor
    start: Tensor
    end: Tensor
    start_offset: Tensor
    end_offset: Tensor
    presence: Tensor
    states: Tensor  # (B, Q, T, W)


class QueryEncoder(nn.Module):
    """Words to V vectors of the query, and their mean."""

    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        d = config.width
        self.layers = layers(d, config.heads, 2, _LONGEST, config.query_layers)
        self.norm = nn.LayerNorm(d)
        self.read = nn.Parameter(torch.randn(config.query_vectors, d) * d**-0.5)
        self.out = nn.Linear(d, d)

    def forward(self, words: Tensor, known: Tensor) -> Tensor:
        """Embedded words (R, L, D) and which of them are words (R, L) -> (R, V, D)."""
        position = torch.arange(words.shape[1], device=words.device)
        padding = forbid(known)[:, None, None, :]
        for layer in self.layers:
            words, _ = layer(words, layer.attention.bias(position, position, causal=False) + padding)
        words = self.norm(words)
        weight = torch.einsum("vd,rld->rvl", self.read, words).masked_fill(~known[:, None], -1e4).softmax(-1)
        return self.out(torch.einsum("rvl,rld->rvd", weight, words))


class QueryTrack(nn.Module):
    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        self.config = config
        d, w, h = config.width, config.track_width, config.track_heads
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.mix = nn.Linear(config.query_vectors * d, w)
        self.ask = nn.Linear(config.query_vectors * d, w)
        self.inner = nn.Sequential(nn.GELU(), nn.Linear(w, 2 * w), nn.GELU(), nn.Linear(2 * w, w))
        self.causal = layers(w, h, 2, config.track_window, config.causal_layers)
        self.norm = nn.LayerNorm(w)
        self.scores = nn.Linear(w, 2)
        self.final = layers(w, h, 2, config.track_window, config.final_layers)
        self.final_norm = nn.LayerNorm(w)
        self.pointer = nn.Linear(w, 5)
        self.pool = nn.Linear(w, 1)
        self.presence = nn.Sequential(nn.Linear(2 * w, w), nn.GELU(), nn.Linear(w, 1))

    def look(self, queries: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (B, Q, V, D) attend inside each frame state (B, T, N, D) -> (B, Q, T, W).

        And where the first query vector looks, logits (B, Q, H, T, N): it is taught to find who the query is about.
        """
        _b, _t, _n, d = states.shape
        h = self.config.heads
        q = self.q(queries).unflatten(-1, (h, -1))
        k, v = self.k(states).unflatten(-1, (h, -1)), self.v(states).unflatten(-1, (h, -1))
        logits = torch.einsum("bqvhe,btnhe->bqvhtn", q, k) * (d // h) ** -0.5
        seen = torch.einsum("bqvhtn,btnhe->bqtvhe", logits.softmax(-1), v).flatten(-3)
        x = self.mix(seen) + self.ask(queries.flatten(-2))[:, :, None]
        return x + self.inner(x), logits[:, :, 0]

    def score(self, x: Tensor, past: TrackPast | None = None) -> tuple[Tensor, Tensor, TrackPast]:
        """(B, Q, T, W) -> causal states (B, Q, T, W), logits of relevance and informative (B, Q, T, 2)."""
        past, new = past or TrackPast(), TrackPast()
        b, q, t, w = x.shape
        y = x.flatten(0, 1)
        for i, layer in enumerate(self.causal):
            before = past.layers[i] if past.layers else None
            known = 0 if before is None else before.keys.shape[2]
            tick = torch.arange(known + t, device=x.device)
            y, seen = layer(y, layer.attention.bias(tick[known:], tick, causal=True), before)
            new.layers.append(seen.last(self.config.track_window - 1))
        y = y.view(b, q, t, w)
        return y, self.scores(self.norm(y)).float(), new

    def conclude(self, y: Tensor, ticks: Tensor) -> Final:
        """Causal states (B, Q, T, W), of which the first `ticks` (B, Q) count, to what they say as a whole."""
        b, q, t, w = y.shape
        seen = torch.arange(t, device=y.device) < ticks[..., None]
        z = y.flatten(0, 1)
        for layer in self.final:
            z = self._banded(layer, z, seen.flatten(0, 1))
        z = self.final_norm(z).view(b, q, t, w)
        relevance, start, end, *offsets = self.pointer(z).float().unbind(-1)
        weight = self.pool(z).float().squeeze(-1).masked_fill(~seen, -1e4).softmax(-1)
        best = relevance.masked_fill(~seen, -1e4).softmax(-1)
        pooled = torch.cat([torch.einsum("bqt,bqtw->bqw", p.to(z.dtype), z) for p in (weight, best)], -1)
        start, end = (x.masked_fill(~seen, -1e4) for x in (start, end))
        a, c = (0.5 * x.tanh() for x in offsets)
        return Final(relevance, start, end, a, c, self.presence(pooled).float().squeeze(-1), z)

    def _banded(self, layer: Layer, z: Tensor, seen: Tensor) -> Tensor:
        """A layer over (R, T, W), each tick attending less than a window away; long streams block by block."""
        window, t = self.config.track_window, z.shape[1]
        out = []
        for a in range(0, t, 2 * window):
            b = min(a + 2 * window, t)
            c, e = max(0, a - window), min(t, b + window)
            near = torch.arange(c, e, device=z.device)
            bias = layer.attention.bias(near, near, causal=False) + forbid(_own(seen[:, c:e], near, near))
            out.append(layer(z[:, c:e], bias)[0][:, a - c : b - c])
        return torch.cat(out, 1)


def _own(seen: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Keys that count, (R, 1, Lq, Lk); a token that does not count sees itself, so that nothing is undefined."""
    return seen[:, None, None, :] | (queries[:, None] == keys[None, :])
