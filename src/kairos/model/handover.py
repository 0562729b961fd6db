"""From words to heads: whether the model hands a query over to a task head, and what it gives to it (TPO, section 3.1).

The task token's input is its learnable embedding and, as evidence is for words, what the query track points at in the last
tick: the slot's state, and its box as the tower sees it. Who is asked for is found where names are matched; what to make of
it the decoder says.

Shapes: R rows, B clips, Q queries, T ticks, N tokens a frame state, H heads, D width, E decoder width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kairos.model.names import Frames
from kairos.model.say import Ground, Talk
from kairos.model.task_tokens import TaskTokens

if TYPE_CHECKING:
    from kairos.model.config import KairosConfig
    from kairos.model.kairos import KairosModel

__all__ = ["HandOver", "Handed", "Seen", "handed", "look"]


@dataclass
class Seen:
    """What the query track points at in one tick: a mean of states (..., D), and the box (..., 4) of the likeliest slot, xyxy."""

    state: Tensor
    box: Tensor

    def row(self, q: int) -> Seen:
        """Of one query of each clip."""
        return Seen(self.state[:, q], self.box[:, q])


def look(point: Tensor, frames: Frames, tick: Tensor) -> Seen:
    """What the first query vector looks at (`QueryTrack.look`, logits (B, Q, H, T, N)) at one tick of each query (B, Q)."""
    b, q, h, _, n = point.shape
    at = tick[:, :, None, None, None].expand(b, q, h, 1, n)
    weight = point.gather(3, at)[:, :, :, 0].float().softmax(-1).mean(2)  # (B, Q, N)
    clip = torch.arange(b, device=tick.device)[:, None]
    state = torch.einsum("bqn,bqnd->bqd", weight.to(frames.states.dtype), frames.states[clip, tick])
    boxes = frames.boxes[clip, tick]  # (B, Q, S, 4)
    best = weight[..., : boxes.shape[2]].argmax(-1)[..., None, None].expand(-1, -1, 1, 4)
    middle, size = boxes.gather(2, best)[:, :, 0].chunk(2, -1)
    return Seen(state, torch.cat([middle - size / 2, middle + size / 2], -1).clamp(0, 1))


class HandOver(nn.Module):
    """Task tokens of a Kairos model, and how what the track points at enters them: its box as if a user had drawn it."""

    def __init__(self, config: KairosConfig, width: int) -> None:
        from kairos.model import mask, region, temporal  # noqa: F401  registers them

        super().__init__()
        self.tokens = TaskTokens(width, config.task_heads or {})
        self.pointed = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, width))

    def embedding(self, head: str, seen: Seen) -> Tensor:
        """The input of a head's task token, of rows that look at `seen` -> (..., E)."""
        return self.tokens.embeddings[head] + self.pointed(seen.state) + self.tokens.box(seen.box)


@dataclass
class Handed:
    """Rows of one query each: the head that each goes to by itself (None: it answers in words) and how sure that is, and the
    task embedding (R, E) of the head that was asked for or, without one, of that of the first row.
    """

    heads: list[str | None]
    confidence: list[float]
    state: Tensor | None
    talk: Talk
    """Behind the task token, or where none was asked for, ready for the first word."""


@torch.inference_mode()
def handed(model: KairosModel, ground: Ground, seen: Seen, head: str | None = None) -> Handed:
    """What the model hands over, as of the last of each row's ticks, where the track looks at `seen`, one query a row.

    With `head` it goes there whatever the model says. What the task token leaves in the cache is not kept.
    """
    over = model.handover
    assert over is not None
    talk = Talk(model, ground)
    best = talk.next().max(-1)
    heads = [over.tokens.route(int(i)) for i in best.indices]
    sure = [float(p) for p in best.values.exp()]
    to = head or heads[0]
    if to is None:
        return Handed(heads, sure, None, talk)
    begin, _ = over.tokens.kinds()[to].pair()
    talk.hear(model.speech.embed(torch.full((len(heads),), begin, device=model.device)))
    return Handed(heads, sure, talk.hear(over.embedding(to, seen)), talk)
