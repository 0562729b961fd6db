"""HiREST's evaluate.py (Zala et al., 2023): the moment of a video that a prompt asks for, and its steps.

- hirest: moment retrieval, R@1 at 0.5 and 0.7; predictions {"Make Tea": {"5V3.mp4": {"bounds": [50, 121]}}}.
- hirest-steps: moment segmentation, precision and recall of step bounds above 0.5 and 0.7, means over videos; predictions and
  references {"5V3.mp4": {"bounds": [[50, 58], [58, 67]]}}; references also in the form of the annotation files.

IoU is shared over the smaller of hull and sum, with 1e-8 added; strictly without. Where the official categories.json lies
beside the references, every number is told for each category, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import Windows, length, windows
from kairos.score.quantity import Mean, Quantity
from kairos.score.retrieval import sum_iou
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS"]

THRESHOLDS = (0.5, 0.7)
TINY = 1e-8


@dataclass(frozen=True)
class Bounded:
    """The moment, or the steps, of a video."""

    video: str
    spans: Windows
    category: str = ""


def iou(pred: Windows, ref: Windows, strict: bool) -> FloatArray:
    """IoU (n, m) of windows with windows."""
    a = np.array([w[:2] for w in pred], np.float64).reshape(-1, 1, 2)
    b = np.array([w[:2] for w in ref], np.float64).reshape(1, -1, 2)
    if strict:
        return sum_iou(a, b)
    shared = np.maximum(0.0, np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0]))
    hull = np.maximum(a[..., 1], b[..., 1]) - np.minimum(a[..., 0], b[..., 0])
    total = np.minimum(hull, (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]))
    result: FloatArray = shared / (total + TINY)
    return result


def _categories(source: Source, of: str) -> dict[str, str]:
    """`prompt_to_cat` or `video_to_cat` of categories.json beside the file; nothing where there is none."""
    beside = source.path.parent / "categories.json"
    if not beside.is_file():
        return {}
    about = Source(beside)
    found = about.mapping().get(of)
    if not isinstance(found, dict):
        about.problem(of, "must be an object")
    source.found.problems += about.found.problems
    return {str(name): str(kind) for name, kind in found.items()} if isinstance(found, dict) else {}


def _by_category(pairs: Sequence[Pair[Bounded, Windows]], found: Sequence[Mean]) -> tuple[Quantity, ...]:
    """What was found, and the same of each category."""
    kinds = [pair.ref.category for pair in pairs]
    each = [
        Mean(q.name, kind, detail=True, values=np.where([one == kind for one in kinds], q.values, np.nan))
        for kind in sorted(set(kinds) - {""})
        for q in found
    ]
    return (*found, *each)


def _prompted(source: Source) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Every entry as (place, prompt, video, entry)."""
    rows = []
    for prompt, videos in source.mapping().items():
        for video, entry in videos.items() if isinstance(videos, dict) else [(None, videos)]:
            place = f"{prompt}.{video}" if video else prompt
            if video is None or not isinstance(entry, dict):
                source.problem(place, "must be an object with bounds")
            else:
                rows.append((place, prompt, video, entry))
    return rows


def _moment_refs(source: Source) -> Entries[Bounded]:
    entries: Entries[Bounded] = Entries()
    kinds = _categories(source, "prompt_to_cat")
    for place, prompt, video, entry in _prompted(source):
        if entry.get("clip"):
            video_s = length(source, place, entry.get("v_duration"))
            found = windows(source, place, [entry.get("bounds")], video_s, what="bounds")
            value = Bounded(video, found, kinds.get(prompt, "")) if found else None
            entries.put(source, place, f"{prompt}/{video}", value)
    return entries


def _moment_preds(source: Source, refs: Entries[Bounded]) -> Entries[Windows]:
    entries: Entries[Windows] = Entries()
    for place, prompt, video, entry in _prompted(source):
        bounds = entry.get("bounds")
        listed = [] if bounds in ([], None) else [bounds]
        entries.put(source, place, f"{prompt}/{video}", windows(source, place, listed, None, what="bounds"))
    return entries


def _moments(pairs: Sequence[Pair[Bounded, Windows]], strict: bool) -> Scored:
    best = np.array([iou(p.pred, p.ref.spans, strict).max(initial=0.0) for p in pairs])
    found = [Mean(f"R@{t:g}", values=(best >= t).astype(np.float64)) for t in THRESHOLDS]
    return Scored(_by_category(pairs, [*found, Mean("mIoU", values=best, detail=True)]))


def _step_refs(source: Source) -> Entries[Bounded]:
    entries: Entries[Bounded] = Entries()
    kinds = _categories(source, "video_to_cat")
    for name, entry in source.mapping().items():
        inner = entry if isinstance(entry, dict) else {}
        if isinstance(inner.get("bounds"), list):
            found = windows(source, name, inner["bounds"], None, what="bounds")
            value = Bounded(name, found, kinds.get(name, "")) if found else None
            entries.put(source, name, name, value)
            continue
        for video, given in inner.items():
            steps = given.get("steps") if isinstance(given, dict) else None
            if isinstance(steps, list) and steps and given.get("clip"):
                place = f"{name}.{video}"
                spans = [step.get("absolute_bounds") if isinstance(step, dict) else step for step in steps]
                found = windows(source, place, spans, None, what="absolute_bounds")
                value = Bounded(video, found, kinds.get(video, "")) if found else None
                entries.put(source, place, video, value)
    return entries


def _step_preds(source: Source, refs: Entries[Bounded]) -> Entries[Windows]:
    entries: Entries[Windows] = Entries()
    for video, entry in source.mapping().items():
        bounds = entry.get("bounds") if isinstance(entry, dict) else entry
        entries.put(source, video, video, windows(source, video, bounds, None, what="bounds"))
    return entries


def _steps(pairs: Sequence[Pair[Bounded, Windows]], strict: bool) -> Scored:
    quantities: list[Mean] = []
    every = []
    for pair in pairs:
        said = [list(w) for w in dict.fromkeys((w[0], w[1]) for w in pair.pred)] if strict else pair.pred
        every.append(iou(said, pair.ref.spans, strict))
    for threshold in THRESHOLDS:
        for name, axis in (("recall", 0), ("precision", 1)):
            values = [float((m > threshold).any(axis=axis).mean()) if m.size else 0.0 for m in every]
            quantities.append(Mean(f"{name}@{threshold:g}", values=np.array(values)))
    return Scored(_by_category(pairs, quantities))


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "hirest": Protocol(
        "hirest", "HiREST: moment retrieval", _moment_refs, _moment_preds, lambda ref: [], _moments
    ),
    "hirest-steps": Protocol(
        "hirest-steps", "HiREST: moment segmentation", _step_refs, _step_preds, lambda ref: [], _steps
    ),
}
