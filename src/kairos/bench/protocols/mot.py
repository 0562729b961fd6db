"""Many things followed at once, from files of MOTChallenge: `SEQUENCE/gt.txt` or `SEQUENCE/gt/gt.txt`, and `SEQUENCE.txt`.

A line is frame, identity, x, y, width, height, and more that is passed over but for the confidence, which must not be 0 in
the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols import lines
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.score.identities import Counts, follow_all
from kairos.score.quantity import Pooled

__all__ = ["PROTOCOLS"]

SHARES = ("mota", "motp", "idf1", "idp", "idr", "recall", "precision")
NUMBERS = (
    *("num_unique_objects", "mostly_tracked", "partially_tracked", "mostly_lost"),
    *("num_false_positives", "num_misses", "num_switches", "num_fragmentations"),
)

Boxes = dict[int, dict[int, tuple[float, float, float, float]]]
"""By frame and identity, xyxy."""


@dataclass(frozen=True)
class Crowd:
    """The true boxes of one sequence."""

    video: str
    boxes: Boxes


def _references(source: Source) -> Entries[Crowd]:
    found: Entries[Crowd] = Entries()
    files = sorted(source.path.glob("**/gt.txt")) if source.path.is_dir() else []
    if not files:
        source.problem("the folder", "holds no gt.txt, one in a folder a sequence")
    for file in files:
        folder = file.parent.parent if file.parent.name == "gt" else file.parent
        boxes = _boxes(source, file, truth=True)
        found.put(source, folder.name, folder.name, None if boxes is None else Crowd(folder.name, boxes))
    return found


def _predictions(source: Source, refs: Entries[Crowd]) -> Entries[Boxes]:
    found: Entries[Boxes] = Entries()
    for name, _ in refs.items():
        files = [*source.path.glob(f"**/{name}.txt"), *sorted(source.path.glob(f"**/{name}/*.txt"))]
        if files:
            found.put(source, name, name, _boxes(source, files[0]))
    return found


def _boxes(source: Source, file: Path, *, truth: bool = False) -> Boxes | None:
    boxes: Boxes = {}

    def wrong(row: lines.Row) -> str | None:
        if len(row) < 6 or not all(map(isfinite, row[:6])):
            return "must be frame, id, x, y, width, height"
        frame, identity, x, y, width, height, *more = row
        if truth and more and more[0] == 0:
            return None
        of_frame = boxes.setdefault(int(frame), {})
        if int(identity) in of_frame:
            return f"{identity:g} stands twice in frame {frame:g}"
        of_frame[int(identity)] = (x, y, x + width, y + height)
        return None

    return None if lines.rows(source, file, wrong) is None else boxes


def _score(pairs: Sequence[Pair[Crowd, Boxes]], strict: bool) -> Scored:
    """All sequences counted together; the same in both ways."""
    counts = [_counts(pair.pred, pair.ref.boxes) for pair in pairs]

    def value(chosen: NDArray[np.intp], name: str) -> float:
        return _together([counts[k] for k in chosen]).values().get(name, float("nan"))

    rounds = 200 if len(pairs) > 1 else 0
    return Scored(
        tuple(
            Pooled(
                name,
                unit="%" if name in SHARES else "",
                digits=1 if name in SHARES else 0,
                rounds=rounds,
                of=lambda chosen, name=name: value(chosen, name),  # type: ignore[misc]
            )
            for name in (*SHARES, *NUMBERS)
        )
    )


def _counts(pred: Boxes, true: Boxes) -> Counts:
    frames = sorted({*pred, *true})
    return follow_all([pred.get(k, {}) for k in frames], [true.get(k, {}) for k in frames])


def _together(parts: list[Counts]) -> Counts:
    """The counts of several sequences, whose identities are their own."""
    whole = Counts()
    for number, part in enumerate(parts):
        for item in fields(Counts):
            if item.name not in ("missed", "together"):
                setattr(whole, item.name, getattr(whole, item.name) + getattr(part, item.name))
        whole.missed |= {(number, name): row for name, row in part.missed.items()}
        whole.together.update({((number, a), (number, b)): n for (a, b), n in part.together.items()})
    return whole


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "mot": Protocol(
        name="mot",
        title="MOTChallenge: CLEAR MOT and identities",
        refs=_references,
        preds=_predictions,
        nothing=lambda ref: {},
        score=_score,
        folders=True,
    )
}
