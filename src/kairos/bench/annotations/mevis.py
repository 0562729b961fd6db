"""MeViS: sentences about what moves, with masks of every frame in `mask_dict.json` beside the sentences.

{"videos": {"01ac": {"frames": ["00000", ...], "expressions": {"0": {"exp": "the dog that runs", "obj_id": [1], "anno_id": [7]}}}}}
{"7": [{"size": [720, 1280], "counts": "..."}, null, ...]}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kairos.bench.annotations.document import parse
from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import Answer, MaskTrack, Rle
from kairos.timeline.jsonl import read_text

NAME, SUFFIX = "mevis", ".json"

MASKS = "mask_dict.json"
FPS = 6.0
"""Frames a second. The files do not say; a video is a folder of images, shown at this rate."""


def fits(document: Any) -> bool:
    videos = document.get("videos") if isinstance(document, dict) else None
    return isinstance(videos, dict) and any(
        isinstance(video, dict) and {"expressions", "frames"} <= set(video) for video in videos.values()
    )


def read(document: Any, found: Gathering) -> None:
    """A segment answer for each sentence; where it is about several things, their masks are joined."""
    beside = Path(found.path).parent / MASKS
    if not beside.is_file():
        found.problem(MASKS, "must lie beside the sentences; the test split is distributed without masks")
        return
    text, _ = read_text(beside, "")
    masks = parse(text, ".json", found)
    for name, video in document["videos"].items():
        frames = video.get("frames") if isinstance(video, dict) else None
        if not isinstance(frames, list) or not frames or not isinstance(video.get("expressions"), dict):
            found.problem(name, "must be an object with frames and expressions")
            continue
        if not found.video(name, name, len(frames) / FPS):
            continue
        known: dict[str, list[Rle | None] | None] = {}  # of this video alone: sentences share their things
        for key, entry in video["expressions"].items():
            place = f"{name}.expressions.{key}"
            if not isinstance(entry, dict) or not isinstance(entry.get("anno_id"), list):
                found.problem(place, "must be an object with exp and anno_id")
                continue
            words = found.words(f"{place}.exp", entry.get("exp"), "the sentence")
            things = []
            for thing in map(str, entry["anno_id"]):
                if thing not in known:
                    known[thing] = _masks(thing, masks, len(frames), found)
                things.append(known[thing])
            if words and things and (track := _joined(place, words, things, found)):
                found.add(name, Answer("segment", words, mask_track=track, id=f"{name}/{key}"))


def _masks(thing: str, masks: Any, frames: int, found: Gathering) -> list[Rle | None] | None:
    """One thing's masks, None where it is not seen; None, and noted, where they cannot be used."""
    rows = masks.get(thing) if isinstance(masks, dict) else None
    if not isinstance(rows, list) or len(rows) != frames:
        found.problem(f"{MASKS}: {thing}", f"must be a list of {frames} masks, one a frame")
        return None
    return found.masks(f"{MASKS}: {thing}", rows)


def _joined(place: str, words: str, things: list[Any], found: Gathering) -> MaskTrack | None:
    if any(thing is None for thing in things):
        return None
    sizes = {mask.size for thing in things for mask in thing if mask is not None}
    if len(sizes) != 1:
        found.problem(place, f"masks of {len(sizes)} sizes in one video" if sizes else "nothing is ever seen")
        return None
    (size,) = sizes
    nothing = Rle(size, (size[0] * size[1],))
    frames = []
    for shown in zip(*things, strict=True):
        seen = [mask for mask in shown if mask is not None]
        joined = seen[0] if len(seen) == 1 else nothing
        if len(seen) > 1:
            joined = Rle.encode(np.logical_or.reduce([mask.decode() for mask in seen])).compress()
        frames.append(joined)
    return MaskTrack(words, size, np.arange(len(frames)) / FPS, tuple(frames))
