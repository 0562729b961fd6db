"""What locate, track and segment share: boxes in pixels and in fractions, and how a thing is asked for by its name.

At the surface boxes are x1, y1, x2, y2 in source pixels, of the picture as it is shown: upright, with square pixels. A model
takes and gives them in fractions of that picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos.errors import OptionError
from kairos.tasks import evidence
from kairos.tasks.clock import clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kairos.tasks.protocol import Box, Place, PlaceModel, PlaceSession
    from kairos.tasks.stream import Watched
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = [
    "PLACES",
    "absent",
    "asks_outline",
    "box_words",
    "check_box",
    "fractions",
    "pixels",
    "sure",
    "time_of",
    "watch_for",
]

PLACES = {"locate": "where is {} ?", "track": "track {}", "segment": "segment {}"}
"""The tasks that give places, and how each is asked for where a query is but a name: "the red ring"."""

OUTLINE = frozenset(("cut", "mask", "masks", "outline", "paint", "pixel", "pixels", "segment", "silhouette"))
"""Words of which a request for masks has one, and a request for a path none."""


def asks_outline(query: str) -> bool:
    """Whether a query that is handed over to the follower asks what pixels a thing covers, and not only where it goes.

    One head gives both (TPO's mask token), so what the model hands over does not tell which of them is meant.
    """
    return not OUTLINE.isdisjoint(re.findall(r"[a-z]+", query.lower()))


def watch_for(
    kind: str, query: str, model: PlaceModel, video: Video, **watching: Any
) -> tuple[PlaceSession, Watched]:
    """Shows the video to a session and asks it for a place: once more, in a sentence, where the model does not take the
    query for such a question.
    """
    session: Any
    session, watched = evidence.watch_for(query, model, video, **watching)
    if session.route() not in PLACES:
        session.say(PLACES[kind].format(query))
    return session, watched


def time_of(watched: Watched, tick: int | None, at: float | None, video: Video) -> float:
    """The time in seconds of the picture of a tick, or `at`, which was asked for by itself."""
    if tick is None:
        assert at is not None
        return at
    return min(watched.time_of(tick), float(video.duration))


def sure(place: Place) -> float:
    """The place's confidence, in [0, 1] in any case."""
    return min(max(float(place.confidence), 0.0), 1.0)


def absent(
    kind: str,
    model: PlaceModel,
    video: Video,
    query: str,
    session: PlaceSession,
    watched: Watched,
    at: float | None,
) -> Answer:
    """The answer where the thing asked for is not there, in the video or at one time: no box."""
    confidence = 1.0 - float(session.presence)
    answer = evidence.absent(kind, model, video, query, session, watched, confidence)
    return answer if at is None else answer.replace(text=f"not to be seen at {clock(at)}: {query}")


def pixels(boxes: Sequence[Box], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes (n, 4) in fractions of a picture of `size` (width, height) -> in pixels, cut to it, to the hundredth."""
    found = np.asarray(boxes, np.float64).reshape(-1, 4)
    found = np.clip(np.nan_to_num(found), 0.0, 1.0) * np.array([*size, *size], np.float64)
    found[:, 2:] = np.maximum(found[:, :2], found[:, 2:])
    return found.round(2)


def fractions(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box in pixels of a picture of `size` (width, height) -> in fractions of it, cut to it."""
    (width, height), (x1, y1, x2, y2) = size, box
    x1, x2 = (min(max(x / width, 0.0), 1.0) for x in (x1, x2))
    y1, y2 = (min(max(y / height, 0.0), 1.0) for y in (y1, y2))
    return x1, y1, x2, y2


def check_box(video: Video, box: Sequence[float]) -> None:
    """Raises OptionError where a box holds nothing of the picture."""
    x1, y1, x2, y2 = fractions(box, video.size)
    if x2 <= x1 or y2 <= y1:
        width, height = video.size
        raise OptionError(
            f"--box {box_words(box)} is outside of the picture",
            option="box",
            value=tuple(box),
            hint=f"{video.name} is {width} x {height} pixels, counted from the upper left",
        )


def box_words(box: Sequence[float]) -> str:
    """A box as `--box` takes it, in whole pixels: `120,88,164,131`."""
    return ",".join(f"{side:.0f}" for side in box)
