"""A question, answered in words together with the moments that prove the answer.

What words cannot say is answered by the task that can: a model with task heads says which one the question asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos.tasks.option import TOP, WATCHING, Option
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.tasks.stream import Progress, Watched
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["ask"]

MAX_WORDS = Option(
    name="max_words", help="how long the answer may be, words", type=int, default=24, least=1, most=256
)


def _ask(
    model: Model, video: Video, query: str, *, top: int, max_words: int, progress: Any, **watching: Any
) -> Answer:
    from kairos.tasks import cups, evidence

    if (refusal := evidence.unknown_words("ask", model, video, query)) is not None:
        return refusal
    session, watched = evidence.watch_for(query, model, video, progress=progress, **watching)
    span = {"start": watching["start"], "end": watching["end"]}
    if (told := cups.which_cup(model, video, query, session, watched, progress=progress, **span)) is not None:
        return told
    if (route := session.route() if hasattr(session, "route") else None) is not None:
        return _hand_over(route, model, video, query, session, watched, span, top, progress)
    reply = session.reply(max_words=max_words)
    if reply.abstained:
        return evidence.absent("ask", model, video, query, session, watched, confidence=reply.confidence)
    return evidence.answer(
        "ask",
        model,
        video,
        query,
        watched,
        text=reply.text,
        moments=evidence.moments(model, session, watched, top),
        confidence=reply.confidence,
        curve=evidence.curve("relevance", session, watched),
    )


def _hand_over(
    route: str,
    model: Any,
    video: Video,
    query: str,
    session: Any,
    watched: Watched,
    span: dict[str, float | None],
    top: int,
    progress: Progress | None,
) -> Answer:
    """The answer of the task that the question asks for, from the session that has seen the video already."""
    from kairos.tasks.ground import ground_found
    from kairos.tasks.locate import locate_found
    from kairos.tasks.places import asks_outline
    from kairos.tasks.track import follow_found

    if route == "ground":
        return ground_found("ask", model, video, query, session, watched, top)
    if route == "locate":
        return locate_found("ask", model, video, query, session, watched)
    masks = route == "segment" and asks_outline(query)
    return follow_found("ask", model, video, query, session, watched, **span, masks=masks, progress=progress)


ask = Task(
    name="ask",
    description="answer a question about a video and cite the moments that prove the answer",
    query="required",
    options=(*WATCHING, TOP, MAX_WORDS),
    answer=_ask,
)
