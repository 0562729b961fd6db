"""A Kairos model as a candidate: it runs its own tasks.

A view is watched once for all that is asked about it, one question after the other to the session that has seen it; only
following (`track`, `segment`) and watching as it plays start anew. Moments are told even where the model holds that the
thing is not there, as published protocols suppose that it is; `abstained` says so. A query with words that the model has never
seen is not put to it, and nothing counts as said.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos.bench.exams.exam import Box, Said, View
from kairos.bench.exams.views import opened
from kairos.errors import OptionError
from kairos.tasks import TASKS, evidence
from kairos.tasks.stream import Watched, watch
from kairos.timeline import Answer, Curve, Moment, Track

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model, Session

__all__ = ["Local"]

MAX_WORDS = 64
"""So long a reply may be: free-text answers of benchmarks are words, not essays."""


@dataclass
class _Seen:
    """A session that has seen a view, and the seconds that it took, which the first question about it pays."""

    view: View
    session: Session
    watched: Watched
    length: float
    took: float


class Local:
    """`model` sits the exam; `mark` is its hash. `frames`: so many are looked at in a view, at most."""

    def __init__(self, model: Any, mark: str, frames: int | None = None) -> None:
        self.model: Model = model
        self.name = str(model.name)
        self.mark = mark if frames is None else f"{mark}/{frames}"
        self._frames = frames
        self._last: _Seen | None = None
        self._lengths: dict[str, float] = {}

    def length(self, view: View) -> float:
        key = str(view.path)
        if key not in self._lengths:
            with opened(View(view.path, rate=view.rate)) as video:
                self._lengths[key] = float(video.duration)
        return self._lengths[key]

    # answers in words and moments ------------------------------------------------------------------------------------

    def ask(self, view: View, prompt: str) -> Said:
        def reply(seen: _Seen) -> tuple[Answer, str]:
            said = seen.session.reply(max_words=MAX_WORDS)
            moments = evidence.moments(self.model, seen.session, seen.watched, 5)
            found = Answer("ask", prompt, said.text, moments, abstained=bool(said.abstained))
            return found, said.text

        return self._put("ask", view, prompt, prompt, reply)

    def prove(self, view: View, prompt: str, question: str) -> Said:
        """The reply is to the prompt; the moments are those of the prompt, too: what is cited is what it was said from."""

        def reply(seen: _Seen) -> tuple[Answer, str]:
            said = seen.session.reply(max_words=MAX_WORDS)
            moments = self._moments(seen, 5)
            return Answer("ask", question, said.text, moments, abstained=bool(said.abstained)), said.text

        return self._put("ask", view, prompt, question, reply)

    def ground(self, view: View, query: str, top: int = 5) -> Said:
        def found(seen: _Seen) -> tuple[Answer, str]:
            presence, moments = float(seen.session.presence), self._moments(seen, top)
            answer = Answer(
                "ground",
                query,
                moments=moments,
                abstained=presence < evidence.presence_threshold(self.model) or not moments,
                confidence=min(max(presence, 0.0), 1.0),
                curve=evidence.curve("relevance", seen.session, seen.watched),
            )
            spans = [[round(m.start, 3), round(m.end, 3), round(m.score, 4)] for m in moments]
            return answer, json.dumps({"presence": round(presence, 4), "spans": spans})

        return self._put("ground", view, query, query, found)

    def caption(self, view: View) -> Said:
        def told(seen: _Seen) -> tuple[Answer, str]:
            moments = evidence.captions(seen.session, seen.watched)
            words = "; ".join(f"{evidence.span_words(m)}: {m.label}" for m in moments)
            return Answer("caption", moments=moments, abstained=not moments), words

        return self._put("caption", view, "", "", told)

    # what starts anew ------------------------------------------------------------------------------------------------

    def watch(self, view: View, query: str) -> Said:
        return self._run("watch", view, query)

    def announce(self, view: View, query: str, start: float, stop: float) -> Said:
        """The first turn after `start`; the model watches from the beginning, as whoever waits for something does."""
        said = self._run("watch", view, query)
        answer = Answer.from_dict(said.parsed)
        first = next((m for m in answer.moments if start <= m.end <= stop), None)
        kept = answer.replace(moments=() if first is None else (first,), abstained=first is None)
        return replace(said, parsed=kept.to_dict())

    def locate(self, view: View, query: str, times: Sequence[float] | None = None) -> Said:
        if times is None:
            return self._run("locate", view, query)
        said = [self._run("locate", view, query, at=time) for time in times]
        tracks = [Answer.from_dict(one.parsed).track for one in said]
        there = [(t, track.boxes[0]) for t, track in zip(times, tracks, strict=True) if track is not None]
        track = (
            Track(query, np.array([t for t, _ in there]), np.array([b for _, b in there])) if there else None
        )
        answer = Answer("locate", query, track=track, abstained=track is None, duration=self.length(view))
        took = sum(one.seconds["replying"] for one in said)
        return Said(
            query,
            "; ".join(one.raw for one in said),
            answer.to_dict(),
            {"count": len(times), "size": said[0].frames["size"]},
            {"watching": 0.0, "replying": round(took, 4)},
            _tokens(query, ""),
            said[0].unknown if said else (),
        )

    def track(self, view: View, query: str | None, box: Box | None = None) -> Said:
        return self._run("track", view, query, box=box, at=None if box is None else 0.0)

    def segment(self, view: View, query: str | None, box: Box | None = None, *, rate: float) -> Said:
        return self._run("segment", view, query, box=box, at=None if box is None else 0.0, rate=rate)

    def _run(self, task: str, view: View, query: str | None, **options: Any) -> Said:
        """The task itself, as `kairos TASK` runs it, with a view of at most one part."""
        if not hasattr(self.model, "duet" if task == "watch" else "follow"):
            raise OptionError(f"{self.name} cannot {task}", option="model", hint="give a model that can")
        began = time.perf_counter()
        with opened(View(view.path, rate=view.rate)) as video:
            length, size = float(video.duration), video.size
            if task in ("track", "segment"):
                options |= self._followed(view, length, options.get("rate"))
            answer = TASKS[task](self.model, video, query, **options)
        track = answer.track or answer.mask_track
        looks = len(track) if track is not None else round(length * float(self.model.config.fps))
        return Said(
            query or json.dumps(options.get("box")),
            answer.text,
            answer.replace(video=None, duration=length).to_dict(),
            {"count": looks, "from_s": 0.0, "to_s": round(length, 3), "size": list(size)},
            {"watching": 0.0, "replying": round(time.perf_counter() - began, 4)},
            _tokens(query or "", answer.text),
            answer.unknown_words,
        )

    def _followed(self, view: View, length: float, rate: float | None) -> dict[str, float | None]:
        """From when to when something is followed, and at which rate, that no more frames are looked at than may be."""
        start, end = view.parts[0] if view.parts else (0.0, length)
        follower = getattr(self.model, "follower", None)
        if self._frames is not None and follower is not None:
            rate = min(rate or float(follower.fps), self._frames / (min(end, length) - start))
        return {"rate": rate} | ({"start": start, "end": end} if view.parts else {})

    # watched once ----------------------------------------------------------------------------------------------------

    def _put(
        self, kind: str, view: View, prompt: str, query: str, work: Callable[[_Seen], tuple[Answer, str]]
    ) -> Said:
        unknown = tuple(self.model.unknown_words(prompt)) if prompt else ()
        if unknown:
            return self._refused(kind, view, prompt, query, unknown)
        seen = self._watched(view)
        waited, seen.took = seen.took, 0.0
        began = time.perf_counter()
        if prompt:
            seen.session.say(prompt)
        answer, raw = work(seen)
        taken = {"watching": round(waited, 4), "replying": round(time.perf_counter() - began, 4)}
        known = answer.replace(model=self.name, duration=seen.length, notes=seen.watched.notes)
        watched = seen.watched
        frames = {
            "count": round(watched.ticks * watched.looks / watched.fps),
            "fps": watched.looks,
            "from_s": watched.start,
            "to_s": watched.end,
        }
        return Said(prompt, raw, known.to_dict(), frames, taken, _tokens(prompt, raw))

    def _refused(self, kind: str, view: View, prompt: str, query: str, unknown: tuple[str, ...]) -> Said:
        length = self.length(view)
        flat = Curve("relevance", [0.0, max(length, 1e-3)], [0.0, 0.0])  # type: ignore[arg-type]
        answer = Answer(
            kind, query, abstained=True, unknown_words=unknown, model=self.name, duration=length, curve=flat
        )
        seconds = {"watching": 0.0, "replying": 0.0}
        return Said(prompt, "", answer.to_dict(), {"count": 0}, seconds, _tokens(prompt, ""), unknown)

    def _watched(self, view: View) -> _Seen:
        if self._last is None or self._last.view != view:
            self._last = None
            began = time.perf_counter()
            session, rate = self.model.session(), float(self.model.config.fps)
            with opened(view) as video:
                length = float(video.duration)
                start, end = view.parts[0] if len(view.parts) == 1 else (0.0, length)
                end = min(max(end, start + 1.0 / rate), length)
                looks = None
                if self._frames is not None and (end - start) * rate > self._frames:
                    looks = self._frames / (end - start)
                watched = watch(
                    session, video, config=self.model.config, start=start or None, end=end, fps=looks
                )
            self._lengths.setdefault(str(view.path), length)
            self._last = _Seen(view, session, watched, length, time.perf_counter() - began)
        return self._last

    def _moments(self, seen: _Seen, top: int) -> tuple[Moment, ...]:
        begin, end = seen.watched.start, seen.watched.end
        found = [
            Moment(begin + a, max(begin + a, begin + b), score).clamp(begin, end)
            for a, b, score in seen.session.spans(top=top)
        ]
        return tuple(sorted((m for m in found if m.duration > 0), key=lambda m: -m.score))


def _tokens(prompt: str, said: str) -> dict[str, int]:
    """Words: what the embedded model's tokens are."""
    return {"prompt": len(prompt.split()), "reply": len(said.split())}
