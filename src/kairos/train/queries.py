"""Batches of clips with queries: drawn anew at each step from the pool's scenes, as tensors.

Shapes: B clips, Q queries (grounding first, then questions, captions, standing queries and requests), T ticks, S slots, L words, A answer words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kairos.model.spelled import LAST, spell
from kairos.model.task_tokens import HEADS
from kairos.train.batches import Batches
from kairos.train.dialogue import Reply, Sequences, Words, due, sampled
from kairos.train.duet import Labels, labels
from kairos.train.examples import HEAD_OF
from kairos.train.moments import MAX_WINDOWS
from kairos.train.pool import Pool, identity, tick_times
from kairos.world.labels import NOTHING
from kairos.world.language import Query, Speaker, Standing
from kairos.world.lexicon import EVENTS
from kairos.world.places import Request, requests
from kairos.world.raster import boxes_at
from kairos.world.scene import Scene, states_at
from kairos.world.wording import names_in, things_named

QUERY_WORDS, ANSWER_WORDS = 18, 12
HEADED = ("region", "temporal", "mask")  # the heads that requests are for
_SHARES = {"locate": 3, "track": 1, "segment": 1, "ground": 1}  # of the requests, in the order of `requests`


@dataclass(frozen=True)
class Counts:
    """Queries a clip, by kind."""

    ground: int
    ask: int = 0
    caption: int = 0
    watch: int = 0
    place: int = 0

    @property
    def total(self) -> int:
        return self.ground + self.ask + self.caption + self.watch + self.place


class QueryBatches(Batches):
    """Batch k is drawn from seed and k alone."""

    def __init__(
        self,
        pool: Pool,
        words: Words,
        fps: float,
        seed: int,
        clips: int,
        counts: Counts,
        truncated: float,
        first: int,
        steps: int,
        tokens: int = 0,
        heads: Mapping[str, bool] | None = None,
        **ways: str,
    ) -> None:
        """`tokens` a tick in the language model's context; `ways` are those of `duet.magqa` (insertion, informative).

        `heads` are those that requests are for, and whether their answers are spelled in words. Where the temporal head is
        one of them, sentences of what happens teach it, too.
        """
        super().__init__(first, steps)
        self.tokens, self.ways = tokens, ways
        self.heads = dict(heads or {})
        self.pool, self.words, self.fps, self.seed, self.clips = pool, words, fps, seed, clips
        self.counts, self.truncated = counts, truncated

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, 3, step))
        indices = rng.choice(len(self.pool), self.clips, replace=False).tolist()
        seen, thing = self.pool.clips(indices)
        scenes = [self.pool.scene(i) for i in indices]
        ticks = np.array([self.pool.counts[i] for i in indices])
        targets = Targets(self.clips, self.counts.total, thing.shape[1], self.fps)
        ground, ask, caption = self.counts.ground, self.counts.ask, self.counts.caption
        duets = Sequences(self.clips, thing.shape[1], self.tokens, words=ANSWER_WORDS)
        for b, scene in enumerate(scenes):
            speaker = Speaker(scene, rng)
            slots = thing[b].numpy()
            for q, query in enumerate(speaker.ground(ground)):
                cut = (
                    int(rng.integers(ticks[b] // 3, ticks[b])) if rng.random() < self.truncated else ticks[b]
                )
                who = subject(scene, query.query, slots)
                targets.put(b, q, query, self.words, cut, who, "temporal" in self.heads)
                if self.heads.get("temporal"):
                    targets.spell(b, q, self.words)
            for q, query in enumerate(speaker.ask(ask) if ask else [], ground):
                targets.put(b, q, query, self.words, ticks[b], subject(scene, query.query, slots))
            for q, query in enumerate(speaker.caption(caption) if caption else [], ground + ask):
                targets.put(b, q, query, self.words, ticks[b], subject(scene, query.query, slots))
            for q, standing in enumerate(speaker.watch(self.counts.watch), ground + ask + caption):
                who = subject(scene, standing.query, slots)
                sample = sampled(standing, ticks[b] / self.fps, rng, **self.ways)
                told = None if sample is None else labels(sample, self.fps)
                replies = [] if sample is None or told is None else due(sample, told, self.words, self.fps)
                targets.stand(b, q, standing, self.words, ticks[b], told, replies, who, rng)
                if q == ground + ask + caption:
                    asked = 0 if told is None else told.asked
                    told_to = self.words(standing.query)[:QUERY_WORDS]
                    duets.put(b, told_to, replies, asked, int(ticks[b]), kept=rng.random() < 0.5)
            if self.counts.place:
                first = self.counts.total - self.counts.place
                for q, request in enumerate(self._requests(scene, int(ticks[b]), rng), first):
                    targets.place(b, q, scene, request, self.words, slots, int(ticks[b]), rng)
                    if self.heads[HEAD_OF[request.task]]:
                        targets.spell(b, q, self.words)
        events, colours, shapes = [], [], []
        for scene, rows, count in zip(scenes, thing.numpy(), ticks, strict=True):
            colour, shape = identity(scene, rows)
            events.append(_events(scene, rows, count, self.fps))
            colours.append(colour)
            shapes.append(shape)
        return {
            **{f"seen_{i}": x for i, x in enumerate(seen.fields())},
            "step": torch.tensor([step]),
            "ticks": torch.as_tensor(ticks),
            "slot_event": torch.as_tensor(np.stack(events)),
            "slot_colour": torch.as_tensor(np.stack(colours)),
            "slot_shape": torch.as_tensor(np.stack(shapes)),
            **targets.tensors(),
            **(
                duets.arrays() | {"duet_query": torch.tensor([ground + ask + caption])}
                if self.counts.watch
                else {}
            ),
        }

    def _requests(self, scene: Scene, ticks: int, rng: np.random.Generator) -> list[Request]:
        """Requests for places, half of them, for paths, masks and moments: what there are heads for."""
        n, times = self.counts.place, tick_times(scene.duration, self.fps)[:ticks]
        weight = {task: share for task, share in _SHARES.items() if HEAD_OF[task] in self.heads}
        *few, (most, _) = sorted(weight.items(), key=lambda item: item[1])
        count = {task: n * share // sum(weight.values()) for task, share in few}
        count[most] = n - sum(count.values())
        locate, track, segment, ground = (count.get(task, 0) for task in _SHARES)
        return requests(scene, rng, locate, track, segment, ground, times=times)


def _events(scene: Scene, thing: np.ndarray, count: int, fps: float) -> np.ndarray:
    """What each slot's thing does at each tick (T, S): 0 nothing, 1 + index into EVENTS; NOTHING where there is none."""
    now = np.zeros((len(scene.things) + 1, len(thing)), np.int64)
    now[-1] = NOTHING
    centre = (np.arange(len(thing)) + 0.5) / fps
    for e in scene.events:
        on = (centre >= e.start) & (centre < e.end)
        now[e.thing][on] = 1 + EVENTS.index(e.kind)
        if e.kind == "collide":
            now[e.other][on] = 1 + EVENTS.index(e.kind)
    return now[thing, np.arange(len(thing))[:, None]]


