"""Boxes found in pictures: COCO's AP and AR, computed by pycocotools from official files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import listed
from kairos.errors import MissingDependency, TimelineError
from kairos.score.quantity import Pooled
from kairos.timeline import checks

__all__ = ["PROTOCOLS"]

NAMES: tuple[str, ...] = (
    *("AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge"),
    *("AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"),
)
"""The twelve numbers, in pycocotools' order."""

Found = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Picture:
    """What is to be found in one picture: COCO's annotations, and all categories of the file."""

    video: str
    things: Found
    categories: tuple[int, ...]


def _references(source: Source) -> Entries[Picture]:
    document = source.mapping()
    kinds, pictures, things = (
        listed(source, "the file", document, name) for name in ("categories", "images", "annotations")
    )
    categories = tuple(
        kind["id"] for kind in kinds if isinstance(kind, dict) and isinstance(kind.get("id"), int)
    )
    by_picture: dict[Any, list[dict[str, Any]]] = {
        picture["id"]: []
        for picture in pictures
        if isinstance(picture, dict) and isinstance(picture.get("id"), int | str)
    }
    for k, thing in enumerate(things):
        if _is_box(source, f"annotations[{k}]", thing):
            by_picture.setdefault(thing["image_id"], []).append(thing)
    found: Entries[Picture] = Entries()
    for name, there in by_picture.items():
        found.put(source, f"images {name}", name, Picture(str(name), tuple(there), categories))
    return found


def _predictions(source: Source, refs: Entries[Picture]) -> Entries[Found]:
    """A list of boxes, or COCO's object with `annotations`. A picture without any has none found in it."""
    document = source.document()
    listed = document.get("annotations") if isinstance(document, dict) else document
    by_picture: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in refs.items()}
    if not isinstance(listed, list):
        source.problem("the file", "must be a list of boxes, or an object with annotations")
        listed = []
    for k, thing in enumerate(listed):
        if _is_box(source, f"[{k}]", thing, score=True):
            by_picture.setdefault(str(thing["image_id"]), []).append(thing)
    found: Entries[Found] = Entries()
    for name, things in by_picture.items():
        found.put(source, f"image {name}", name, tuple(things))
    return found


def _is_box(source: Source, place: str, thing: Any, *, score: bool = False) -> bool:
    wanted = ("image_id", "category_id", "bbox", *(("score",) if score else ()))
    if not isinstance(thing, dict) or any(key not in thing for key in wanted):
        source.problem(place, f"must be an object with {', '.join(wanted)}")
        return False
    if not isinstance(thing["image_id"], int | str) or not isinstance(thing["category_id"], int):
        source.problem(place, "image_id and category_id must be ids")
        return False
    try:
        if checks.array(thing["bbox"], "bbox").shape != (4,):
            raise TimelineError("bbox must be x, y, width, height")
        for name in ("score",) if score else ("area", "iscrowd"):
            checks.number(thing.get(name, 0), name)
    except TimelineError as error:
        source.problem(place, error.reason)
        return False
    return True


def _score(pairs: Sequence[Pair[Picture, Found]], strict: bool) -> Scored:
    """The same in both ways."""
    kept: dict[bytes, list[float]] = {}

    def value(chosen: NDArray[np.intp], place: int) -> float:
        key = np.asarray(chosen).tobytes()
        if key not in kept:
            kept[key] = _evaluated([pairs[k] for k in chosen])
        return kept[key][place]

    return Scored(
        tuple(
            Pooled(name, digits=1, of=lambda chosen, k=k: value(chosen, k))  # type: ignore[misc]
            for k, name in enumerate(NAMES)
        )
    )


def _evaluated(pairs: Sequence[Pair[Picture, Found]]) -> list[float]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingDependency("pycocotools", extra="masks", purpose="COCO's AP") from error
    truth, said = COCO(), []
    annotations: list[dict[str, Any]] = []
    # Numbered anew, since a picture may be drawn twice, and in the order of their ids, in which equal scores are ranked.
    ordered = sorted(pairs, key=lambda pair: (len(pair.id), pair.id))
    for number, pair in enumerate(ordered):
        for thing in pair.ref.things:
            box = thing["bbox"]
            annotations.append(
                {
                    "iscrowd": 0,
                    "area": box[2] * box[3],
                    **thing,
                    "image_id": number,
                    "id": len(annotations) + 1,
                }
            )
        said += [{**thing, "image_id": number} for thing in pair.pred]
    categories = sorted(
        {c for pair in pairs for c in pair.ref.categories} | {a["category_id"] for a in annotations}
    )
    truth.dataset = {
        "info": {},
        "images": [{"id": number} for number in range(len(pairs))],
        "annotations": annotations,
        "categories": [{"id": c} for c in categories],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        if not said:
            return [0.0] * len(NAMES)
        evaluation = COCOeval(truth, truth.loadRes(said), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float("nan") if value < 0 else float(value) for value in evaluation.stats]


PROTOCOLS: dict[str, Protocol[Picture, Found]] = {
    "coco": Protocol(
        name="coco",
        title="COCO: boxes",
        refs=_references,
        preds=_predictions,
        nothing=lambda ref: (),
        score=_score,
    )
}
