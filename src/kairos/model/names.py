"""Names, matched both ways: what each slot shows and is known by, and how well that fits the names in a query.

A thing keeps its name when it changes its look or is hidden: each slot attends to slots of the ticks so far and takes over
what the tower said of them. Words for colours and shapes enter the query track only as how well they fit each slot, colour
and shape apart: no vector stands for a pair, so a pair need never have been seen. The language model's copy path reads the
same table the other way, from slots to words.

Shapes: B clips, Q queries a clip, T ticks, S slots, N tokens a frame state, D width, V query vectors, K names (colours,
then shapes); a table of names is K for what is shown, then K for what it is known by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from kairos.model.attention import Nearness, Past, attend
from kairos.model.config import KairosConfig

_LEAST = 0.02  # what a tower says is less likely than this counts as this: it is never so sure


@dataclass
class Frames:
    """What the trunk makes of T ticks, for queries and words to read."""

    states: Tensor  # (B, T, N, D)
    names: Tensor  # (B, T, S, 2K)
    boxes: Tensor  # (B, T, S, 4): centre, width and height of slots in fractions of the picture, as the tower says
    cups: (
        Tensor  # (B, T, S): how likely it is that a slot is a cup, which has no name; as the tower says, too
    )

    def map(self, change: Callable[[Tensor], Tensor]) -> Frames:
        """The same change to all of it, of clips or ticks."""
        return Frames(*(change(getattr(self, f.name)) for f in fields(self)))


class Names(nn.Module):
    """Frame states and attributes to the table of names, causal in time."""

    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(config.width)
        self.qk = nn.Linear(config.width, config.width // 2, bias=False)
        self.near = Nearness(1, config.track_window)
        self.own = nn.Parameter(torch.tensor(6.0))  # how much a slot trusts its own look

    def forward(self, states: Tensor, attributes: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
        """states (B, T, N, D), attributes (B, T, S, A) -> probabilities (B, T, S, 2K) and what is remembered."""
        b, t, s, _ = attributes.shape
        shown = attributes[..., 1 : 1 + self.config.names]
        q, k = self.qk(self.norm(states[:, :, :s])).view(b, 1, t * s, -1).chunk(2, -1)
        v = shown.reshape(b, 1, t * s, -1)
        if past is not None:
            k, v = torch.cat([past.keys, k], 2), torch.cat([past.values, v], 2)
        before = k.shape[2] // s - t
        tick = torch.arange(before + t, device=q.device)
        bias = self.near(tick[before:], tick, causal=True, tokens=s)
        bias = bias + self.own * torch.eye(t * s, k.shape[2], device=q.device).roll(before * s, 1)
        known = attend(q, k, v, bias).view(b, t, s, -1)
        return torch.cat([shown, known], -1), Past(k, v).last((self.config.track_window - 1) * s)


def join(parts: list[Frames]) -> Frames:
    """Parts that follow one another in time, as one."""
    if len(parts) == 1:
        return parts[0]
    return Frames(*(torch.cat([getattr(p, f.name) for p in parts], 1) for f in fields(Frames)))


def fit(asked: Tensor, names: Tensor) -> Tensor:
    """How well slots fit the names that queries ask for, as log-likelihoods (B, Q, V, T, S), 0 where none is asked for.

    asked (B, Q, V, 2K) is how much each name counts, names (B, T, S, 2K) the table.
    """
    likely = names.float().clamp_min(_LEAST).log()
    return torch.einsum("bqvk,btsk->bqvts", asked.float(), likely)
