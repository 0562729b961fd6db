"""TVR as its standalone_eval scores it (Lei et al., 2020): R@k for moments of the right video (SVMR), of all videos (VCMR),
and for videos (VR), in single precision; strictly in double precision, copies once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import length, listed, windows
from kairos.score.quantity import Mean, Quantity
from kairos.score.retrieval import hull_iou, sum_iou

__all__ = ["PROTOCOLS"]

TASKS = ("SVMR", "VCMR", "VR")
THRESHOLDS = (0.5, 0.7)
TOP = (1, 5, 10, 100)
MOST = 100
TYPES = ("v", "t", "vt")


@dataclass(frozen=True)
class Sentence:
    """A sentence of TVR; `type` says whether video, subtitles or both are needed."""

    video: str
    span: tuple[float, float]
    type: str | None


Ranked = dict[str, list[tuple[str, float, float]]]
"""By task, best first: video, start and end."""


def _refs(source: Source) -> Entries[Sentence]:
    entries: Entries[Sentence] = Entries()
    for place, row in source.rows():
        video_s = length(source, place, row.get("duration"))
        video = source.found.words(place, row.get("vid_name"), "vid_name")
        found = windows(source, place, [row.get("ts")], video_s, what="ts")
        value = None
        if video is not None and found:
            kind = row.get("type")
            value = Sentence(video, (found[0][0], found[0][1]), kind if kind in TYPES else None)
        entries.put(source, place, row.get("desc_id"), value)
    return entries


def _preds(source: Source, refs: Entries[Sentence]) -> Entries[Ranked]:
    """{"video2idx": {"friends_s01": 0}, "SVMR": [{"desc_id": 90200, "predictions": [[0, 16.5, 33.9, 0.8], ...]}], "VCMR": ...}"""
    entries: Entries[Ranked] = Entries()
    document = source.mapping()
    index = document.get("video2idx")
    tasks = [task for task in TASKS if task in document]
    if not isinstance(index, dict) or not tasks:
        source.problem("the file", f"must have video2idx and one of {', '.join(TASKS)}")
        return entries
    names = {number: name for name, number in index.items() if isinstance(number, int)}
    said: dict[str, Ranked] = {}
    for task in tasks:
        seen: set[str] = set()
        for k, row in enumerate(listed(source, "the file", document, task)):
            place = f"{task}[{k}]"
            given = row if isinstance(row, dict) else {}
            key = str(given.get("desc_id"))
            if key in seen:
                source.problem(place, f"the id {key} stands twice")
            seen.add(key)
            rows = given.get("predictions")
            if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) >= 3 for r in rows):
                source.problem(place, "predictions must be a list of [video index, start, end, score]")
                continue
            if not all(isinstance(r[0], int) and r[0] in names for r in rows):
                source.problem(place, "predictions name a video that video2idx does not have")
                continue
            found = windows(source, place, [r[1:3] for r in rows[:MOST]], None, what="predictions")
            if found is None:
                continue
            said.setdefault(key, {})[task] = [
                (names[r[0]], w[0], w[1]) for r, w in zip(rows, found, strict=False)
            ]
    for key, ranked in said.items():
        entries.put(source, key, key, ranked if set(ranked) == set(tasks) else None)
        if set(ranked) != set(tasks):
            source.problem(f"desc_id {key}", f"is not predicted in every one of {', '.join(tasks)}")
    return entries


def _score(pairs: Sequence[Pair[Sentence, Ranked]], strict: bool) -> Scored:
    precision = np.float64 if strict else np.float32
    tasks = [task for task in TASKS if any(task in pair.pred for pair in pairs)]
    hits: dict[tuple[str, str], np.ndarray] = {}
    for task in tasks:
        names = [f"{t:g}-r{k}" for t in THRESHOLDS for k in TOP] if task != "VR" else []
        for name in names or [f"r{k}" for k in TOP]:
            hits[task, name] = np.zeros(len(pairs))
        for n, pair in enumerate(pairs):
            said = pair.pred.get(task, [])
            said = list(dict.fromkeys(said)) if strict else said
            if task == "VR":
                own = [video == pair.ref.video for video, _, _ in said]
                for k in TOP:
                    hits[task, f"r{k}"][n] = any(own[:k])
                continue
            if task == "SVMR":
                said = [row for row in said if row[0] == pair.ref.video]
            if not said:
                continue
            spans: Any = np.array([row[1:] for row in said], precision)
            right = np.array([row[0] == pair.ref.video for row in said])
            truth: Any = np.array([pair.ref.span], precision)
            iou = (sum_iou if strict else hull_iou)(spans, truth) * right
            for threshold in THRESHOLDS:
                for k in TOP:
                    hits[task, f"{threshold:g}-r{k}"][n] = bool((iou[:k] >= threshold).any())
    quantities: list[Quantity] = [Mean(name, task, values=x) for (task, name), x in hits.items()]
    for kind in TYPES:
        of = np.array([pair.ref.type == kind for pair in pairs])
        if of.any():
            quantities += [
                Mean(f"{kind}-{name}", f"{task} by type", values=np.where(of, x, np.nan), detail=True)
                for (task, name), x in hits.items()
            ]
    return Scored(tuple(quantities))


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "tvr": Protocol("tvr", "TVR: moments and videos", _refs, _preds, lambda ref: {}, _score)
}
