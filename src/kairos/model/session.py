"""A session: the conversation in which the video is a third participant (MMDuet), and all that is remembered of it.

The user may speak before, between or after what is seen. Feeding ticks one at a time, in chunks or all at once gives the
same scores and the same words: attention over time is causal with a bounded window whose keys and values are kept, and what
looks both ways (spans, presence, the answer) is computed when asked for, over all ticks seen by then.

Kept per tick: its frame state and names (about 14 KB), so an hour at 2 ticks a second is 100 MB.

Shapes: T ticks, N tokens a frame state, S slots, Q queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kairos.errors import InputError, ModelError, OptionError
from kairos.model.handover import Seen, handed, look
from kairos.model.intake import Intake
from kairos.model.kairos import KairosModel
from kairos.model.names import Frames, join
from kairos.model.pointer import Span, spans_of
from kairos.model.region import ordered
from kairos.model.say import Ground, padded, say
from kairos.model.spelled import LAST, read
from kairos.model.task_tokens import TASKS
from kairos.model.track import Final, Query, TrackPast

_CUP = 0.5  # from this probability on a slot is a cup
_CHUNK = 64  # ticks that pass the network at once, so that memory stays bounded however much is fed


@dataclass(frozen=True)
class Turn:
    """Who said what, when: `role` is user or assistant, `time` in seconds of what had been seen."""

    role: str
    text: str
    time: float


@dataclass(frozen=True)
class Scores:
    """Causal scores of the current query: `times` (T,) are the ends of the ticks in seconds, the others (T,) in [0, 1]."""

    times: NDArray[np.float64]
    relevance: NDArray[np.float64]
    informative: NDArray[np.float64]


@dataclass(frozen=True)
class Reply:
    """What the model says. `confidence` is the probability of its words; `abstained` where it holds there is no answer."""

    text: str
    confidence: float
    spans: tuple[Span, ...]
    abstained: bool


@dataclass(frozen=True)
class Place:
    """A box, xyxy in fractions of the picture, and how sure it is that the thing is there."""

    box: tuple[float, float, float, float]
    confidence: float


@dataclass
class _Query:
    """One query and how far it has followed the stream."""

    text: str
    words: Tensor
    query: Query  # (1, 1, ...)
    box: Tensor | None = None  # (1, 4): what <track_box> stands for
    past: TrackPast = field(default_factory=TrackPast)
    looked: list[Tensor] = field(default_factory=list)  # (1, 1, t, W)
    tracked: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)  # (1, 1, t, 2)
    chunks: int = 0  # of the session's, already followed
    final: tuple[int, Final] | None = None  # at so many ticks


class Session:
    """A conversation about one stream of ticks. Not for several threads at once."""

    def __init__(self, model: KairosModel) -> None:
        self.model = model
        self.turns: list[Turn] = []
        self._intake = Intake(model)
        self._duration: float | None = None
        self._frames: list[Frames] = []  # of t ticks each
        self._queries: list[_Query] = []  # the last is the current one

    # the stream ----------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def see(self, frames: NDArray[np.uint8], audio: NDArray[np.float32] | None = None) -> None:
        """The next n ticks: RGB frames (n, S, S, 3) at their middles, their sound (n * audio_rate / fps,) or None.

        Raises InputError where the shapes do not fit the model's.
        """
        for fused in self._intake.see(frames, audio, _CHUNK):
            self._frames.append(fused)
            if self._queries:
                self._follow(self._queries[-1])

    @property
    def ticks(self) -> int:
        return self._intake.ticks

    def end(self, duration_s: float) -> None:
        """How long the stream really is; spans are cut there."""
        if not 0 <= duration_s < float("inf"):
            raise OptionError(
                f"a duration of {duration_s} s is impossible", option="duration_s", value=duration_s
            )
        self._duration = duration_s

    @property
    def time(self) -> float:
        """Seconds seen."""
        seen = self.ticks / self.model.config.fps
        return seen if self._duration is None else min(seen, self._duration)

    # the user ------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def say(self, text: str, box: Sequence[float] | None = None) -> None:
        """What the user asks; from now on the current query. A `<track_box>` in it stands for `box`, normalised xyxy."""
        words = self.model.words(text)
        if not words:
            raise InputError("the query is empty; say in words what to look for")
        self.turns.append(Turn("user", text, self.time))
        self._queries.append(self._open(text, words))
        if box is not None:
            self._queries[-1].box = torch.tensor([tuple(box)], device=self.model.device)
        if self._frames:
            self._follow(self._queries[-1])

    def _open(self, text: str, words: list[int]) -> _Query:
        ids = torch.tensor([words], device=self.model.device)
        return _Query(text, ids, self.model.query(ids, torch.ones_like(ids, dtype=torch.bool)).of(1))

    def _follow(self, query: _Query) -> None:
        for frames in self._frames[query.chunks :]:
            looked, _ = self.model.query_track.look(query.query, frames)
            tracked, scores, query.past = self.model.query_track.score(looked, query.past)
            query.looked.append(looked)
            query.tracked.append(tracked)
            query.scores.append(scores)
        query.chunks = len(self._frames)

    def rollback(self) -> None:
        """Forget the last thing said: a reply, or a query with what it found."""
        if not self.turns:
            raise InputError("nothing has been said yet")
        if self.turns.pop().role == "user":
            self._queries.pop()

    @property
    def _current(self) -> _Query:
        if not self._queries:
            raise InputError("no query yet; say() one first")
        query = self._queries[-1]
        if query.chunks < len(self._frames):  # an older query that is current again
            self._follow(query)
        return query

    # what is known -------------------------------------------------------------------------------------------

    @property
    def scores(self) -> Scores:
        """Relevance and informative scores of the current query; without one, of whether anything at all happens."""
        times = (np.arange(self.ticks) + 1) / self.model.config.fps
        if not self._queries:
            relevance, informative = self._anything()
            return Scores(times, relevance, informative)
        scores = _join(self._current.scores, 2).sigmoid()[0, 0].double().cpu().numpy()
        return Scores(times, scores[:, 0], scores[:, 1])

    @property
    def presence(self) -> float:
        """The probability that what the query is about is in what has been seen."""
        return float(self._final().presence.sigmoid())

    def spans(self, top: int = 5) -> list[Span]:
        """(start, end, score) in seconds, best first, not overlapping."""
        return self._spans(self._final(), 0, top)

    @torch.inference_mode()
    def online(self, threshold: float = 0.5) -> tuple[float, float, float] | None:
        """The strict online rule: (start, end, when it fired) in seconds, or None where it never fires.

        When a run of relevance above the threshold closes (or the stream ends), the pointer reads its span off the ticks seen
        so far, provided that the query is held to be present in them.
        """
        for time, presence, (start, end, _) in self.closings(threshold):
            if presence >= self.model.config.fire_threshold:
                return start, end, time
        return None

    def closings(self, threshold: float = 0.5) -> Iterator[tuple[float, float, Span]]:
        """Each time that a run of relevance above the threshold closes: seconds, presence by then, and the pointer's span."""
        above = self.scores.relevance > threshold
        closes = [k for k in range(1, self.ticks) if above[k - 1] and not above[k]]
        if self.ticks and above[-1]:
            closes.append(self.ticks - 1)
        tracked = _join(self._current.tracked, 2)
        for k in closes:
            ticks = torch.tensor([[k + 1]], device=self.model.device)
            with torch.inference_mode():
                final = self.model.query_track.conclude(tracked[:, :, : k + 1], ticks)
            for span in self._spans(final, 0, 1):
                yield (k + 1) / self.model.config.fps, float(final.presence.sigmoid()), span

    @torch.inference_mode()
    def _final(self) -> Final:
        query = self._current
        if not self.ticks:
            raise InputError("nothing has been seen yet; see() some ticks first")
        if query.final is None or query.final[0] != self.ticks:
            ticks = torch.tensor([[self.ticks]], device=self.model.device)
            query.final = self.ticks, self.model.query_track.conclude(_join(query.tracked, 2), ticks)
        return query.final[1]

    def _spans(self, final: Final, q: int, top: int) -> list[Span]:
        return spans_of(final, q, self.model.config.fps, self.time, top)

    # the model's words ---------------------------------------------------------------------------------------

    def reply(self, max_words: int = 24) -> Reply:
        """Answer the current query from all ticks seen."""
        ((text, confidence),) = self._say(self._current, self._final(), None, max_words)
        self.turns.append(Turn("assistant", text, self.time))
        absent = text == self.model.config.absent_text
        return Reply(text, confidence, () if absent else tuple(self.spans()), absent)

    def answers(self, top: int = 5, max_words: int = 24) -> list[tuple[float, float, str, float]]:
        """(start, end, words, score) of the current query's spans, by time: each is told as if it alone were asked for."""
        spans = self.spans(top)
        told = self._say(self._current, self._final(), spans, max_words)
        return sorted(
            (a, b, text, score * sure) for (a, b, score), (text, sure) in zip(spans, told, strict=True)
        )

    @torch.inference_mode()
    def _say(
        self, query: _Query, final: Final, spans: Sequence[Span] | None, max_words: int
    ) -> list[tuple[str, float]]:
        """One answer, or one to each span, which then is its evidence."""
        device, rows = self.model.device, 1 if spans is None else len(spans)
        if not rows:
            return []
        frames = join([f.map(lambda x: x.expand(rows, -1, -1, -1)) for f in self._frames])
        inside: Tensor | None = None
        if spans is not None:
            middles = (torch.arange(self.ticks, device=device) + 0.5) / self.model.config.fps
            inside = torch.stack([(middles >= a) & (middles < b) for a, b, _ in spans]).float()[:, None]
        ground = Ground(
            query.words.expand(rows, -1),
            frames,
            torch.full((rows,), self.ticks, device=device),
            Final(*(x.expand(rows, *x.shape[1:]) for x in vars(final).values())),
            _join(query.looked, 2).expand(rows, -1, -1, -1),
            inside,
        )
        return say(self.model, ground, max_words)

    # places and moments from the task heads ------------------------------------------------------------------

    def route(self) -> str | None:
        """What the model says that the current query asks for: "ground", "locate" or "segment"; None for an answer in words."""
        if self.model.handover is None:
            return None
        ground, seen, _ = self._as_of(None)
        return TASKS.get(handed(self.model, ground, seen).heads[0] or "")

    def best_tick(self) -> int:
        """The tick at which what the query is about is held to be seen best."""
        return int(self._final().relevance[0, 0].argmax())

    def cups(self, tick: int | None = None) -> list[tuple[float, float, float, float]]:
        """The boxes of the cups that stand in the picture of a tick (the last one), xyxy in fractions, from left to right."""
        frames, at = join(self._frames), self._seen_tick(tick)
        boxes, found = frames.boxes[0, at].tolist(), frames.cups[0, at, :, 0].tolist()
        kept: list[list[float]] = []
        for likely, box in sorted(zip(found, boxes, strict=True), reverse=True):
            if likely >= _CUP and all(
                abs(box[0] - k[0]) > k[2] / 2 or abs(box[1] - k[1]) > k[3] / 2 for k in kept
            ):
                kept.append(box)
        return [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in sorted(kept)]

    def place(self, tick: int | None = None) -> Place | None:
        """Where what the query is about is at a tick (the last one), from what was seen until then; None if it is not there.

        Other task heads than the region head leave it to the track: the box of the slot that it points at, as the tower sees
        it. Raises ModelError where the model has no task heads.
        """
        ground, seen, presence = self._as_of(tick)
        if presence < self.model.config.presence_threshold:
            return None
        box = self._box("region", ground, seen)
        if box is None:
            return None
        x1, y1, x2, y2 = (float(v) for v in ordered(box)[0])
        return Place((x1, y1, x2, y2), presence)

    def prompt(self, tick: int | None = None) -> Tensor | None:
        """What the follower starts from at a tick (the last one), (1, 3, C); None where it is not there. Raises ModelError."""
        ground, seen, presence = self._as_of(tick)
        if presence < self.model.config.presence_threshold:
            return None
        if not self._spells("mask"):
            return self._head("mask", ground, seen)
        box = self._box("mask", ground, seen)
        return (
            None if box is None or self.model.follower is None else self.model.follower.prompt(ordered(box))
        )

    @torch.inference_mode()
    def saliency(self) -> tuple[NDArray[np.float64], list[Span]]:
        """The temporal head's saliency of each tick, ranks only, 0 to 1, and its spans, best first. Raises ModelError."""
        from kairos.model.moments import windows

        ground, seen, _ = self._as_of(None)
        if self._spells("temporal"):
            return self._told(ground, seen)
        known = torch.ones(1, self.ticks, dtype=torch.bool, device=self.model.device)
        words = ground.words
        inputs = {
            "video": torch.cat([ground.final.states[:, 0], ground.frames.states.mean(2)], -1),
            "video_known": known,
            "text": self.model.speech.embed(words),
            "text_known": words != 0,
        }
        moments = self._head("temporal", ground, seen, inputs)
        score = moments.highlights()[0].double().cpu().numpy()
        ((*found,),) = windows(moments, [self.time], 1 / self.model.config.fps)
        return score, found

    def _seen_tick(self, tick: int | None) -> int:
        last = self.ticks - 1 if tick is None else tick
        if not 0 <= last < self.ticks:
            raise InputError(f"tick {last} has not been seen; there are {self.ticks}")
        return last

    def _as_of(self, tick: int | None) -> tuple[Ground, Seen, float]:
        """What the current query stands on as of a tick, what the track then looks at, and presence by then."""
        query, last = self._current, self._seen_tick(tick)
        with torch.inference_mode():
            tracked, looked = (_join(x, 2)[:, :, : last + 1] for x in (query.tracked, query.looked))
            ticks = torch.tensor([[last + 1]], device=self.model.device)
            final = self.model.query_track.conclude(tracked, ticks)
            frames = join(self._frames)
            frames = frames.map(lambda x: x[:, : last + 1])
            now = frames.map(lambda x: x[:, -1:])
            point = self.model.query_track.look(query.query, now)[1]
            seen = look(point, now, ticks * 0).row(0)
        ground = Ground(query.words, frames, ticks[0], final, looked, boxes=query.box)
        return ground, seen, float(final.presence.sigmoid())

    @torch.inference_mode()
    def _head(self, name: str, ground: Ground, seen: Seen, inputs: Mapping[str, Tensor] | None = None) -> Any:
        over = self.model.handover
        if over is None or name not in over.tokens.heads:
            raise ModelError(f"{self.model.name} has no {name} head; train one: docs/train.md")
        return over.tokens.heads[name](handed(self.model, ground, seen, name).state, inputs or {})

    def _spells(self, name: str) -> bool:
        over = self.model.handover
        return over is not None and over.tokens.spells(name)

    def _box(self, name: str, ground: Ground, seen: Seen) -> Tensor | None:
        """A box (1, 4) in [0, 1] from a head, or spelled in words; None where the words are no box."""
        if self.model.handover is not None and name not in self.model.handover.tokens.kinds():
            return seen.box
        if not self._spells(name):
            return self._head(name, ground, seen)
        found = read(handed(self.model, ground, seen, name).talk, 4)
        return None if found is None else torch.tensor([found], device=self.model.device) / LAST

    def _told(self, ground: Ground, seen: Seen) -> tuple[NDArray[np.float64], list[Span]]:
        """A span spelled in words, and 1 for the ticks that it holds; nothing where the words are no span."""
        score = np.zeros(self.ticks)
        found = read(handed(self.model, ground, seen, "temporal").talk, 2)
        if found is None or not found[0] < min(found[1], self.ticks):
            return score, []
        score[found[0] : found[1]] = 1
        start, end = (v / self.model.config.fps for v in found)
        return score, [(start, min(end, self.time), 1.0)]

    # captions ------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def captions(self, least: float = 0.35) -> list[tuple[float, float, str, float]]:
        """(start, end, words, score) of every event found, by time: each kind of event is a standing query of its own."""
        if not self.ticks:
            return []
        told: list[tuple[float, float, str, float]] = []
        final, _, _ = self._standing()
        for q, verb in enumerate(self.model.config.caption_verbs):
            spans = [span for span in self._spans(final, q, 6) if span[2] >= least]
            if float(final.presence[0, q].sigmoid()) < self.model.config.presence_threshold or not spans:
                continue
            describe = self._open("", self.model.words(self.model.config.caption_prompt.format(verb)))
            self._follow(describe)
            ticks = torch.tensor([[self.ticks]], device=self.model.device)
            own = self.model.query_track.conclude(_join(describe.tracked, 2), ticks)
            words = self._say(describe, own, spans, 16)
            told += [(a, b, text, s * sure) for (a, b, s), (text, sure) in zip(spans, words, strict=True)]
        return sorted(told)

    def _standing(self) -> tuple[Final, Tensor, Tensor]:
        """What every kind of event's own query finds, all in one batch."""
        config = self.model.config
        rows = [self.model.words(config.caption_query.format(verb)) for verb in config.caption_verbs]
        ids = padded(rows, self.model.device)
        queries = self.model.query(ids, ids != 0).of(1)
        past, tracked, scores = TrackPast(), [], []
        for frames in self._frames:
            y, s, past = self.model.query_track.score(self.model.query_track.look(queries, frames)[0], past)
            tracked.append(y)
            scores.append(s)
        ticks = torch.full((1, len(rows)), self.ticks, device=self.model.device)
        return self.model.query_track.conclude(_join(tracked, 2), ticks), _join(tracked, 2), _join(scores, 2)

    @torch.inference_mode()
    def _anything(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Relevance and informative scores of the likeliest kind of event at each tick."""
        if not self.ticks or not self.model.config.caption_verbs:
            return np.zeros(self.ticks), np.zeros(self.ticks)
        scores = self._standing()[2].sigmoid()[0].amax(0).double().cpu().numpy()
        return scores[:, 0], scores[:, 1]


def _join(parts: list[Tensor], dim: int) -> Tensor:
    """One tensor of many, kept in place of them so that the next time costs nothing."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)
