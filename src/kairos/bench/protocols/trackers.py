"""One thing followed through a sequence: LaSOT and GOT-10k, from trackers' folders of text files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols import lines
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.errors import TimelineError
from kairos.score.boxes import follow, got10k, xyxy
from kairos.score.quantity import Mean
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS"]


@dataclass(frozen=True)
class Tracked:
    """One sequence of a tracker's benchmark: boxes (n, 4) xyxy. `absent` (n,) for LaSOT, `cover` (n,) and `bound` for GOT-10k."""

    video: str
    boxes: FloatArray
    absent: NDArray[np.bool_] | None = None
    cover: FloatArray | None = None
    bound: tuple[float, float] | None = None


def _sequences(source: Source, tracked: Callable[[Path, FloatArray], Tracked]) -> Entries[Tracked]:
    """The folders with a groundtruth.txt; `tracked` makes a sequence of a folder and its boxes (ValueError: why not)."""
    found: Entries[Tracked] = Entries()
    files = sorted(source.path.glob("**/groundtruth.txt")) if source.path.is_dir() else []
    if not files:
        source.problem("the folder", "holds no groundtruth.txt, one in a folder a sequence")
    for file in files:
        name, boxes, value = file.parent.name, _boxes(source, file), None
        try:
            value = None if boxes is None else tracked(file.parent, boxes)
        except (ValueError, TimelineError) as error:
            source.problem(name, str(error))
        found.put(source, name, name, value)
    return found


def _lasot_truth(folder: Path, boxes: FloatArray) -> Tracked:
    marks = [_marks(folder / name, len(boxes)) for name in ("full_occlusion.txt", "out_of_view.txt")]
    known = [mark > 0 for mark in marks if mark is not None]
    return Tracked(folder.name, boxes, absent=np.any([np.zeros(len(boxes), bool), *known], axis=0))


def _got10k_truth(folder: Path, boxes: FloatArray) -> Tracked:
    about = folder / "meta_info.ini"
    told = lines.text(about) if about.is_file() else ""
    size = re.search(r"resolution\s*[:=]\s*\(?\s*(\d+)\s*,\s*(\d+)", told)
    if size is None:
        raise ValueError("meta_info.ini must tell the resolution: (width, height)")
    cover = _marks(folder / "cover.label", len(boxes))
    return Tracked(folder.name, boxes, cover=cover, bound=(float(size[1]), float(size[2])))


def _marks(file: Path, frames: int) -> FloatArray | None:
    """A number a frame, however they are divided; None where there is no such file."""
    if not file.is_file():
        return None
    found = np.array([float(mark) for mark in re.split(r"[,\s]+", lines.text(file)) if mark])
    if len(found) != frames:
        raise ValueError(f"{file.name} has {len(found)} marks for {frames} boxes")
    return found


def _trajectories(source: Source, refs: Entries[Tracked]) -> Entries[FloatArray]:
    """`SEQUENCE.txt`, or `SEQUENCE/SEQUENCE_001.txt`; as many boxes x, y, width, height as there are true ones."""
    found: Entries[FloatArray] = Entries()
    for name, ref in refs.items():
        files = [*source.path.glob(f"**/{name}.txt"), *source.path.glob(f"**/{name}/{name}_001.txt")]
        if not files:
            continue
        boxes = _boxes(source, files[0])
        if boxes is not None and len(boxes) != len(ref.boxes):
            source.problem(name, f"has {len(boxes)} boxes for {len(ref.boxes)} frames")
            boxes = None
        found.put(source, name, name, boxes)
    return found


def _boxes(source: Source, file: Path) -> FloatArray | None:
    """The boxes (n, 4) xyxy of a file with x, y, width, height a line."""
    found = lines.rows(source, file, lambda row: None if len(row) == 4 else "must be four numbers")
    return None if found is None else xyxy(np.array(found, np.float64).reshape(-1, 4))


def _lasot(pairs: Sequence[Pair[Tracked, FloatArray]], strict: bool) -> Scored:
    """Values of a sequence, averaged over sequences. Strict: without the first frame and those without the thing."""
    way = "strict" if strict else "official"
    names = {
        "success_auc": "Success (AUC)",
        "precision": "Precision",
        "norm_precision": "Normalised precision (AUC to 0.5)",
        "norm_precision_0.2": "Normalised precision at 0.2",
    }
    rows = [follow(p.pred, p.ref.boxes, absent=p.ref.absent, protocol=way) for p in pairs]
    values = [{} if row is None else row.values() for row in rows]
    return Scored(
        tuple(
            Mean(shown, values=np.array([row.get(name, np.nan) for row in values]))
            for name, shown in names.items()
        )
    )


def _got10k(pairs: Sequence[Pair[Tracked, FloatArray]], strict: bool) -> Scored:
    """All frames pooled: the mean over sequences, weighted by their frames."""
    way = "strict" if strict else "official"
    frames = [
        got10k(p.pred, p.ref.boxes, bound=p.ref.bound or (np.inf, np.inf), cover=p.ref.cover, protocol=way)
        for p in pairs
    ]
    weights = np.array([len(one) for one in frames], np.float64)
    found = [Mean("AO", values=_means(frames), weights=weights)]
    for threshold in (0.5, 0.75):
        above = [(ious > threshold).astype(np.float64) for ious in frames]
        found.append(Mean(f"SR{threshold:g}", values=_means(above), weights=weights))
    return Scored(tuple(found))


def _means(frames: Sequence[FloatArray]) -> FloatArray:
    return np.array([one.mean() if len(one) else np.nan for one in frames], np.float64)


def _still(ref: Tracked) -> FloatArray:
    """The prediction that says nothing: no box anywhere."""
    return np.full_like(ref.boxes, np.nan)


PROTOCOLS: dict[str, Protocol[Tracked, FloatArray]] = {
    name: Protocol(
        name=name,
        title=title,
        refs=lambda source, truth=truth: _sequences(source, truth),  # type: ignore[misc]
        preds=_trajectories,
        nothing=_still,
        score=score,
        folders=True,
    )
    for name, title, truth, score in (
        ("lasot", "LaSOT", _lasot_truth, _lasot),
        ("got10k", "GOT-10k", _got10k_truth, _got10k),
    )
}
