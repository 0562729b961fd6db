"""One source being watched: ticks go into the duet, what the user asks too, and out come events and turns.

    with model.watch("a.mp4", "tell me whenever something enters") as watch:
        for turn in watch:                      # or: async for turn in watch
            print(turn.time, turn.text)
            watch.say("what happens ?")         # at any time, from any thread

Files go in chunks, as fast as they decode; of what plays by a clock of its own, ticks go as they come. Every time that
comes out is on the video's clock, from which the duet's falls behind where ticks were dropped.
"""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeGuard

import numpy as np

from kairos.errors import InputError
from kairos.model.trigger import SMOOTHING, Trigger
from kairos.tasks import evidence, segments
from kairos.tasks.events import Ended, Event, Noticed, Scored, Started
from kairos.tasks.stream import CHUNK_TICKS, damage
from kairos.timeline import Answer, Curve, Timeline, Turn

if TYPE_CHECKING:
    from kairos.tasks.protocol import Duet, DuetModel
    from kairos.timeline.journal import Journal
    from kairos.video import Tick
    from kairos.video.follow import Live

__all__ = ["Watch"]

KINDS = {"magqa": "watch", "caption": "caption", "ground": "ground", "highlight": "highlight"}
"""The kind of Answer that a preset ends in."""

HIGH = 0.5
"""How high smoothed relevance must be: as it is to ground, stretched over the whole to be a highlight."""

WAIT_S = 0.2
"""So long a step waits for a tick before it looks for questions again."""

MOST_NOTES = 20
"""So many notices are kept for the answers' notes; every one is told as it comes."""


@dataclass
class _Standing:
    """A query, since when it stands, and what came of it."""

    text: str
    since: float
    turns: list[Turn] = field(default_factory=list)
    times: array[float] = field(default_factory=lambda: array("d"))
    relevance: array[float] = field(default_factory=lambda: array("d"))
    informative: array[float] = field(default_factory=lambda: array("d"))


