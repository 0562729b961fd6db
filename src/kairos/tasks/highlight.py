"""What stands out: a score over the whole video and its peaks, about a query or, without one, about anything at all.

Such scores only rank moments within one video, so the curve is stretched to [0, 1] before it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos.tasks.option import HEAD, TOP, WATCHING
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["highlight"]

STANDS_OUT = 0.5
"""Height on the stretched curve from which a moment counts as a highlight."""


def _highlight(
    model: Model, video: Video, query: str | None, *, top: int, head: str, progress: Any, **watching: Any
) -> Answer:
    from kairos.tasks import evidence

    if query and (refusal := evidence.unknown_words("highlight", model, video, query)) is not None:
        return refusal
    session, watched = evidence.watch_for(query, model, video, progress=progress, **watching)
    presence = float(session.presence) if query else None
    if query and presence is not None and presence < evidence.presence_threshold(model):
        return evidence.absent("highlight", model, video, query, session, watched, confidence=1.0 - presence)
    of = "informative" if not query else "relevance" if head == "track" else "saliency"
    curve = evidence.stretch(evidence.curve(of, session, watched))
    peaks = sorted(curve.to_moments(STANDS_OUT), key=lambda moment: -moment.score)[:top]
    return evidence.answer(
        "highlight",
        model,
        video,
        query or "",
        watched,
        text="" if peaks else "nothing stands out: the score is the same from beginning to end",
        moments=tuple(peak.replace(label=None) for peak in peaks),
        abstained=not peaks,
        confidence=presence,
        curve=curve,
    )


highlight = Task(
    name="highlight",
    description="score a video from beginning to end and pick what stands out, about a query or about anything",
    query="optional",
    options=(*WATCHING, TOP, HEAD),
    answer=_highlight,
)
