"""DiDeMo: sentences for runs of five-second segments, each placed by several people.

[{"video": "a.mov", "num_segments": 6, "description": "the baby is first shown.", "times": [[0, 0], [0, 1]]}, ...]
"""

from __future__ import annotations

from typing import Any

from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import Answer, Moment
from kairos.timeline.intervals import iou_matrix

NAME, SUFFIX = "didemo", ".json"

SEGMENT_S = 5.0


def fits(document: Any) -> bool:
    return isinstance(document, list) and any(
        isinstance(entry, dict) and {"num_segments", "times"} <= set(entry) for entry in document
    )


def read(document: Any, found: Gathering) -> None:
    """A ground answer for each sentence: the moment that agrees best with all people's (its score, their mean IoU).

    The last segment of a video may be shorter than five seconds; the file does not say so.
    """
    for k, entry in enumerate(document):
        place = f"[{k}]"
        if not isinstance(entry, dict):
            found.problem(place, "must be an object with video, description and times")
            continue
        segments, times = entry.get("num_segments"), entry.get("times")
        query = found.words(f"{place}.description", entry.get("description"), "the description")
        length = found.length(f"{place}.num_segments", segments)
        if not isinstance(times, list) or not times:
            found.problem(f"{place}.times", "must be a list of pairs of segments")
            continue
        if length is None or query is None:
            continue
        placed = [_moment(f"{place}.times[{i}]", pair, length, found) for i, pair in enumerate(times)]
        moments = [moment for moment in placed if moment is not None]
        if len(moments) == len(times) and found.video(place, entry.get("video"), length * SEGMENT_S):
            agreement = iou_matrix(moments, moments).mean(axis=1)
            best = int(agreement.argmax())
            moment = moments[best].replace(score=float(agreement[best]))
            name = entry.get("annotation_id")
            found.add(entry["video"], Answer("ground", query, moments=(moment,), id=_id(name)))


def _moment(place: str, pair: Any, segments: float, found: Gathering) -> Moment | None:
    """First and last segment, both counted from 0 and both in."""
    whole = isinstance(pair, list) and len(pair) == 2 and all(type(x) is int for x in pair)
    if not whole:
        found.problem(place, f"must be a pair of segments, not {pair!r}")
        return None
    moment = found.moment(place, [pair[0], pair[1] + 1], segments)
    return moment and moment.replace(start=moment.start * SEGMENT_S, end=moment.end * SEGMENT_S)


def _id(name: Any) -> str | None:
    return None if name is None else str(name)
