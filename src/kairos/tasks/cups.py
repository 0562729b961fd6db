"""Which cup is it under? What hides is followed to where it hides last, and the cups of that picture are counted there.

No model is taught to answer this in words. The path says where the thing is while it hides, the tower says where cups stand,
and the answer is the order of the cup around the one among the others: "the left one". The path is its proof.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos.tasks import places
from kairos.tasks.stream import watch
from kairos.tasks.track import follow_found, runs
from kairos.timeline import Moment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kairos.tasks.protocol import Box, PlaceModel
    from kairos.tasks.stream import Watched
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["in_a_row", "thing_under", "which_cup"]

_UNDER = r"(?:hidden |hiding )?(?:under|beneath|in)"
_FORMS = re.compile(
    rf"(?:{_UNDER} which (?:of the )?cups? is (?P<a>.+?)"
    rf"|which (?:one )?(?:of the )?cups? is (?P<b>.+?) {_UNDER}"
    rf"|which (?:one )?(?:of the )?cups? (?:hides|covers|holds|has) (?P<c>.+?))(?: now)?\s*\??",
    re.IGNORECASE,
)
SETTLED_S = 1.0
"""What a tower is shown before the picture in which it counts cups, so that it sees what moves."""

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def thing_under(query: str) -> str | None:
    """What a question asks the cup of: "the red ring" of "which cup is the red ring under ?"; None of any other question."""
    found = _FORMS.fullmatch(query.strip())
    return next(name for name in found.groups() if name) if found else None


def which_cup(
    model: Any, video: Video, query: str, session: Any, watched: Watched, **following: Any
) -> Answer | None:
    """The cup that a thing is under when it hides last, in words, with that moment and the whole path.

    None where the question is another, and where the model sees no cups or hands no path over.
    """
    thing = thing_under(query)
    if thing is None or not hasattr(session, "cups"):
        return None
    session.say(places.PLACES["track"].format(thing))
    if session.route() not in places.PLACES:
        session.rollback()
        return None
    answer = follow_found("ask", model, video, thing, session, watched, masks=False, **following)
    answer = answer.replace(query=query)
    track = answer.track
    if track is None or track.visible is None:
        return answer
    for run, start, end in reversed([*runs(~track.visible, track.times, watched.end)]):
        cups = _cups_at(model, video, float(track.times[run][-1]))
        if (order := _order(cups, places.fractions(track.boxes[run][-1], video.size))) is not None:
            return answer.replace(text=in_a_row(*order), moments=(Moment(start, end, track.score),))
    return answer.replace(text=f"under no cup: {answer.text}")


def _cups_at(model: PlaceModel, video: Video, time: float) -> Sequence[Box]:
    """The cups in the very picture that stands at a time: the ticks of the session that found the thing lie between."""
    session = model.session()
    watch(session, video, config=model.config, start=max(0.0, time - SETTLED_S), at=time)
    return session.cups()


def in_a_row(place: int, of: int) -> str:
    """The one at `place` (0 is the left) of so many side by side, in words."""
    if of == 1:
        return "the only one"
    if place in (0, of - 1):
        return "the right one" if place else "the left one"
    if of == 3:
        return "the middle one"
    return (
        f"the {_ORDINALS[place - 1]} one from the left"
        if place <= len(_ORDINALS)
        else f"number {place + 1} from the left"
    )


def _order(cups: Sequence[Box], box: Box) -> tuple[int, int] | None:
    """Which from the left of the cups is around a box, and of how many; None where it is further from all than one is wide."""
    away = [np.hypot(*(_middle(cup) - _middle(box))) / (cup[2] - cup[0]) for cup in cups]
    return (int(np.argmin(away)), len(cups)) if away and min(away) <= 1.0 else None


def _middle(box: Box) -> NDArray[np.float64]:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2