def subject(scene: Scene, text: str, thing: np.ndarray) -> np.ndarray:
    """The slot that shows the first thing that a query names, (T,); NOTHING where none does. `thing` is (T, S)."""
    names = names_in(text)
    named = things_named(scene, names[0]) if names else []
    if len(named) != 1:
        return np.full(len(thing), NOTHING)
    shown = thing == named[0]
    return np.where(shown.any(1), shown.argmax(1), NOTHING)


class Targets:
    """Truth of queries on the grid of ticks, filled in one by one."""

    def __init__(self, clips: int, queries: int, ticks: int, fps: float) -> None:
        self.fps = fps
        shape = (clips, queries, ticks)
        self.query = np.zeros((clips, queries, QUERY_WORDS), np.int64)
        self.answer = np.zeros((clips, queries, ANSWER_WORDS), np.int64)
        self.length = np.ones((clips, queries), np.int64)
        self.heard = np.zeros((clips, queries, 2), np.int64)  # ticks that causal scores are learned on
        self.present, self.asked, self.said = (np.zeros((clips, queries), np.float32) for _ in range(3))
        self.relevance, self.informative, self.start, self.end = (
            np.zeros(shape, np.float32) for _ in range(4)
        )
        self.subject = np.full(shape, NOTHING)
        self.start_offset, self.end_offset, self.span = (np.zeros(shape, np.float32) for _ in range(3))
        self.head = np.full(
            (clips, queries), NOTHING
        )  # index into `HEADED` of the task head that is asked for
        self.box, self.given = (np.zeros((clips, queries, 4), np.float32) for _ in range(2))
        self.boxed = np.zeros((clips, queries), np.float32)  # whether there is a box to be found
        self.unasked = np.zeros(
            (clips, queries), np.float32
        )  # whether the pair of tokens is given, not taught
        # the moments to be found, in seconds; -1 where there is none
        self.window = np.full((clips, queries, MAX_WINDOWS, 2), -1.0, np.float32)

    def put(
        self,
        b: int,
        q: int,
        query: Query,
        words: Words,
        ticks: int,
        subject: np.ndarray,
        handed: bool = False,
    ) -> None:
        """One query of a clip of which `ticks` ticks are seen; `subject` (T,) is the slot of who it is about.

        With `handed` a sentence of what happens teaches the temporal head its moments; it is handed over unasked, so that the
        model learns to answer it, not to hand it over.
        """
        self.subject[b, q] = subject
        ids = words(query.query)[:QUERY_WORDS]
        self.query[b, q, : len(ids)] = ids
        self.length[b, q] = ticks
        self.heard[b, q] = 0, ticks
        centre = np.arange(self.relevance.shape[-1]) + 0.5
        if query.kind != "ground":
            text = [*words(query.text), END_ID][:ANSWER_WORDS]
            self.answer[b, q, : len(text)] = text
            self.said[b, q] = 1
        if query.kind == "caption":
            start, end = (t * self.fps for t in query.moments[0])
            self.span[b, q] = (centre >= start) & (centre < end) & (centre < ticks)
            return
        self.asked[b, q] = 1
        shown = 0
        for start, end in query.moments:
            start, end = start * self.fps, min(end * self.fps, float(ticks))
            on = (centre >= start) & (centre < end)
            if not on.any():
                continue
            self.relevance[b, q, on] = 1
            self.informative[b, q] = np.maximum(self.informative[b, q], on & (centre >= (start + end) / 2))
            self._point(b, q, on, start, end)
            if handed and shown < MAX_WINDOWS:
                self.window[b, q, shown] = start / self.fps, end / self.fps
                shown += 1
        if handed:
            self._hand(b, q, "temporal")
            self.unasked[b, q] = 1

    def _point(self, b: int, q: int, on: np.ndarray, start: float, end: float) -> None:
        """A moment from `start` to `end`, in ticks, that holds the ticks `on`."""
        self.present[b, q] = 1
        a, z = np.flatnonzero(on)[[0, -1]]
        self.start[b, q, a] = self.end[b, q, z] = 1
        self.start_offset[b, q, a], self.end_offset[b, q, z] = start - a, end - (z + 1)

    def stand(
        self,
        b: int,
        q: int,
        standing: Standing,
        words: Words,
        ticks: int,
        told: Labels | None,
        replies: list[Reply],
        subject: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """A standing query: scored at every tick since it was put; one of its replies, at random, is said when it is due,
        from what has been seen by then.
        """
        self.subject[b, q] = subject
        ids = words(standing.query)[:QUERY_WORDS]
        self.query[b, q, : len(ids)] = ids
        self.asked[b, q] = 1
        self.heard[b, q] = 0 if told is None else told.asked, ticks
        if told is not None:
            assert told.informative is not None
            self.informative[b, q, : len(told.informative)] = told.informative
        if replies:
            reply = replies[int(rng.integers(len(replies)))]
            self.length[b, q] = reply.tick + 1
            text = [*reply.words, END_ID][:ANSWER_WORDS]
            self.answer[b, q, : len(text)] = text
            self.said[b, q] = 1
            self.span[b, q, reply.first : reply.tick + 1] = 1
        else:
            self.length[b, q] = int(rng.integers(ticks // 3, ticks + 1))
        centre, seen = np.arange(self.relevance.shape[-1]) + 0.5, self.length[b, q]
        for (start, end), _ in standing.answers:
            start, end = start * self.fps, end * self.fps
            self.relevance[b, q, (centre >= start) & (centre < end)] = 1
            end = min(end, float(seen))
            if (on := (centre >= start) & (centre < end)).any():
                self._point(b, q, on, start, end)

    def place(
        self,
        b: int,
        q: int,
        scene: Scene,
        request: Request,
        words: Words,
        slots: np.ndarray,
        ticks: int,
        rng: np.random.Generator,
    ) -> None:
        """A request for a place, a path, a mask or a moment, answered with the tokens of its head.

        It is relevant when who it is about is seen in the `slots` (T, S), or when what it asks for happens. A path or a mask by
        words starts at any tick at which its thing is seen; who is told by a deed is known in the last third only.
        """
        self._hand(b, q, HEAD_OF[request.task])
        ids = words(request.query)[:QUERY_WORDS]
        self.query[b, q, : len(ids)] = ids
        shown = slots == request.thing
        seen = shown.any(1) & (request.thing >= 0) & (np.arange(len(shown)) < ticks)
        self.subject[b, q] = np.where(seen, shown.argmax(1), NOTHING)
        tick, box = ticks - 1, request.box
        if request.at is not None:
            tick = int(request.at * self.fps)
        elif request.task != "ground" and seen.any():
            late = seen & (np.arange(len(seen)) >= 2 * ticks // 3) if "deed" in request.tags else seen
            tick = int(rng.choice(np.flatnonzero(late if late.any() else seen)))
            now = states_at(scene, np.array([(tick + 0.5) / self.fps]))
            x1, y1, x2, y2 = boxes_at(now, request.thing)[0].clip(0, 1).tolist()
            box = (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
        self.length[b, q] = tick + 1
        if "box" in request.tags:  # words do not say who it is
            assert box is not None
            self.given[b, q] = box
        else:
            self.asked[b, q] = 1
            self.heard[b, q] = (tick if "deed" in request.tags else 0), ticks
        if request.task == "ground":
            for start, end in request.moments:
                start, end = start * self.fps, min(end * self.fps, float(ticks))
                centre = np.arange(len(seen)) + 0.5
                if (on := (centre >= start) & (centre < end)).any():
                    self.relevance[b, q, on] = 1
                    self.window[b, q, 0] = start / self.fps, end / self.fps
                    self._point(b, q, on, start, end)
            return
        self.relevance[b, q] = seen
        if box is not None:
            self.box[b, q], self.boxed[b, q], self.present[b, q] = box, 1, 1

    def _hand(self, b: int, q: int, head: str) -> None:
        """What is asked for is a head's to give."""
        self.answer[b, q, :3] = *HEADS[head].pair(), END_ID
        self.said[b, q], self.head[b, q] = 1, HEADED.index(head)

    def spell(self, b: int, q: int, words: Words) -> None:
        """What a head would give, in words behind its task token, where there is such an answer."""
        told: list[float] = []
        if self.head[b, q] == HEADED.index("temporal"):
            told = [t * self.fps for t in self.window[b, q, 0].tolist() if t >= 0]
        elif self.boxed[b, q]:
            told = [LAST * side for side in self.box[b, q].tolist()]
        ids = [*self.answer[b, q, :2].tolist(), *words(spell(told)), END_ID]
        self.answer[b, q] = 0
        self.answer[b, q, : len(ids)] = ids

    def tensors(self) -> dict[str, Tensor]:
        self.query, self.answer = (
            x[..., : max(1, int((x != 0).sum(-1).max()))] for x in (self.query, self.answer)
        )
        return {k: torch.as_tensor(v) for k, v in self.__dict__.items() if isinstance(v, np.ndarray)}


END_ID = 2  # the tokenizer's <end>; <say> is 3 (kairos.model.words.SPECIAL)
