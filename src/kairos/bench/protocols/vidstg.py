"""VidSTG as TubeDETR's vidstg_eval.py scores it (Yang et al., 2022): when and where a sentence's thing is.

References are TubeDETR's prepared annotations {"videos": [...], "trajectories": {...}}, or the official
`*_annotations.json`, whose sentences are numbered as TubeDETR's preparation does (of every entry the questions, then the
captions). Their boxes are VidOR's, a file VIDEO.json each, looked for below the folder of the annotations; without them only
times are scored. Predictions:
{"video_predictions": {"VIDEO_ID": {"sted": [s, e], "qtype": "declarative"}}, "predictions": {"VIDEO_ID_FRAME": {"boxes":
[[x1, y1, x2, y2]]}}}, spans in frames, ends out. The script ends the union of both spans where the earlier of them ends, which
raises vIoU; strictly it ends with the later one. A frame without a box counts 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.tubes import Box, area, overlap
from kairos.bench.protocols.windows import numbers, windows
from kairos.score.quantity import Mean, Quantity

__all__ = ["PROTOCOLS", "sampled", "sentences"]

SAMPLED_HZ = 5
MOST_FRAMES = 200
VIOU_THRESHOLDS = (0.3, 0.5)


@dataclass(frozen=True)
class Described:
    """A sentence about a thing in a video: the sampled frames, the tube's first frame and the one after its last, its boxes.

    `boxes` are None where the file tells only when.
    """

    video: str
    frames: tuple[int, ...]
    tube: tuple[int, int]
    boxes: dict[int, Box] | None
    qtype: str | None


@dataclass(frozen=True)
class Tube:
    """What was found: the first frame and the one after the last, a box for each frame (xyxy, source pixels)."""

    span: tuple[float, float]
    boxes: dict[int, Box]
    qtype: str | None


@lru_cache(maxsize=1024)  # many sentences are about the same part of a video
def sampled(start: int, end: int, rate: float) -> tuple[int, ...]:
    """The frames from start to before end that are looked at: `rate` of all, at most 200, evenly."""
    frames = [start]
    for frame in range(start, end):
        if int(frames[-1] * rate) < int(frame * rate):
            frames.append(frame)
    if len(frames) > MOST_FRAMES:
        frames = [frames[k * len(frames) // MOST_FRAMES] for k in range(MOST_FRAMES)]
    return tuple(frames)


Trajectories = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Video -> thing -> frame -> {"bbox": [x, y, width, height]}."""


def sentences(source: Source) -> tuple[list[tuple[str, Any]], Trajectories]:
    """The sentences of a file, as TubeDETR prepares them, each with its place; and the things' boxes, as far as they are there."""
    document = source.document() if source.suffix == ".json" else None
    if isinstance(document, list):
        return _prepared(source, document)
    videos, trajectories = (
        (document.get("videos"), document.get("trajectories")) if isinstance(document, dict) else (None, None)
    )
    if not isinstance(videos, list) or not isinstance(trajectories, dict):
        source.problem(
            "the file", "must be VidSTG's list, or have videos and trajectories as TubeDETR writes them"
        )
        return [], {}
    return [(f"videos[{k}]", row) for k, row in enumerate(videos)], trajectories


def _prepared(source: Source, document: list[Any]) -> tuple[list[tuple[str, Any]], Trajectories]:
    rows: list[tuple[str, Any]] = []
    names: dict[str, None] = {}
    for k, entry in enumerate(document):
        try:
            names[str(entry["vid"])] = None
            common = {
                "original_video_id": str(entry["vid"]),
                **{name: entry.get(name) for name in ("fps", "frame_count", "width", "height")},
                **_ends("", entry["used_segment"]),
                **_ends("tube_", entry["temporal_gt"]),
            }
            for qtype, listed in (("interrogative", "questions"), ("declarative", "captions")):
                for said in entry[listed]:
                    words = {"caption": said["description"], "target_id": said["target_id"], "qtype": qtype}
                    rows.append((f"[{k}]", {**common, **words, "video_id": len(rows)}))
        except (KeyError, TypeError) as error:
            source.problem(f"[{k}]", f"is no entry of VidSTG: {type(error).__name__} {error}")
    files = {path.stem: path for path in source.path.parent.rglob("*.json") if path.stem in names}
    return rows, {name: _vidor(source, path) for name, path in files.items()}


def _ends(prefix: str, span: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}start_frame": span["begin_fid"], f"{prefix}end_frame": span["end_fid"]}


