"""The losses of stages two and three, over a whole model.

Shapes as in `queries`: B clips, Q queries, T ticks, S slots, L query words, A answer words, E evidence tokens.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.handover import HandOver, look
from kairos.model.kairos import KairosModel, Perceived
from kairos.model.language import EVIDENCE, weighed
from kairos.model.names import Frames
from kairos.model.task_tokens import TaskHead
from kairos.model.track import Final
from kairos.model.words import SAY, SPECIAL
from kairos.train.dialogue import visible
from kairos.train.moments import label
from kairos.train.queries import HEADED
from kairos.world.labels import NOTHING

_TOKEN = 2  # <say> begin token: where an answer's task token stands
_REQUESTS = ("head", "box", "boxed", "given", "window", "length", "query")
_WITHOUT = 1 / 3  # of the clips the trunk sees no looks, of as many no colours and shapes


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
        shown = seen.attributes
        if self.training:
            self._disturb(seen, int(batch["step"]))
        frames, _ = model.fuse(seen, shown=shown)
        b, _q, _length = batch["query"].shape
        words = batch["query"].flatten(0, 1)
        looked, point = model.query_track.look(model.query(words, _known(words)).of(b), frames)
        tracked, scores, _ = model.query_track.score(looked)
        final = model.query_track.conclude(tracked, batch["length"])
        losses = self._dense(frames, batch) | self._scores(scores, final, batch)
        losses["subject"] = self._subject(point, batch["subject"])
        if batch["said"].any():
            losses |= self._words(frames, looked, final, point, batch)
        if "duet_token" in batch:
            losses |= self._duet(frames, batch)
        loss = sum(v for k, v in losses.items() if not k.endswith("_accuracy"))
        return {"loss": loss, **{k: v.detach() for k, v in losses.items()}}

    def _disturb(self, seen: Perceived, step: int) -> None:
        """Towers never see quite the same twice, and the trunk learns what happens whatever it happens to: names are
        matched beside it, and what is learned of things in general holds for pairs never seen.
        """
        device, n = seen.slots.device, len(seen.slots)
        noise = torch.Generator(device).manual_seed(step)
        looks, names = (torch.rand(2, n, 1, 1, 1, generator=noise, device=device) > _WITHOUT).float()
        seen.slots = seen.slots * (1 + 0.05 * torch.randn(seen.slots.shape, generator=noise, device=device))
        seen.slots = seen.slots * looks
        last = 1 + self.model.config.colours + self.model.config.shapes
        objectness, said, rest = seen.attributes.split((1, last - 1, seen.attributes.shape[-1] - last), -1)
        seen.attributes = torch.cat([objectness, said * names, rest], -1)

    @staticmethod
    def _subject(point: Tensor, target: Tensor) -> Tensor:
        """Who the query is about, as the slot that shows it (B, Q, T): words are bound to things by being told so.

        Without it the first stage stays for long with what happens, whoever does it.
        """
        logits = point.float().movedim(2, 0).flatten(1, 3)  # (H, B * Q * T, N)
        wanted = target.flatten().expand(len(logits), -1)
        return 0.5 * F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=NOTHING)

    def _dense(self, frames: Frames, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """What each slot does and is known by: perception goes on under the words."""
        config = self.model.config
        events = self.event(frames.states[:, :, : config.slots]).float().flatten(0, 2)
        known = frames.names[..., config.names :].float().clamp_min(1e-3).log().flatten(0, 2)
        colour, shape = known.split((config.colours, config.names - config.colours), -1)
        return {
            "slot_event": F.cross_entropy(events, batch["slot_event"].flatten(), ignore_index=NOTHING),
            "slot_colour": 0.5 * F.nll_loss(colour, batch["slot_colour"].flatten(), ignore_index=NOTHING),
            "slot_shape": 0.5 * F.nll_loss(shape, batch["slot_shape"].flatten(), ignore_index=NOTHING),
        }

    def _scores(self, scores: Tensor, final: Final, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        asked = batch["asked"]
        t = final.relevance.shape[-1]
        tick, heard = torch.arange(t, device=asked.device), batch["heard"]
        inside = (tick < batch["length"][..., None]) & (asked[..., None] > 0)
        causal = (tick >= heard[..., :1]) & (tick < heard[..., 1:]) & (asked[..., None] > 0)

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
            "relevance": 2 * _curve(scores[..., 0], batch["relevance"], causal),
            "informative": _curve(scores[..., 1], batch["informative"], causal),
            "final": 2 * _curve(final.relevance, batch["relevance"], inside),
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
        self, frames: Frames, looked: Tensor, final: Final, point: Tensor, batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Every question stands behind its clip's frames, which pass the decoder once and are shared as keys and values.

        Requests are answered with task tokens, whose states the heads behind them learn from (TPO, equation 1).
        """
        speech, states = self.model.speech, frames.states
        first = int(batch["said"].any(0).float().argmax())  # what is answered comes last
        rest = slice(first, None)
        part = Final(*(x[:, rest] for x in vars(final).values()))
        evidence = speech.evidence(
            part, looked[:, rest], states, batch["length"][:, rest], batch["span"][:, rest]
        )
        query, answer = batch["query"][:, rest], batch["answer"][:, rest]
        b, q, length = query.shape
        say = torch.full_like(answer[..., :1], SPECIAL.index(SAY))
        given = torch.cat([say, answer[..., :-1]], -1)
        asked, saying = speech.embed(query), speech.embed(given)
        if (over := self.model.handover) is not None:
            boxes = batch["given"][:, rest].flatten(0, 1)
            asked = over.tokens.put_boxes(query.flatten(0, 1), asked.flatten(0, 1), boxes).view_as(asked)
            seen = look(point[:, rest], frames, batch["length"][:, rest] - 1)
            for name, kind in over.tokens.kinds().items():
                here = (given == kind.pair()[1])[..., None]
                saying = torch.where(here, over.embedding(name, seen)[:, :, None].to(saying.dtype), saying)
        rows = torch.cat([asked, evidence.tokens, saying], 2).flatten(0, 1)
        valid = torch.cat(
            [_known(query), torch.ones_like(query[..., :EVIDENCE], dtype=torch.bool), _known(given)], -1
        ).flatten(0, 1)
        past = speech.remember(states, q)
        hidden = speech.hidden(
            rows, *speech.layout(batch["length"][:, rest].flatten(), states.shape[1], valid), past
        )
        hidden = hidden.unflatten(0, (b, q))[:, :, length + EVIDENCE :]
        logp = speech.words(hidden, frames, evidence.weight)
        target = answer.masked_fill(answer == 0, NOTHING)
        target[..., :_TOKEN] = target[..., :_TOKEN].masked_fill(batch["unasked"][:, rest, None] > 0, NOTHING)
        nll = F.nll_loss(logp.flatten(0, 2), target.flatten(), ignore_index=NOTHING)
        counts = (batch["said"] - batch["unasked"])[:, rest] > 0
        right = ((logp.argmax(-1) == target) | (target == NOTHING)).all(-1) & counts
        losses = {"words": 2 * nll, "answer_accuracy": right.sum() / counts.sum().clamp_min(1)}
        if over is not None:
            ours = {k: v[:, rest] for k, v in batch.items() if k in _REQUESTS}
            losses |= self._heads(over, hidden[:, :, _TOKEN], frames, final.states[:, rest], asked, ours)
            routed = (logp[:, :, 0].argmax(-1) == target[:, :, 0])[(ours["head"] >= 0) & counts]
            losses["route_accuracy"] = routed.float().mean() if len(routed) else nll.new_ones(())
        return losses

    def _heads(
        self,
        over: HandOver,
        state: Tensor,
        frames: Frames,
        tracked: Tensor,
        asked: Tensor,
        batch: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """The losses of the task heads, from the decoder's states (B, Q, E) at the task tokens."""
        losses: dict[str, Tensor] = {}
        for name, module in over.tokens.heads.items():
            head = cast(TaskHead, module)
            there = batch["window"][..., 0, 1] if name == "temporal" else batch["boxed"]
            mine = (batch["head"] == HEADED.index(name)) & (there > 0)
            if not mine.any():
                continue
            of, known = state[mine], torch.ones_like(batch["boxed"][mine])
            if name == "temporal":
                losses |= self._moments(head, of, frames, tracked, asked, mine, batch)
            elif name == "mask":
                assert self.model.follower is not None
                with torch.no_grad():
                    prompt = self.model.follower.prompt(batch["box"][mine])
                losses |= head.losses(head(of, {}), {"prompt": prompt, "known": known})
            else:
                losses |= head.losses(head(of, {}), {"box": batch["box"][mine], "known": known})
        return losses

    def _moments(
        self,
        head: TaskHead,
        state: Tensor,
        frames: Frames,
        tracked: Tensor,
        asked: Tensor,
        mine: Tensor,
        batch: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """The temporal head's, which reads frames, what the track makes of them, and the words (`Session.saliency`)."""
        clip = mine.nonzero()[:, 0]
        ticks, words = batch["length"][mine], batch["query"][mine]
        t = tracked.shape[2]
        known = torch.arange(t, device=ticks.device) < ticks[:, None]
        windows = [[(a, b) for a, b in row if b > 0] for row in batch["window"][mine].tolist()]
        fps = self.model.config.fps
        targets = label(windows, [n / fps for n in ticks.tolist()], known, clip.tolist())
        inputs = {
            "video": torch.cat([tracked[mine], frames.states.mean(2)[clip]], -1),
            "video_known": known,
            "text": asked[mine],
            "text_known": words != 0,
        }
        return {
            k: 0.1 * v
            for k, v in head.losses(head(state, inputs | {"relevant": targets.relevant}), targets).items()
        }

    def _duet(self, frames: Frames, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each clip's duet as one sequence: heads on ticks, words on replies (MMDuet, sections 4.1 and 5)."""
        model, speech = self.model, self.model.speech
        token, b = batch["duet_token"], len(batch["duet_token"])
        clip = torch.arange(b, device=token.device)[:, None]
        ticks = model.stream.tokens(frames, speech.embed(speech.names)).flatten(1, 2)
        words = speech.embed(token.clamp_min(0))
        rows = torch.where(token[..., None] < 0, ticks[clip, batch["duet_place"]].to(words.dtype), words)
        hidden = speech.hidden(rows, visible(batch["duet_reply"]), batch["duet_position"])
        scores = model.stream.scores(hidden[clip, batch["duet_last"]])
        first = int(batch["duet_query"][0])  # its place among the clip's queries
        tick, heard = torch.arange(scores.shape[1], device=token.device), batch["heard"][:, first]
        where = (tick >= heard[:, :1]) & (tick < heard[:, 1:])
        answer, span = batch["duet_answer"], batch["duet_span"]
        said = hidden[clip[..., None], batch["duet_given"]]  # (B, A, W, E)
        known = tick <= span[..., 1:]
        logp = speech.words(said, frames, weighed((known & (tick >= span[..., :1])).float(), known))
        target = answer.masked_fill(answer == 0, NOTHING)
        nll = F.nll_loss(logp.flatten(0, 2), target.flatten(), ignore_index=NOTHING)
        given = (answer != 0).any(-1)
        right = ((logp.argmax(-1) == target) | (target == NOTHING)).all(-1) & given
        return {
            "context_relevance": 2 * _curve(scores[..., 0], batch["relevance"][:, first], where),
            "context_informative": _curve(scores[..., 1], batch["informative"][:, first], where),
            "context_words": nll,
            "reply_accuracy": right.sum() / given.sum().clamp_min(1),
        }


def _curve(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * (1 + target)
    return (loss * where).sum() / where.sum().clamp_min(1)


def _known(words: Tensor) -> Tensor:
    """Which ids are words; the first counts always, so that an empty row stays defined."""
    known = words != 0
    known[..., 0] = True
    return known
