"""One query a line: QVHighlights, what is kept like it (Clotho-Moment, UnAV-100, CASTELLA), and TVR.

{"qid": 9769, "query": "a man eats", "vid": "j7r_360.0_510.0", "duration": 150, "relevant_windows": [[72, 82], ...]}
{"desc_id": 90200, "desc": "Phoebe nods.", "vid_name": "friends_s01", "duration": 61.46, "ts": [16.48, 33.87], "type": "v"}
"""

from __future__ import annotations

from typing import Any

from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import Answer

NAME, SUFFIX = "moments", ".jsonl"


def fits(document: Any) -> bool:
    return any(
        row.get("relevant_windows") is not None if "vid" in row else {"vid_name", "ts"} <= set(row)
        for _, row in document
    )


def read(document: Any, found: Gathering) -> None:
    """A ground answer for each line, with all its windows; a line whose windows are null has not been annotated."""
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
        if length is None or query is None:
            continue
        placed = [found.moment(number, window, length) for window in windows]
        moments = tuple(moment for moment in placed if moment is not None)
        video = row.get("vid_name" if tvr else "vid")
        if (moments or not windows) and found.video(number, video, length):
            name, tag = row.get("desc_id" if tvr else "qid"), row.get("type")
            found.add(
                video,
                Answer(
                    "ground",
                    query,
                    moments=moments,
                    abstained=not moments,
                    id=None if name is None else str(name),
                    tags=(tag,) if isinstance(tag, str) else (),
                ),
            )
