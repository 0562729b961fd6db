"""A question, answered in words together with the moments that prove the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos.tasks.option import TOP, WATCHING, Option
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["ask"]

MAX_WORDS = Option(
    name="max_words", help="how long the answer may be, words", type=int, default=24, least=1, most=256
)


def _ask(
    model: Model, video: Video, query: str, *, top: int, max_words: int, progress: Any, **watching: Any
) -> Answer:
    from kairos.tasks import evidence

    if (refusal := evidence.unknown_words("ask", model, video, query)) is not None:
        return refusal
    session, watched = evidence.watch_for(query, model, video, progress=progress, **watching)
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


ask = Task(
    name="ask",
    description="answer a question about a video and cite the moments that prove the answer",
    query="required",
    options=(*WATCHING, TOP, MAX_WORDS),
    answer=_ask,
)