class Watch:
    """Iterate it for the model's turns, or `events()` for everything that happens.

    It goes on only while it is iterated, so whoever is slow holds up a file, and misses part of what plays by its own
    clock. Leaving `with`, or `close()`, ends it. What was said is in `timeline`, during and after.
    """

    def __init__(
        self,
        model: DuetModel,
        duet: Duet,
        live: Live,
        started: Started,
        *,
        trigger: Trigger | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.started = started
        self.time = 0.0  # seconds of the video's clock, watched so far
        self.ticks = self.dropped = 0
        self.duration: float | None = None  # known when it is over
        self._model, self._duet, self._live, self._trigger = model, duet, live, trigger
        self._journal = journal
        self._asked: deque[str] = deque()
        self._pending: deque[Event] = deque()
        self._turns: list[Turn] = []
        self._standing: list[_Standing] = []
        self._notes: list[str] = []
        self._stepping = threading.RLock()
        self._closing: str | None = None  # why it is to end
        self._over = False
        self._error: Exception | None = None
        self._pending.append(started)
        for query in started.queries:
            self._hear(query)

    # for who listens -----------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order; what made it fail is raised when all else is told."""
        while self._pending or self._step():
            while self._pending:
                yield self._pending.popleft()
        self._raise()

    def __iter__(self) -> Iterator[Turn]:
        """The model's turns, as they happen."""
        return (event for event in self.events() if _is_reply(event))

    async def __aiter__(self) -> AsyncIterator[Turn]:
        """The same for an event loop, which stays free: each step runs in a thread."""
        while True:
            if not self._pending and not await asyncio.to_thread(self._step):
                break
            while self._pending:
                event = self._pending.popleft()
                if _is_reply(event):
                    yield event
        self._raise()

    @property
    def queries(self) -> tuple[str, ...]:
        """The standing queries, by number."""
        return tuple(standing.text for standing in self._standing)

    @property
    def timeline(self) -> Timeline:
        """All turns so far, then an Answer for each standing query."""
        return Timeline([*self._turns, *self.answers()], self.started.source, self.duration)

    def answers(self) -> tuple[Answer, ...]:
        """What is known by now, for each standing query: what was told when (presets magqa and caption), or where it is
        relevant (ground and highlight), with the relevance smoothed as in MMDuet 6.1."""
        with self._stepping:
            return tuple(self._answer(standing) for standing in self._standing)

    # for who speaks ------------------------------------------------------------------------------------------

    def say(self, query: str) -> None:
        """Puts another standing query, which counts from the next tick on; from any thread.

        One with words that the model does not know is answered by a turn that names them. Raises InputError where the
        query is empty, or when it is over.
        """
        words = " ".join(query.split()) if isinstance(query, str) else ""
        if not words or words != words.encode("utf-8", "replace").decode():
            raise InputError("watch: the query is empty or no text", hint="say in words what to look for")
        if self._over:
            raise InputError("watch: it is over, nothing can be asked any more", hint="watch it again")
        self._asked.append(words)

    def close(self, reason: str = "closed") -> None:
        """Ends it and finishes the file that it saves; from any thread, as often as one likes."""
        self._closing = self._closing or reason  # a step that is about to begin ends it instead
        with self._stepping:
            self._end(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("interrupted" if kind is KeyboardInterrupt else "closed")

    # one step ------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Hears what is asked, watches the next ticks, says what there is to say; False when it is over.

        Where nothing comes it returns soon, so that questions and `close` need not wait for the source.
        """
        with self._stepping:
            if self._closing is not None:
                self._end(self._closing)
            if self._over:
                return bool(self._pending)
            try:
                while self._asked:
                    self._hear_later(self._asked.popleft())
                ticks = self._take() if self._standing and self._error is None else []
                while self._live.events:
                    notice = self._live.events.popleft()
                    if (
                        notice.kind != "end" or self._live.duration is None
                    ):  # that a file ends was to be expected
                        self._notice(*notice)
                if ticks:
                    self._see(ticks)
                elif self._error is not None:
                    raise self._error
                elif self._live.over:
                    self._end("end")
                elif not self._standing:  # nothing was asked that this model understands
                    self._end("closed")
            except Exception as error:
                self._error = error
                self._notice(self.time, "failed", str(error))
                self._end("failed")
            return True

    def _take(self) -> list[Tick]:
        """The next ticks: of a file a chunk, of what plays by its own clock those that are there.

        What breaks the source is kept until all that came before is watched.
        """
        ticks: list[Tick] = []
        wait_s = WAIT_S
        try:
            while len(ticks) < CHUNK_TICKS and (tick := self._live.poll(wait_s)) is not None:
                ticks.append(tick)
                wait_s = 0.0 if self._live.paced else WAIT_S
        except Exception as error:
            self._error = error
        return ticks

    def _see(self, ticks: Sequence[Tick]) -> None:
        ends = [self._end_of(tick) for tick in ticks]
        said = self._duet.see(np.stack([tick.image for tick in ticks]), self._sound(ticks))
        before, self.ticks, self.time = self.ticks, self.ticks + len(ticks), ends[-1]
        self.dropped += sum(tick.dropped for tick in ticks)
        for number, standing in enumerate(self._standing):
            self._score(number, standing, ends)
        for turn in said:
            at = min(max(round(turn.time * self.started.fps) - before - 1, 0), len(ends) - 1)
            scores = {"relevance": turn.relevance, "informative": turn.informative}
            self._turn("assistant", turn.text, ends[at], turn.query, confidence=turn.confidence, extra=scores)

    def _end_of(self, tick: Tick) -> float:
        """Seconds; the last tick of a file ends with the file."""
        end, last = tick.time + 1.0 / self.started.fps, self._live.duration
        return min(end, last) if last is not None and tick.time < last else end

    def _sound(self, ticks: Sequence[Tick]) -> np.ndarray | None:
        heard = [tick.audio for tick in ticks]
        silence = next((np.zeros_like(block) for block in heard if block is not None), None)
        if silence is None:
            return None
        return np.concatenate([silence if block is None else block for block in heard])

    def _score(self, number: int, standing: _Standing, ends: list[float]) -> None:
        scores = self._duet.scores(number, last=len(ends))
        count = min(len(ends), len(scores.times))
        if not count:
            return
        scored = Scored(
            query=number,
            times=tuple(ends[-count:]),
            relevance=tuple(map(float, scores.relevance[-count:])),
            informative=tuple(map(float, scores.informative[-count:])),
        )
        for name in ("times", "relevance", "informative"):
            getattr(standing, name).extend(getattr(scored, name))
        self._pending.append(scored)

    def _notice(self, time: float, kind: str, text: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(text)
        self._pending.append(Noticed(time=time, kind=kind, text=text))

    # turns ---------------------------------------------------------------------------------------------------

    def _hear(self, query: str) -> None:
        """A query is put now; where the model has not the words for it, it says so."""
        if words := tuple(self._model.unknown_words(query)):
            self._turn("user", query, self.time)
            text = evidence.refusal("watch", words)
            self._turn("assistant", text, self.time, query=query, extra={"unknown_words": list(words)})
            return
        self._duet.say(query)
        self._standing.append(_Standing(query, self.time))
        self._turn("user", query, self.time, len(self._standing) - 1)

    def _hear_later(self, query: str) -> None:
        """The same while it plays: a query that cannot be put does not end the watching."""
        try:
            self._hear(query)
        except InputError as error:
            self._notice(self.time, "refused", str(error))

    def _turn(
        self,
        role: str,
        text: str,
        time: float,
        number: int | None = None,
        query: str | None = None,
        **rest: Any,
    ) -> None:
        """One turn, kept before anyone hears of it. A query's turn has an id, and its replies name that as their parent."""
        if number is not None:
            query = self._standing[number].text
            rest |= {"id": f"query-{number}"} if role == "user" else {"parents": (f"query-{number}",)}
        turn = Turn(role, text, time, None if role == "user" else query, **rest)
        self._turns.append(
            turn
        )  # first: what the file misses by an interruption, it gets when it is finished
        if self._journal is not None:
            self._journal.append(turn)
        if number is not None and role == "assistant":
            self._standing[number].turns.append(turn)
        self._pending.append(turn)

    # the end -------------------------------------------------------------------------------------------------

    def _end(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self.duration = max(self._live.duration or 0.0, self.time)
        if (video := self._live.video) is not None and reason == "end":
            for text in damage(video, 0.0, video.duration, self.time):
                self._notice(self.time, "damaged", text)
        try:
            if self._journal is not None:
                self._journal.finish(self.timeline)
        except Exception as error:
            self._error = self._error or error
        finally:
            self._live.close()
        turns = sum(_is_reply(turn) for turn in self._turns)
        self._pending.append(
            Ended(time=self.time, ticks=self.ticks, turns=turns, dropped=self.dropped, reason=reason)
        )

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _answer(self, standing: _Standing) -> Answer:
        preset, tick_s = self.started.preset, 1.0 / self.started.fps
        name = "informative" if preset == "caption" else "relevance"
        curve = Curve(name, np.array(standing.times), np.array(getattr(standing, name)))
        if preset in SMOOTHING:
            curve = segments.smooth(curve, SMOOTHING[preset], tick_s)
        if preset == "highlight":
            curve = evidence.stretch(curve)
        if preset == "caption":
            moments = segments.steps(standing.turns, standing.since)
        elif preset in SMOOTHING:
            moments = segments.relevant(curve, self._high(), tick_s)
        else:
            moments = segments.pinned(standing.turns, tick_s)
        if preset == "ground" and moments:
            told = evidence.span_words(moments[0])
        else:
            told = "; ".join(moment.label for moment in moments if moment.label)
        return Answer(
            kind=KINDS[preset],
            query=standing.text,
            text=told if moments else "nothing was found" if preset in SMOOTHING else "nothing was said",
            moments=moments,
            abstained=not moments,
            curve=curve,
            notes=tuple(self._notes),
            video=self.started.source,
            model=self.started.model,
            duration=self.duration,
        )

    def _high(self) -> float:
        """Relevance from which a tick counts; a highlight stands above the middle of what there is."""
        given = (
            None if self._trigger is None or self.started.preset == "highlight" else self._trigger.threshold
        )
        return HIGH if given is None else given


def _is_reply(event: Event) -> TypeGuard[Turn]:
    return isinstance(event, Turn) and event.role == "assistant"
