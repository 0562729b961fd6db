"""When something happens: the moments of a video that a description is about, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos.tasks.option import HEAD, TOP, WATCHING
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model, Session
    from kairos.tasks.stream import Watched
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["ground", "ground_found"]


def _ground(
    model: Model, video: Video, query: str, *, top: int, head: str, progress: Any, **watching: Any
) -> Answer:
    from kairos.tasks import evidence

    if (refusal := evidence.unknown_words("ground", model, video, query)) is not None:
        return refusal
    session, watched = evidence.watch_for(query, model, video, progress=progress, **watching)
    return ground_found("ground", model, video, query, session, watched, top, head)


def ground_found(
    kind: str,
    model: Model,
    video: Video,
    query: str,
    session: Session,
    watched: Watched,
    top: int,
    head: str = "track",
) -> Answer:
    """The moments that a session has found, which has seen the video."""
    from kairos.tasks import evidence

    found = evidence.moments(model, session, watched, top, head)
    presence = float(session.presence)
    if not found:
        return evidence.absent(kind, model, video, query, session, watched, confidence=1.0 - presence)
    return evidence.answer(
        kind,
        model,
        video,
        query,
        watched,
        text=evidence.span_words(found[0]),
        moments=found,
        confidence=presence,
        curve=evidence.curve("relevance" if head == "track" else "saliency", session, watched),
    )


ground = Task(
    name="ground",
    description="find when something happens in a video: the moments a description is about, best first",
    query="required",
    options=(*WATCHING, TOP, HEAD),
    answer=_ground,
)
