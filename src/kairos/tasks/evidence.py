"""From what a session found to an Answer: spans become moments on the video's clock, refusals become words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kairos.errors import ModelError
from kairos.tasks.clock import clock
from kairos.tasks.stream import Watched, watch
from kairos.timeline import Answer, Curve, Moment

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model, PlaceSession, Session
    from kairos.video import Video

__all__ = [
    "absent",
    "answer",
    "captions",
    "curve",
    "moments",
    "presence_threshold",
    "refusal",
    "span_words",
    "stretch",
    "unknown_words",
    "watch_for",
]

MOST_NAMED = 8
"""So many unknown words are named in an answer's text; `unknown_words` holds them all."""


def watch_for(query: str | None, model: Model, video: Video, **watching: Any) -> tuple[Session, Watched]:
    """Opens a session whose user speaks first (where there is a query) and shows it the video."""
    session = model.session()
    if query:
        session.say(query)
    return session, watch(session, video, config=model.config, **watching)


def moments(
    model: Model, session: Session, watched: Watched, top: int, head: str = "track"
) -> tuple[Moment, ...]:
    """The spans of the current query as moments, best first: what `ground` returns and `ask` cites.

    Those of the query track, or with `head="temporal"` of the temporal head. None where the model holds that the thing is not in the video: a "no" or "zero" cites nothing.
    """
    if session.presence < presence_threshold(model):
        return ()
    spans = session.spans(top=top) if head == "track" else _saliency(session)[1][:top]
    found = [_moment(watched, *span) for span in spans]
    return tuple(sorted((m for m in found if m.duration > 0), key=lambda m: -m.score))


def captions(session: Session, watched: Watched) -> tuple[Moment, ...]:
    """The events that the session tells, in the order of time, each labelled with its words."""
    told = [_moment(watched, start, end, score, text) for start, end, text, score in session.captions()]
    return tuple(sorted((m for m in told if m.duration > 0), key=lambda m: (m.start, m.end)))


def curve(name: str, session: Session, watched: Watched) -> Curve:
    """The session's scores of that name at the end of each tick: relevance, informative or the temporal head's saliency."""
    scores = session.scores
    values = _saliency(session)[0] if name == "saliency" else getattr(scores, name)
    times = np.minimum(watched.start + np.asarray(scores.times, np.float64), watched.end)
    keep = np.concatenate([[True], np.diff(times) > 0]) if len(times) else np.zeros(0, bool)
    return Curve(name, times[keep], np.asarray(values, np.float64)[keep])


def _saliency(session: Session) -> tuple[Any, list[tuple[float, float, float]]]:
    """What the temporal head says; raises ModelError where the model has none."""
    found = getattr(session, "saliency", None)
    if found is None:
        raise ModelError(
            "this model has no temporal head", hint="leave --head out: its query track finds moments"
        )
    return cast("PlaceSession", session).saliency()


def stretch(given: Curve) -> Curve:
    """The curve between 0 and 1; a constant one becomes 0 throughout."""
    low, high = (given.values.min(), given.values.max()) if len(given) else (0.0, 0.0)
    if high - low < 1e-6:
        return given.replace(values=np.zeros_like(given.values))
    return given.replace(values=(given.values - low) / (high - low))


def presence_threshold(model: Model) -> float:
    """Below it a model holds that what is asked for is not in the video."""
    return float(model.config.presence_threshold)


def unknown_words(kind: str, model: Model, video: Video, query: str) -> Answer | None:
    """The answer to a query with words that the model has never seen; None where it knows them all."""
    words = tuple(model.unknown_words(query))
    if not words:
        return None
    return Answer(
        kind=kind,
        query=query,
        text=refusal(kind, words),
        moments=(),
        abstained=True,
        unknown_words=words,
        **_about(model, video),
    )


def refusal(kind: str, words: tuple[str, ...]) -> str:
    """What is said to a query with words that the model has never seen."""
    named = ", ".join(f'"{word}"' for word in words[:MOST_NAMED])
    if len(words) > MOST_NAMED:
        named += f" and {len(words) - MOST_NAMED} words more"
    return (
        f"this model does not know {named}: it knows only what it was trained on. "
        f"Load a larger model: kairos {kind} ... --model PATH"
    )


def absent(
    kind: str, model: Model, video: Video, query: str, session: Session, watched: Watched, confidence: float
) -> Answer:
    """The answer where the thing asked for is not in the video: no moments."""
    where = "this video" if watched.start <= 0 else "this part of the video"
    return answer(
        kind,
        model,
        video,
        query,
        watched,
        text=f"not in {where}: {query}",
        moments=(),
        abstained=True,
        confidence=confidence,
        curve=curve("relevance", session, watched),
    )


def answer(
    kind: str,
    model: Model,
    video: Video,
    query: str,
    watched: Watched,
    *,
    confidence: float | None = None,
    **rest: Any,
) -> Answer:
    """An Answer of this model about this video, with what the watching has to tell."""
    return Answer(
        kind=kind,
        query=query,
        confidence=None if confidence is None else min(max(float(confidence), 0.0), 1.0),
        notes=watched.notes,
        **_about(model, video),
        **rest,
    )


def span_words(moment: Moment) -> str:
    """A moment in words: `from 3.0 s to 5.5 s`."""
    return f"from {clock(moment.start)} to {clock(moment.end)}"


def _moment(watched: Watched, start: float, end: float, score: float, label: str | None = None) -> Moment:
    begin, stop = watched.start + float(start), watched.start + float(end)
    return Moment(begin, max(begin, stop), float(score), label).clamp(watched.start, watched.end)


def _about(model: Model, video: Video) -> dict[str, Any]:
    path = (
        os.fspath(video.path).encode("utf-8", "replace").decode()
    )  # a file name may hold bytes that are no text
    duration = float(video.duration)
    return {
        "video": path,
        "duration": duration,
        "model": model.name,
    }
