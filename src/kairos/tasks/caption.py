"""What happens in a video, told event by event, each pinned to its moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos.tasks.option import WATCHING
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["caption"]


def _caption(model: Model, video: Video, query: None, *, progress: Any, **watching: Any) -> Answer:
    from kairos.tasks import evidence

    session, watched = evidence.watch_for(query, model, video, progress=progress, **watching)
    told = evidence.captions(session, watched)
    return evidence.answer(
        "caption",
        model,
        video,
        "",
        watched,
        text="; ".join(moment.label or "" for moment in told) or "nothing happens that this model can tell",
        moments=told,
        abstained=not told,
    )


caption = Task(
    name="caption",
    description="tell what happens in a video, event by event, each with its moment, in the order of time",
    query="none",
    options=WATCHING,
    answer=_caption,
)
