"""One query a line: QVHighlights, what is kept like it (Clotho-Moment, UnAV-100, CASTELLA), and TVR.

{"qid": 9769, "query": "a man eats", "vid": "j7r_360.0_510.0", "duration": 150, "relevant_windows": [[72, 82], ...],
 "relevant_clip_ids": [36, 37, ...], "saliency_scores": [[4, 3, 2], ...]}
{"desc_id": 90200, "desc": "Phoebe nods.", "vid_name": "friends_s01", "duration": 61.46, "ts": [16.48, 33.87], "type": "v"}
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kairos.bench.annotations.gathering import Gathering
from kairos.errors import TimelineError
from kairos.timeline import Answer, Curve

NAME, SUFFIX = "moments", ".jsonl"

CLIP_S = 2.0
"""Seconds of a clip whose saliency is rated."""


def fits(document: Any) -> bool:
    return any(
        row.get("relevant_windows") is not None if "vid" in row else {"vid_name", "ts"} <= set(row)
        for _, row in document
    )


def read(document: Any, found: Gathering) -> None:
    """A ground answer for each line, with all its windows; a line whose windows are null has not been annotated.

    Its curve is the saliency of every clip, at the clip's middle: the mean of what people gave, from 0 to 4, and 0 for clips
    that nobody found relevant.
    """
    for number, row in document:
        tvr = "vid_name" in row
        windows = [row.get("ts")] if tvr else row.get("relevant_windows", "none")
        if windows is None:
            continue
        query = found.words(number, row.get("desc" if tvr else "query"), "the query")
        length = found.length(number, row.get("duration"))
        if not isinstance(windows, list):
            found.problem(number, "relevant_windows must be a list of pairs of seconds")
            continue
        placed = [found.moment(number, window, length) for window in windows]
        if length is None or query is None:
            continue
        moments = tuple(moment for moment in placed if moment is not None)
        video = row.get("vid_name" if tvr else "vid")
        curve = _saliency(number, row, length, found)
        if (moments or not windows) and found.video(number, video, length):
            name, tag = row.get("desc_id" if tvr else "qid"), row.get("type")
            found.add(
                video,
                Answer(
                    "ground",
                    query,
                    moments=moments,
                    abstained=not moments,
                    curve=curve,
                    id=None if name is None else str(name),
                    tags=(tag,) if isinstance(tag, str) else (),
                ),
            )


def _saliency(number: int, row: dict[str, Any], length: float, found: Gathering) -> Curve | None:
    clips, scores = row.get("relevant_clip_ids"), row.get("saliency_scores")
    if clips is None or scores is None:
        return None
    count = int(np.ceil(length / CLIP_S))
    values = np.zeros(count)
    try:
        for clip, given in zip(clips, scores, strict=True):
            if type(clip) is not int or not 0 <= clip < count:
                found.problem(number, f"there is no clip {clip!r} in {length:g} s")
                return None
            values[clip] = np.mean(np.asarray(given, float))
        return Curve("saliency", np.array([(k + 0.5) * CLIP_S for k in range(count)]), values)
    except (ValueError, TypeError, TimelineError):
        found.problem(number, "saliency_scores must be one list of numbers for each of relevant_clip_ids")
        return None
