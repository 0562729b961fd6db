"""SA-V: the masks of things through a video, without words; every fourth frame is annotated.

{"video_id": "sav_000001", "video_duration": 20.125, "video_frame_count": 483.0, "masklet_id": [0, 1],
 "masklet": [[{"size": [848, 480], "counts": "..."}, {...}], ...]}
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import MaskTrack, Rle

NAME, SUFFIX = "sa_v", ".json"


def fits(document: Any) -> bool:
    return isinstance(document, dict) and {"video_id", "masklet"} <= set(document)


def read(document: Any, found: Gathering) -> None:
    """A mask track for each thing, labelled `masklet ID`, at the times of its frames; a null mask is one of nothing."""
    length = found.length("video_duration", document.get("video_duration"))
    frames = found.length("video_frame_count", document.get("video_frame_count"))
    rows, name = document["masklet"], document["video_id"]
    if length is None or frames is None or not found.video("video_id", name, length):
        return
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        found.problem("masklet", "must be a list of lists of masks, one list a frame")
        return
    ids = document.get("masklet_id", list(range(len(rows[0]))))
    if not isinstance(ids, list) or any(len(row) != len(ids) for row in rows):
        found.problem("masklet", "must hold one mask of each thing a frame")
        return
    size = None
    if "video_height" in document or "video_width" in document:
        sides = [document.get(f"video_{side}") for side in ("height", "width")]
        size = found.size("video_height", *(int(x) if isinstance(x, float) else x for x in sides))
        if size is None:
            return
    step = max(1, round(frames / len(rows)))
    times = np.array([k * step * length / frames for k in range(len(rows))])
    for i, thing in enumerate(ids):
        masks = found.masks(f"masklet {thing}", [row[i] for row in rows], size)
        shown = next((mask.size for mask in masks or () if mask is not None), None)
        if masks is not None and shown is not None:
            nothing = Rle(shown, (shown[0] * shown[1],))
            seen = tuple(mask or nothing for mask in masks)
            found.add(name, MaskTrack(f"masklet {thing}", shown, times, seen))
