"""The clips of a benchmark: files with labels beside them, put to a model through the whole pipeline.

Labels are read for their queries and, much later, for scoring. What reaches the model is the decoded file and the query's
words, nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos.bench import Progress
from kairos.timeline import Answer, Moment, Timeline
from kairos.timeline.intervals import clamp

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.video import Frame, Video

__all__ = ["Clip", "Still", "answers_about", "rendered"]

TOP = 5
ASKED = ("ground", "ask")  # queries for moments, and questions


@dataclass(frozen=True)
class Clip:
    """A video file, and its labels beside it, of which those of `kinds` are asked."""

    path: Path
    split: str
    kinds: tuple[str, ...] = ASKED

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def labels(self) -> tuple[Answer, ...]:
        """The labelled queries."""
        return Timeline.from_jsonl(self.path.with_suffix(".timeline.jsonl")).filter(kind=self.kinds).answers

    @cached_property
    def id(self) -> str:
        """The identity of the video and of what is asked about it."""
        from kairos.video import open as open_video

        with open_video(self.path) as video:
            content = video.id
        asked = repr([(label.kind, label.query) for label in self.labels])
        return hashlib.sha256(f"{content}{asked}".encode()).hexdigest()[:16]


def rendered(
    split: str, count: int, seed: int, out: Path, progress: Progress, kinds: tuple[str, ...] = ASKED
) -> list[Clip]:
    """The first `count` clips of a split, rendered to files where they are missing."""
    from kairos.world import render_split

    paths = render_split(
        seed=seed,
        split=split,
        count=count,
        out=out / split,
        progress=lambda done, total: progress(done, total, f"rendering {split}"),
    )
    return [Clip(path, split, kinds) for path in paths]


def answers_about(model: Model, video: Video, labels: Sequence[Answer]) -> Iterator[Answer]:
    """The model's answers to the labels' queries about one video, watched once."""
    from kairos.tasks.stream import watch

    session = model.session()
    watched = watch(session, video, config=model.config)
    for label in labels:
        began = time.perf_counter()
        said = (
            _ask(model, session, label, watched.end)
            if label.kind == "ask"
            else _ground(model, session, label, watched.end)
        )
        extra = {**said.extra, "seconds": round(time.perf_counter() - began, 4)}
        yield said.replace(tags=label.tags, notes=watched.notes, model=model.name, extra=extra)


def _ground(model: Model, session: Any, label: Answer, end: float) -> Answer:
    """Spans are kept even where the model holds that the thing is absent: R@1 and abstaining are measured apart."""
    query = label.query
    if words := model.unknown_words(query):
        return Answer("ground", query, abstained=True, confidence=1.0, unknown_words=tuple(words))
    session.say(query)
    presence = min(max(float(session.presence), 0.0), 1.0)
    moments = _moments(session.spans(top=TOP), end)
    abstained = presence < model.config.presence_threshold or not moments
    shot = session.online()
    return Answer(
        "ground",
        query,
        moments=moments,
        abstained=abstained,
        confidence=1.0 - presence if abstained else presence,
        extra={
            "presence": presence,
            "online": None if shot is None else {"start": shot[0], "end": shot[1], "fired_at": shot[2]},
        },
    )


def _ask(model: Model, session: Any, label: Answer, end: float) -> Answer:
    query = label.query
    if words := model.unknown_words(query):
        return Answer("ask", query, abstained=True, confidence=1.0, unknown_words=tuple(words))
    session.say(query)
    presence = min(max(float(session.presence), 0.0), 1.0)
    spans = session.spans(top=TOP) if presence >= model.config.presence_threshold else []
    reply = session.reply()
    return Answer(
        "ask",
        query,
        reply.text,
        _moments([] if reply.abstained else spans, end),
        abstained=bool(reply.abstained),
        confidence=min(max(float(reply.confidence), 0.0), 1.0),
        extra={"presence": presence},
    )


def _moments(spans: Sequence[tuple[float, float, float]], end: float) -> tuple[Moment, ...]:
    inside = clamp([span[:2] for span in spans], 0.0, end).tolist()
    found = [Moment(a, b, span[2]) for (a, b), span in zip(inside, spans, strict=True) if b > a]
    return tuple(sorted(found, key=lambda m: -m.score))


class Still:
    """A video that stands still: its middle frame at every time, and no sound. What one frame tells is all it tells."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self.has_audio = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._video, name)

    def sample(self, *args: Any, size: Any = None, **options: Any) -> Iterator[Frame]:
        image = self._video.frames([self._video.duration / 2], size=size).images[0]
        for frame in self._video.sample(*args, size=size, **options):
            yield frame._replace(image=image)
