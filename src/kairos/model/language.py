"""The language model: frames, a query, its evidence, then words; names are copied from what is seen.

A causal decoder of `transformers` reads [frame tokens] [query words] [evidence] <say> and goes on with the answer. The
evidence is states pooled by the query's relevance (no gradient through the weights), so that what grounds an answer is
what it is drawn from. Each next word is a mixture of the decoder's own distribution and copies of the colour and shape
that the most relevant slots show, or are known by, so that names of unseen pairs can be said.

Shapes: B clips, Q queries, T ticks, S slots, L words, R = B * Q rows, E evidence tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, Cache, DynamicCache

from kairos.model.config import KairosConfig
from kairos.model.names import Frames
from kairos.model.track import Final

EVIDENCE = 3  # tokens: what the track says, what is seen, how long and how often


@dataclass
class Evidence:
    """What a query's answer stands on: tokens (B, Q, E, D) and each tick's weight (B, Q, T), summing to one."""

    tokens: Tensor
    weight: Tensor


class Speech(nn.Module):
    """Decoder, evidence and copy path."""

    names: Tensor

    def __init__(self, config: KairosConfig, names: list[int]) -> None:
        """`names` are the vocabulary's ids of the colours, then of the shapes."""
        super().__init__()
        self.config = config
        d, w = config.width, config.track_width
        self.decoder = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**config.decoder), attn_implementation="eager"
        )
        e = self.decoder.config.hidden_size
        self.frame = nn.Sequential(nn.LayerNorm(2 * d), nn.Linear(2 * d, e))
        self.tracked, self.seen = nn.Linear(w, e), nn.Linear(w + d, e)
        self.measured = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, e))
        self.copy_query, self.copy_key = nn.Linear(e, d), nn.Linear(d, d)
        self.trust = nn.Parameter(torch.tensor(1.0))
        self.gate = nn.Linear(e, 5)
        self.register_buffer("names", torch.tensor(names), persistent=True)

    def embed(self, words: Tensor) -> Tensor:
        return self.decoder.get_input_embeddings()(words)

    def frames(self, states: Tensor) -> Tensor:
        """Frame states (B, T, N, D) to one decoder token a tick (B, T, E)."""
        fusion = states[:, :, -self.config.fusion_tokens :].mean(2)
        return self.frame(torch.cat([fusion, states[:, :, : self.config.slots + 1].mean(2)], -1))

    def evidence(
        self, final: Final, seen: Tensor, states: Tensor, ticks: Tensor, spans: Tensor | None = None
    ) -> Evidence:
        """Pool by relevance over the first `ticks` (B, Q), or by the given weights `spans` (B, Q, T) where they are not zero."""
        t = final.relevance.shape[-1]
        known = torch.arange(t, device=ticks.device) < ticks[..., None]
        relevance = final.relevance.sigmoid().detach() * known
        mass = relevance.clone()
        if spans is not None:
            given = spans.sum(-1, keepdim=True) > 0
            mass = torch.where(given, spans, mass)
        weight = weighed(mass, known)
        pool = weight.to(seen.dtype)
        rises = F.relu(relevance[..., 1:] - relevance[..., :-1]).sum(-1) + relevance[..., 0]
        measures = torch.stack(
            [mass.sum(-1) / 8, rises, final.presence.detach() / 8, (ticks / 48).clamp_max(1)], -1
        )
        tokens = torch.stack(
            [
                self.tracked(torch.einsum("bqt,bqtw->bqw", pool, final.states)),
                self.seen(
                    torch.cat(
                        [
                            torch.einsum("bqt,bqtw->bqw", pool, seen),
                            torch.einsum("bqt,btd->bqd", pool, states.mean(2)),
                        ],
                        -1,
                    )
                ),
                self.measured(measures.to(seen.dtype)),
            ],
            2,
        )
        return Evidence(tokens, weight)

    def remember(self, states: Tensor, copies: int = 1) -> Cache:
        """Keys and values of the frames of each clip, (B * copies) rows."""
        frames = self.frames(states)
        b, t, _ = frames.shape
        tick = torch.arange(t, device=frames.device)
        past = DynamicCache()
        self.hidden(frames, (tick[None, :] <= tick[:, None]).expand(b, 1, t, t), tick.expand(b, t), past)
        if copies > 1:
            past.batch_repeat_interleave(copies)
        return past

    @staticmethod
    def layout(ticks: Tensor, frames: int, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Mask (R, 1, L, frames + L) and positions (R, L) of words (R, L) that stand behind the clip's `ticks` (R,) frames.

        Words follow one another without the gaps of padding (`valid` False), right behind the last tick.
        """
        n = valid.shape[1]
        order = torch.arange(n, device=valid.device)
        own = (order[None, :] <= order[:, None]) & (valid[:, None, :] | (order[:, None] == order[None, :]))
        seen = (torch.arange(frames, device=valid.device) < ticks[:, None])[:, None].expand(-1, n, -1)
        position = (valid.cumsum(-1) - 1).clamp_min(0) + ticks[:, None]
        return torch.cat([seen, own], -1)[:, None], position

    def hidden(
        self, inputs: Tensor, mask: Tensor | None, position: Tensor, past: Cache | None = None
    ) -> Tensor:
        """Decoder states of embedded inputs (B, L, E)."""
        out = self.decoder.model(
            inputs_embeds=inputs,
            attention_mask=self._bias(mask, inputs.dtype),
            position_ids=position,
            past_key_values=past,
            use_cache=past is not None,
        )
        return out.last_hidden_state

    @staticmethod
    def _bias(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        if mask is None:
            return None
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -1e4)

    def words(self, hidden: Tensor, frames: Frames, weight: Tensor) -> Tensor:
        """Log-probabilities of the next word (B, Q, L, vocabulary) from decoder states (B, Q, L, E) and weight (B, Q, T)."""
        config = self.config
        own = self.decoder.lm_head(hidden).float().softmax(-1)
        slots = frames.states[:, :, : config.slots]
        logits = torch.einsum("bqle,btse->bqlts", self.copy_query(hidden), self.copy_key(slots)).float()
        nearness = (self.trust * (weight + 1e-3).log()).masked_fill(weight == 0, -1e4)  # not there at all
        logits = logits * config.width**-0.5 + nearness[:, :, None, :, None]
        place = logits.flatten(-2).softmax(-1).unflatten(-1, logits.shape[-2:])
        seen = torch.einsum("bqlts,btsn->bqln", place, frames.names.float())
        gate = self.gate(hidden).float().softmax(-1)
        total = gate[..., :1] * own
        c, k = config.colours, config.names
        for i, part in enumerate(seen.split((c, k - c, c, k - c), -1)):
            ids = self.names.split((c, k - c))[i % 2]
            total = total.index_add(-1, ids, gate[..., i + 1, None] * part)
        return total.clamp_min(1e-9).log()


def weighed(mass: Tensor, known: Tensor) -> Tensor:
    """Weights that sum to one over ticks (..., T): by mass, a little on each that is known, none on others."""
    total = mass + 1e-4 * known
    return total / total.sum(-1, keepdim=True)