def _vidor(source: Source, path: Path) -> dict[str, dict[str, Any]]:
    """The boxes of one video of VidOR, by thing and frame."""
    found: dict[str, dict[str, Any]] = {}
    about = Source(path)
    try:
        for frame, things in enumerate(about.mapping().get("trajectories") or ()):
            for thing in things:
                x1, y1, x2, y2 = (float(thing["bbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax"))
                found.setdefault(str(thing["tid"]), {})[str(frame)] = {"bbox": [x1, y1, x2 - x1, y2 - y1]}
    except (KeyError, TypeError, ValueError) as error:
        about.problem("trajectories", f"are not VidOR's: {type(error).__name__} {error}")
    source.found.problems += about.found.problems
    return found


def _refs(source: Source) -> Entries[Described]:
    entries: Entries[Described] = Entries()
    rows, trajectories = sentences(source)
    for place, row in rows:
        value = None
        try:
            value = _described(row, trajectories)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            source.problem(place, f"is not a sentence with its tube: {type(error).__name__} {error}")
        name = row.get("video_id") if isinstance(row, dict) else None
        if name is not None:
            entries.put(source, place, name, value)
    return entries


def _described(row: Mapping[str, Any], trajectories: Trajectories) -> Described:
    rate = SAMPLED_HZ / row["fps"]
    frames = sampled(int(row["start_frame"]), int(row["end_frame"]), rate)
    tube = int(row["tube_start_frame"]), int(row["tube_end_frame"])
    video = str(row["original_video_id"])
    if not trajectories:
        return Described(video, frames, tube, None, row.get("qtype"))
    known = trajectories[video][str(row["target_id"])]
    boxes: dict[int, Box] = {}
    for frame in frames:
        if tube[0] <= frame < tube[1]:
            x, y, w, h = (float(number) for number in known[str(frame)]["bbox"])
            boxes[frame] = (x, y, x + w, y + h)
    return Described(video, frames, tube, boxes, row.get("qtype"))


def _preds(source: Source, refs: Entries[Described]) -> Entries[Tube]:
    entries: Entries[Tube] = Entries()
    document = source.mapping()
    spans, boxes = document.get("video_predictions"), document.get("predictions", {})
    if not isinstance(spans, dict) or not isinstance(boxes, dict):
        source.problem("the file", "must have video_predictions, and predictions with the boxes")
        return entries
    by_video: dict[str, dict[int, Box]] = {}
    broken: set[str] = set()
    for image, value in boxes.items():
        video, _, frame = image.rpartition("_")
        rows = value.get("boxes") if isinstance(value, dict) else None
        box = rows[0] if isinstance(rows, list) and rows else None
        found = numbers(source, f"predictions.{image}", box, what="the box")
        if found is None or len(found) != 4 or not frame.isdigit():
            if found is not None:
                source.problem(f"predictions.{image}", "must be VIDEO_FRAME with boxes [[x1, y1, x2, y2]]")
            broken.add(video)
            continue
        by_video.setdefault(video, {})[int(frame)] = (found[0], found[1], found[2], found[3])
    for video, value in spans.items():
        given = value if isinstance(value, dict) else {}
        place = f"video_predictions.{video}"
        sted = windows(source, place, [given.get("sted")], None, what="sted")
        tube = None
        if sted and video not in broken:
            tube = Tube((sted[0][0], sted[0][1]), by_video.get(video, {}), given.get("qtype"))
        entries.put(source, place, video, tube)
    return entries


def _score(pairs: Sequence[Pair[Described, Tube]], strict: bool) -> Scored:
    tiou, viou, given = (np.zeros(len(pairs)) for _ in range(3))
    lacking = 0
    for k, pair in enumerate(pairs):
        (a, b), (c, d) = pair.ref.tube, pair.pred.span
        last_start, first_end = max(a, c), min(b, d)
        shared = max(0.0, first_end - last_start)
        total = (b - a) + (d - c) - shared
        tiou[k] = shared / total if shared > 0 and total > 0 else 0.0
        if pair.ref.boxes is None:
            viou[k] = given[k] = np.nan
            continue
        end = max(b, d) if strict else first_end
        union = sum(min(a, c) <= frame < end for frame in pair.ref.frames)
        both = {frame for frame in pair.ref.frames if last_start <= frame < first_end}
        ious = {frame: _iou(pair.pred.boxes.get(frame), box) for frame, box in pair.ref.boxes.items()}
        lacking += sum(frame not in pair.pred.boxes for frame in pair.ref.boxes)
        viou[k] = sum(x for frame, x in ious.items() if frame in both) / max(union, 1)
        given[k] = sum(ious.values()) / max(len(ious), 1)
    kinds = [pair.pred.qtype or pair.ref.qtype or "" for pair in pairs]
    quantities: list[Quantity] = []
    for kind in dict.fromkeys(kinds):
        of = np.array([other == kind for other in kinds])
        for name, x in (("tiou", tiou), ("viou", viou), ("gt_viou", given)):
            quantities.append(Mean(name, kind, values=np.where(of, x, np.nan)))
            for t in VIOU_THRESHOLDS if name != "tiou" else ():
                above = np.where(of & ~np.isnan(x), (x > t).astype(np.float64), np.nan)
                quantities.append(Mean(f"{name}@{t:g}", kind, values=above))
    notes = []
    if lacking:
        notes.append(f"{lacking} frames of the true tubes have no box: IoU 0 (the script fails on them)")
    if any(pair.ref.boxes is None for pair in pairs):
        notes.append("only when, not where: VidOR's VIDEO.json are not below the annotations' folder")
    return Scored(tuple(quantities), tuple(notes))


def _iou(a: Box | None, b: Box) -> float:
    if a is None:
        return 0.0
    shared = overlap(a, b)
    total = area(a) + area(b) - shared
    return shared / total if total > 0 else 0.0


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "vidstg": Protocol("vidstg", "VidSTG", _refs, _preds, lambda ref: Tube((0.0, 0.0), {}, ref.qtype), _score)
}
