"""What happens in a video, told event by event, each pinned to its moment: afterwards, or step by step as it plays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kairos.errors import OptionError
from kairos.tasks.option import WATCHING, Option
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["caption", "check_live"]


LIVE = Option(name="live", help="tell it step by step as the video plays", type=bool, default=False)


def _caption(
    model: Model, video: Video, query: None, *, live: bool, progress: Any, **watching: Any
) -> Answer:
    from kairos.tasks import evidence

    if live:
        return _live(model, video, progress, watching)
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


def _live(model: Any, video: Video, progress: Any, watching: Mapping[str, Any]) -> Answer:
    """Dense captioning as the video plays: a turn tells what happened since the turn before (MMDuet 6.2)."""
    from kairos.tasks.watch import TASK

    check_live(watching)
    return TASK(model, video, preset="caption", progress=progress).replace(query="")


def check_live(watching: Mapping[str, Any]) -> None:
    """Raises OptionError where something is asked for that only a whole video can be."""
    for name, value in watching.items():
        if value is not None:
            raise OptionError(
                f"--{name} does not go with --live",
                option=name,
                value=value,
                hint="what is live is watched from its beginning, at the model's own rate",
            )


caption = Task(
    name="caption",
    description="tell what happens in a video, event by event, each with its moment, in the order of time",
    query="none",
    options=(*WATCHING, LIVE),
    answer=_caption,
)
