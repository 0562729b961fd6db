"""The JSON documents of `--json` and `--save FILE.json`: each names itself and its version.

A version grows when a key changes its meaning or goes; new keys may come without it. docs/cli.md shows them all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kairos.timeline import Answer, MaskTrack, Track

__all__ = ["answer", "emit", "head"]

VERSIONS = {
    "answer": 1,
    "watch": 1,
    "world": 1,
    "train": 1,
    "duet-data": 1,
    "task-data": 1,
    "features": 1,
    "bench": 1,
    "score": 1,
    "doctor": 1,
}


def head(name: str) -> dict[str, Any]:
    """How the document of that name begins."""
    return {"kairos": name, "version": VERSIONS[name]}


def emit(document: Mapping[str, Any]) -> None:
    """Prints a document to stdout, in one line; letters beyond ASCII are escaped where stdout cannot hold them."""
    utf = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(document, ensure_ascii=not utf, default=str) + "\n")


def answer(given: Answer) -> dict[str, Any]:
    """The answer as the JSON document of `--json` and `--save FILE.json`: every key is always there."""
    curve = given.curve
    return {
        **head("answer"),
        "kind": given.kind,
        "video": given.video,
        "duration": given.duration,
        "model": given.model,
        "query": given.query,
        "text": given.text,
        "abstained": given.abstained,
        "confidence": given.confidence,
        "moments": [
            {"start": m.start, "end": m.end, "score": m.score, "label": m.label} for m in given.moments
        ],
        "unknown_words": list(given.unknown_words),
        "notes": list(given.notes),
        "curve": None
        if curve is None
        else {"name": curve.name, "times": curve.times.tolist(), "values": curve.values.tolist()},
        "track": None if given.track is None else _track(given.track),
        "mask_track": None if given.mask_track is None else _mask_track(given.mask_track),
    }


def _track(given: Track) -> dict[str, Any]:
    return {
        "label": given.label,
        "score": given.score,
        "times": given.times.tolist(),
        "boxes": given.boxes.tolist(),
        "visible": None if given.visible is None else given.visible.tolist(),
    }


def _mask_track(given: MaskTrack) -> dict[str, Any]:
    return {
        "label": given.label,
        "score": given.score,
        "size": list(given.size),
        "times": given.times.tolist(),
        "masks": [mask.to_dict() for mask in given.masks],
    }
