"""Tubes of boxes as STT-AP scores them (Padilla et al., 2021): AP at an IoU of volumes of 0.5.

Tracks are [{"frame", "bbox": [x, y, width, height], "outside", "confidence"}]. The script counts boxes marked "outside", too;
strictly they are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import listed, numbers
from kairos.score.quantity import Pooled
from kairos.score.retrieval import voc

__all__ = ["PROTOCOLS", "Box", "area", "overlap"]

Box = tuple[float, float, float, float]
"""xyxy in source pixels."""

THRESHOLD = 0.5


@dataclass(frozen=True)
class Track:
    """A thing's boxes by frame, those where it is marked as outside apart."""

    kind: int
    boxes: dict[int, Box]
    outside: frozenset[int]
    confidence: float


@dataclass(frozen=True)
class Things:
    """What is in a video; `kinds` are all categories of the file."""

    video: str
    tracks: tuple[Track, ...]
    kinds: tuple[int, ...]


def _track(source: Source, place: str, entry: Any) -> Track | None:
    rows = entry.get("track") if isinstance(entry, dict) else None
    if not isinstance(rows, list) or not rows or type(entry.get("category_id")) is not int:
        source.problem(place, "must be an object with category_id and a track of boxes")
        return None
    boxes: dict[int, Box] = {}
    outside: set[int] = set()
    sure = []
    for k, row in enumerate(rows):
        given = row if isinstance(row, dict) else {}
        box = numbers(source, f"{place}.track[{k}]", given.get("bbox"), what="bbox")
        frame = given.get("frame")
        if box is None:
            return None
        if type(frame) is not int or len(box) != 4 or frame in boxes:
            source.problem(
                f"{place}.track[{k}]", "must have a frame of its own and bbox [x, y, width, height]"
            )
            return None
        boxes[frame] = (box[0], box[1], box[0] + box[2], box[1] + box[3])
        if given.get("outside"):
            outside.add(frame)
        sure.append(given.get("confidence", 0.0))
    told = numbers(source, place, sure, what="confidence")
    return (
        None if told is None else Track(entry["category_id"], boxes, frozenset(outside), float(np.mean(told)))
    )


def _things(source: Source, place: str, rows: Any) -> tuple[dict[str, list[Track]], set[str]]:
    found: dict[str, list[Track]] = {}
    broken: set[str] = set()
    for k, entry in enumerate(rows if isinstance(rows, list) else []):
        track = _track(source, f"{place}[{k}]", entry)
        video = str(entry.get("video_id")) if isinstance(entry, dict) else ""
        if track is None:
            broken.add(video)
        else:
            found.setdefault(video, []).append(track)
    return found, broken


def _refs(source: Source) -> Entries[Things]:
    entries: Entries[Things] = Entries()
    document = source.mapping()
    found, broken = _things(source, "annotations", listed(source, "the file", document, "annotations"))
    named = [c.get("id") for c in listed(source, "the file", document, "categories") if isinstance(c, dict)]
    kinds = tuple(kind for kind in named if isinstance(kind, int))
    for k, row in enumerate(listed(source, "the file", document, "videos")):
        name = str(row.get("id")) if isinstance(row, dict) else None
        value = Things(str(name), tuple(found.get(str(name), [])), kinds)
        entries.put(source, f"videos[{k}]", name, None if name in broken else value)
    return entries


def _preds(source: Source, refs: Entries[Things]) -> Entries[tuple[Track, ...]]:
    """A list of tracks; a video without one has none."""
    entries: Entries[tuple[Track, ...]] = Entries()
    found, broken = _things(source, "predictions", [row for _, row in source.rows()])
    for name in dict.fromkeys([*refs.ids(), *found, *broken]):
        entries.put(source, name, name, None if name in broken else tuple(found.get(name, [])))
    return entries


def stt_ap(pairs: Sequence[Pair[Things, tuple[Track, ...]]], strict: bool) -> float:
    """The mean over categories of AP at an IoU of volumes of 0.5; strictly over those that a reference has."""
    kinds = dict.fromkeys(kind for pair in pairs for kind in pair.ref.kinds)
    precisions = []
    for kind in kinds:
        right, sure, count = [], [], 0
        for pair in pairs:
            truth = [t for t in pair.ref.tracks if t.kind == kind]
            said = sorted((t for t in pair.pred if t.kind == kind), key=lambda t: -t.confidence)
            count += len(truth)
            right += _taken(said, truth, strict)
            sure += [t.confidence for t in said]
        if not count and strict:
            continue
        order = np.argsort(-np.array(sure), kind="stable")
        hits = np.array(right, bool)[order]
        precisions.append(float(voc(hits[None, None], np.ones((1, len(hits)), bool), max(count, 1))[0, 0]))
    return float(np.mean(precisions)) if precisions else float("nan")


def _taken(said: Sequence[Track], truth: Sequence[Track], strict: bool) -> list[bool]:
    """Which tracks match: the best-fitting pair of all goes first, each track is in one pair."""
    right = [False] * len(said)
    ious = np.array([[volume_iou(a, b, strict) for b in truth] for a in said]).reshape(len(said), len(truth))
    for _ in range(min(ious.shape)):
        ref = int(ious.max(axis=0).argmax())
        pred = int(ious[:, ref].argmax())
        if ious[pred, ref] >= THRESHOLD:
            right[pred] = True
        ious[pred, :] = ious[:, ref] = -1.0
    return right


def volume_iou(a: Track, b: Track, strict: bool) -> float:
    """What two tracks share of their volumes, frame by frame; strictly without frames in which one is marked as outside."""
    ours = {f: box for f, box in a.boxes.items() if not (strict and f in a.outside)}
    true = {f: box for f, box in b.boxes.items() if not (strict and f in b.outside)}
    shared = sum(overlap(ours[f], true[f]) for f in ours.keys() & true.keys())
    total = sum(map(area, ours.values())) + sum(map(area, true.values())) - shared
    return shared / total if total > 0 else 0.0


def _score(pairs: Sequence[Pair[Things, tuple[Track, ...]]], strict: bool) -> Scored:
    def statistic(items: NDArray[np.intp]) -> float:
        return stt_ap([pairs[k] for k in items], strict)

    return Scored((Pooled(f"STT mAP@{THRESHOLD:g}", of=statistic),))


def overlap(a: Box, b: Box) -> float:
    """The area that two boxes share."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def area(box: Box) -> float:
    """Width times height."""
    return (box[2] - box[0]) * (box[3] - box[1])


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "tubes": Protocol("tubes", "Tubes of boxes: STT-AP", _refs, _preds, lambda ref: (), _score)
}
