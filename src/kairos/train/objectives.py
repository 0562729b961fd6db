"""The losses of stages two and three, over a whole model.

Shapes as in `queries`: B clips, Q queries, T ticks, S slots, L query words, A answer words, E evidence tokens.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.kairos import KairosModel, Perceived
from kairos.model.language import EVIDENCE
from kairos.model.track import Final
from kairos.model.words import SAY, SPECIAL
from kairos.world.labels import NOTHING

_WITHOUT_LOOKS = 1 / 7


class QueryLoss(nn.Module):
    """Frames are encoded once a clip and shared by all its queries; the towers are frozen."""

    def __init__(self, model: KairosModel) -> None:
        super().__init__()
        self.model = model
        for tower in (model.vision, model.audio):
            tower.requires_grad_(False)
        self.event = nn.Linear(model.config.width, model.config.events)

    def forward(self, **batch: Tensor) -> dict[str, Any]:
        model = self.model
        seen = Perceived(*(batch[f"seen_{i}"] for i in range(5)))
        if self.training:
            seen.slots = _disturb(seen.slots, int(batch["step"]))
        states, _ = model.fuse(seen)
        b, q, _length = batch["query"].shape
        words = batch["query"].flatten(0, 1)
        queries = model.query(words, _known(words)).unflatten(0, (b, q))
        looked, point = model.track.look(queries, states)
        tracked, scores, _ = model.track.score(looked)
        final = model.track.conclude(tracked, batch["length"])
        losses = self._dense(states, batch) | self._scores(scores, final, batch)
        losses["subject"] = self._subject(point, batch["subject"])
        if batch["said"].any():
            losses |= self._words(seen, states, looked, final, batch)
        loss = sum(v for k, v in losses.items() if not k.endswith("_accuracy"))
        return {"loss": loss, **{k: v.detach() for k, v in losses.items()}}

    @staticmethod
    def _subject(point: Tensor, target: Tensor) -> Tensor:
        """Who the query is about, as the slot that shows it (B, Q, T): words are bound to things by being told so.

        Without it the first stage stays for long with what happens, whoever does it.
        """
        logits = point.float().movedim(2, 0).flatten(1, 3)  # (H, B * Q * T, N)
        wanted = target.flatten().expand(len(logits), -1)
        return 0.5 * F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=NOTHING)

    def _dense(self, states: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What each slot does and is known by, read off its state: perception goes on under the words."""
        slots = states[:, :, : self.model.config.slots]
        speech, out = self.model.speech, {}
        for name, head, weight in (
            ("event", self.event, 1.0),
            ("colour", speech.colour, 0.5),
            ("shape", speech.shape, 0.5),
        ):
            logits, target = head(slots).float().flatten(0, 2), batch[f"slot_{name}"].flatten()
            out[f"slot_{name}"] = weight * F.cross_entropy(logits, target, ignore_index=NOTHING)
        return out

    def _scores(self, scores: Tensor, final: Final, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        asked = batch["asked"]
        t = final.relevance.shape[-1]
        inside = (torch.arange(t, device=asked.device) < batch["length"][..., None]) & (asked[..., None] > 0)
        causal = (torch.arange(t, device=asked.device) < batch["ticks"][:, None, None]) & inside

        def curve(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
            loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + target)
            return (loss * where).sum() / where.sum()

        present = batch["present"] * asked

        def pointer(logits: Tensor, target: Tensor) -> Tensor:
            loss = -(logits.log_softmax(-1) * target).sum(-1) / target.sum(-1).clamp_min(1)
            return (loss * present).sum() / present.sum().clamp_min(1)

        def offset(value: Tensor, target: Tensor, where: Tensor) -> Tensor:
            return (
                F.smooth_l1_loss(value, target, reduction="none", beta=0.1) * where
            ).sum() / where.sum().clamp_min(1)

        presence = F.binary_cross_entropy_with_logits(final.presence, batch["present"], reduction="none")
        return {
            "relevance": 2 * curve(scores[..., 0], batch["relevance"], causal),
            "informative": curve(scores[..., 1], batch["informative"], causal),
            "final": 2 * curve(final.relevance, batch["relevance"], inside),
            "start": 0.5 * pointer(final.start, batch["start"]),
            "end": 0.5 * pointer(final.end, batch["end"]),
            "offset": offset(final.start_offset, batch["start_offset"], batch["start"])
            + offset(final.end_offset, batch["end_offset"], batch["end"]),
            "presence": (presence * asked).sum() / asked.sum(),
            "presence_accuracy": (((final.presence > 0) == (batch["present"] > 0)) * asked).sum()
            / asked.sum(),
            "start_accuracy": (
                batch["start"].gather(-1, final.start.argmax(-1, keepdim=True))[..., 0] * present
            ).sum()
            / present.sum(),
        }

    def _words(
        self, seen: Perceived, states: Tensor, looked: Tensor, final: Final, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Every question stands behind its clip's frames, which pass the decoder once and are shared as keys and values."""
        speech = self.model.speech
        first = int(batch["said"].any(0).float().argmax())  # questions and captions come last
        rest = slice(first, None)
        part = Final(*(x[:, rest] for x in vars(final).values()))
        evidence = speech.evidence(
            part, looked[:, rest], states, batch["length"][:, rest], batch["span"][:, rest]
        )
        query, answer = batch["query"][:, rest], batch["answer"][:, rest]
        b, q, length = query.shape
        say = torch.full_like(answer[..., :1], SPECIAL.index(SAY))
        given = torch.cat([say, answer[..., :-1]], -1)
        rows = torch.cat([speech.embed(query), evidence.tokens, speech.embed(given)], 2).flatten(0, 1)
        valid = torch.cat(
            [_known(query), torch.ones_like(query[..., :EVIDENCE], dtype=torch.bool), _known(given)], -1
        ).flatten(0, 1)
        past = speech.remember(states, q)
        hidden = speech.hidden(
            rows, *speech.layout(batch["ticks"].repeat_interleave(q), states.shape[1], valid), past
        )
        hidden = hidden.unflatten(0, (b, q))[:, :, length + EVIDENCE :]
        logp = speech.words(hidden, states, seen.attributes, evidence.weight)
        target = answer.masked_fill(~_known(answer), NOTHING)
        nll = F.nll_loss(logp.flatten(0, 2), target.flatten(), ignore_index=NOTHING)
        right = ((logp.argmax(-1) == target) | (target == NOTHING)).all(-1) & (batch["said"][:, rest] > 0)
        return {"words": 2 * nll, "answer_accuracy": right.sum() / batch["said"].sum()}


def _disturb(slots: Tensor, step: int) -> Tensor:
    """Towers never see quite the same twice; and of a clip in seven only what the dense heads say of it is left, so that
    words are bound to attributes, which hold for pairs never seen, rather than to looks.
    """
    noise = torch.Generator(slots.device).manual_seed(step)
    slots = slots * (1 + 0.05 * torch.randn(slots.shape, generator=noise, device=slots.device))
    kept = torch.rand(len(slots), generator=noise, device=slots.device) > _WITHOUT_LOOKS
    return slots * kept[:, None, None, None]


def _known(words: Tensor) -> Tensor:
    """Which ids are words; the first counts always, so that an empty row stays defined."""
    known = words != 0
    known[..., 0] = True
    return known
