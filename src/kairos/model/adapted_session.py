"""A conversation about a video with an adapted model: its words, and what its task heads make of the task tokens (TPO, 3.1).

A question is put as in training: frames, evenly spread over what was seen by then, before its words. The task token is
forwarded once behind them and nothing of it is kept. Nothing that is asked changes what is answered next.

Shapes: T ticks, P features a frame, F their length, L tokens, E width of the language model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kairos.errors import InputError, ModelError
from kairos.model.backbone import spread
from kairos.model.moments import Moments, windows
from kairos.model.pointer import Span
from kairos.model.region import ordered
from kairos.model.session import Place, Reply, Scores, Turn
from kairos.model.task_tokens import HEADS, TASKS

if TYPE_CHECKING:
    from kairos.model.adapted import AdaptedModel
    from kairos.model.script import Spoken

__all__ = ["AdaptedSession"]


class AdaptedSession:
    """`PlaceSession` of `kairos.tasks.protocol`. It holds the features of all that it was shown; not for several threads."""

    def __init__(self, model: AdaptedModel) -> None:
        self.model, self.turns = model, list[Turn]()
        self._backbone, self._fps = model.backbone, model.config.fps
        self._frames: list[Tensor] = []  # (t, P, F), as features are kept on disk
        self._means: list[Tensor] = []  # (t, F)
        self._duration: float | None = None
        self._queries: list[str] = []
        self._found: tuple[tuple[str, int], Moments] | None = None

    # the stream ----------------------------------------------------------------------------------------------

    def see(self, frames: NDArray[np.uint8], audio: NDArray[np.float32] | None = None) -> None:
        """The next n ticks: RGB frames (n, S, S, 3) at their middles; their sound is not heard. Raises InputError."""
        size = self._backbone.size
        if frames.dtype != np.uint8 or frames.shape[1:] != (size, size, 3):
            raise InputError(f"frames are {frames.dtype} {frames.shape}, not uint8 (n, {size}, {size}, 3)")
        if len(frames):
            seen, means = self.model.look(torch.from_numpy(frames))
            self._frames.append(seen.to("cpu", torch.bfloat16))
            self._means.append(means.cpu())

    def end(self, duration_s: float) -> None:
        self._duration = duration_s

    @property
    def ticks(self) -> int:
        return sum(map(len, self._frames))

    @property
    def time(self) -> float:
        """Seconds seen."""
        seen = self.ticks / self._fps
        return seen if self._duration is None else min(seen, self._duration)

    # the user ------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        if not text.strip():
            raise InputError("the query is empty; say in words what to look for")
        self.turns.append(Turn("user", text, self.time))
        self._queries.append(text)

    def rollback(self) -> None:
        if not self.turns:
            raise InputError("nothing has been said yet")
        if self.turns.pop().role == "user":
            self._queries.pop()

    @property
    def _query(self) -> str:
        if not self._queries:
            raise InputError("no query yet; say() one first")
        return self._queries[-1]

    # what is known -------------------------------------------------------------------------------------------

    @property
    def scores(self) -> Scores:
        """Relevance is the temporal head's saliency; all 0 without that head, or without a query."""
        times, nothing = (np.arange(self.ticks) + 1) / self._fps, np.zeros(self.ticks)
        return Scores(times, self.saliency()[0] if self._finds_moments else nothing, nothing)

    @property
    def presence(self) -> float:
        """1: such a model does not say whether something is there."""
        return 1.0

    def spans(self, top: int = 5) -> list[Span]:
        """(start, end, score) in seconds by the temporal head, best first, not overlapping; none without that head."""
        chosen: list[Span] = []
        for start, end, score in self.saliency()[1] if self._finds_moments else ():
            end = min(end, self.time)
            if start < end and all(end <= a or start >= b for a, b, _ in chosen):
                chosen.append((start, end, score))
        return chosen[:top]

    def saliency(self) -> tuple[NDArray[np.float64], list[Span]]:
        """The temporal head's saliency of each tick, 0 to 1 within this video, and its spans, best first. Raises ModelError."""
        if not self.ticks:
            return np.zeros(0), []
        moments, clip_s = self._moments(), self._each / self._fps
        of_clips = moments.highlights()[0].double().cpu().numpy()
        (found,) = windows(moments, [len(of_clips) * clip_s], clip_s)
        return np.repeat(of_clips, self._each)[: self.ticks], found

    @property
    def _finds_moments(self) -> bool:
        return "temporal" in self.model.tokens.heads and bool(self._queries)

    def best_tick(self) -> int:
        """Where saliency is highest; the last tick where there is none."""
        relevance = self.scores.relevance
        return int(relevance.argmax()) if relevance.any() else self.ticks - 1

    def captions(self) -> list[tuple[float, float, str, float]]:
        """None: it was not taught to tell events apart."""
        return []

    # words ---------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def route(self) -> str | None:
        """ "ground", "locate" or "segment" where the model answers with that head's first word, None where with any other."""
        return TASKS.get(self._first(self.ticks)[0] or "")

    @torch.inference_mode()
    def reply(self, max_words: int = 24) -> Reply:
        """What the language model says, greedily, in at most so many tokens."""
        from transformers import DynamicCache

        spoken = self._spoken(None, self.ticks)
        start, pair = spoken.taught.index(True), sum(spoken.taught)
        ends = {*spoken.ids[start + pair :][:1], self.model.script.tokenizer.eos_token_id}
        said: list[int] = []
        logs: list[float] = []
        past = DynamicCache()
        with self._precise():
            vectors = self._embed(spoken.ids[:start], self.ticks)
            while len(said) < max_words:
                states = self.model.states(vectors, past=past)
                best = self.model.logits(states[0, -1:]).log_softmax(-1)[0].max(-1)
                logs.append(float(best.values))
                if int(best.indices) in ends:
                    break
                said.append(int(best.indices))
                vectors = self._embed((said[-1],), 0)
        text = self.model.script.tokenizer.decode(said, skip_special_tokens=True).strip()
        self.turns.append(Turn("assistant", text, self.time))
        return Reply(text, float(np.exp(np.mean(logs))), tuple(self.spans()), False)

    # places --------------------------------------------------------------------------------------------------

    def place(self, tick: int | None = None) -> Place:
        """The region head's box at a tick (the last one), from what was seen until then. Its confidence is how likely the model
        is to answer with a box at all: whether the thing is there it does not say.
        """
        seen = self._until(tick)
        box = ordered(self._head("region", seen, {}))[0].tolist()
        x1, y1, x2, y2 = (float(side) for side in box)
        return Place((x1, y1, x2, y2), self._first(seen)[1].get("region", 0.0))

    def prompt(self, tick: int | None = None) -> Tensor | None:
        """What the follower starts from at a tick (the last one), (1, 3, C); None without a mask head."""
        if "mask" not in self.model.tokens.heads:
            return None
        made: Tensor = self._head("mask", self._until(tick), {})
        return made

    def _until(self, tick: int | None) -> int:
        last = self.ticks - 1 if tick is None else tick
        if not 0 <= last < self.ticks:
            raise InputError(f"tick {last} has not been seen; there are {self.ticks}")
        return last + 1

    # the model -----------------------------------------------------------------------------------------------

    @property
    def _each(self) -> int:
        """Ticks of a clip."""
        made = self.model.made_of.features
        assert made is not None
        return made.frames_a_clip

    @torch.inference_mode()
    def _moments(self) -> Moments:
        """What the temporal head makes of the query and all clips, each the mean of its frames and their patches."""
        key = self._query, self.ticks
        if self._found is None or self._found[0] != key:
            parts = torch.cat(self._means).split(self._each)
            clips = torch.stack([part.mean(0) for part in parts])[None].to(self.model.device)
            known = torch.ones(clips.shape[:2], dtype=torch.bool, device=clips.device)
            self._found = key, self._head("temporal", self.ticks, {"video": clips, "video_known": known})
        return self._found[1]

    @torch.inference_mode()
    def _head(self, name: str, seen: int, inputs: dict[str, Tensor]) -> Any:
        """What a head makes of the query and the first `seen` ticks; it is given the states of the question's words, too."""
        if name not in self.model.tokens.heads:
            raise ModelError(
                f"{self.model.name} has no {name} head", hint="name it in the recipe: docs/train.md"
            )
        spoken = self._spoken(name, seen)
        token = self.model.pairs[name][1]
        at = max(k for k, word in enumerate(spoken.ids) if word == token)
        with self._precise():
            states = self.model.states(self._embed(spoken.ids, seen))
            words = states[:, torch.tensor(spoken.asked, device=states.device)]
            known = torch.ones(words.shape[:2], dtype=torch.bool, device=states.device)
            made = self.model.tokens.heads[name](
                states[:, at], {**inputs, "text": words, "text_known": known}
            )
        return made

    @torch.inference_mode()
    def _first(self, seen: int) -> tuple[str | None, dict[str, float]]:
        """The head whose first word the model says, and how likely it is to say each head's."""
        spoken = self._spoken(None, seen)
        with self._precise():
            states = self.model.states(self._embed(spoken.ids[: spoken.taught.index(True)], seen))
            likely = self.model.logits(states[0, -1:]).softmax(-1)[0]
        best = int(likely.argmax())
        begins = {name: begin for name, (begin, _) in self.model.pairs.items()}
        route = next((name for name, begin in begins.items() if begin == best), None)
        return route, {name: float(likely[begin]) for name, begin in begins.items()}

    def _spoken(self, head: str | None, seen: int) -> Spoken:
        """The question as the model was taught it; behind it the pair of words of a head (any, where only the question counts)."""
        if not self.ticks:
            raise InputError("nothing has been seen yet; see() some ticks first")
        kind = HEADS[head or next(iter(self.model.pairs))]
        shown = len(self._shown(seen)) * self._backbone.patches
        return self.model.script.spoken([("user", self._query)], (kind.begin, kind.token), shown)

    def _shown(self, seen: int) -> list[int]:
        return spread(seen, self.model.made_of.frames)

    def _embed(self, ids: tuple[int, ...], seen: int) -> Tensor:
        """Tokens as vectors (1, L, E), with frames of the first `seen` ticks where any are shown."""
        device = self.model.device
        batch = {
            "ids": torch.tensor([ids], device=device),
            "boxes": torch.zeros(1, 4, device=device),
        }
        if seen:
            batch["frames"] = torch.cat(self._frames)[self._shown(seen)].to(device)
        return self.model.embed(batch)

    @contextmanager
    def _precise(self) -> Iterator[None]:
        """Computes as in training where the language model is not of float32."""
        dtype = self.model.base.get_input_embeddings().weight.dtype
        with torch.autocast(self.model.device.type, dtype, enabled=dtype != torch.float32):
            yield
