"""RefCOCO, RefCOCO+ and RefCOCOg: whether the box of the thing that an expression refers to was found, Acc@0.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.annotations.gathering import Place
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.errors import TimelineError
from kairos.score.boxes import iou, xyxy
from kairos.score.quantity import Mean
from kairos.timeline import checks
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS"]


@dataclass(frozen=True)
class Referred:
    """The thing that an expression refers to, a box (4,) xyxy in a picture."""

    video: str
    box: FloatArray


def _expressions(source: Source) -> Entries[Referred]:
    found: Entries[Referred] = Entries()
    for place, fields in source.rows():
        box = _box(source, place, fields)
        picture = next((fields[k] for k in ("image", "file_name", "image_id", "video") if k in fields), None)
        if picture is None:
            source.problem(place, "needs image, file_name or image_id")
        value = None if box is None or picture is None else Referred(str(picture), box)
        found.put(source, place, _name(fields), value)
    return found


def _located(source: Source, refs: Entries[Referred]) -> Entries[FloatArray | tuple[()]]:
    """A box each, or null where the model says that it is not there."""
    found: Entries[FloatArray | tuple[()]] = Entries()
    for place, fields in source.rows():
        none = any(key in fields and fields[key] is None for key in ("box", "bbox"))
        found.put(source, place, _name(fields), () if none else _box(source, place, fields))
    return found


def _name(fields: dict[str, Any]) -> Any:
    return next((fields[key] for key in ("id", "sent_id", "ref_id") if key in fields), None)


def _box(source: Source, place: Place, fields: dict[str, Any]) -> FloatArray | None:
    """`box` is x1, y1, x2, y2; `bbox` is x, y, width, height, as COCO has it."""
    key = "box" if "box" in fields else "bbox"
    if key not in fields:
        source.problem(place, "needs box (x1, y1, x2, y2) or bbox (x, y, width, height)")
        return None
    try:
        values = checks.array(fields[key], key)
    except TimelineError as error:
        source.problem(place, error.reason)
        return None
    if values.shape != (4,):
        source.problem(place, f"{key} must be four numbers, not {len(values)}")
        return None
    box = values if key == "box" else xyxy(values[None])[0]
    if (box[2:] < box[:2]).any():
        source.problem(place, f"{key} is turned round: {fields[key]}")
        return None
    return box


def _refcoco(pairs: Sequence[Pair[Referred, Any]], strict: bool) -> Scored:
    """The same in both ways: failures are misses, and the IoU must lie above 0.5."""
    none = (np.nan,) * 4
    ious = iou([none if len(p.pred) == 0 else p.pred for p in pairs], [p.ref.box for p in pairs])
    return Scored(
        (
            Mean("Acc@0.5", values=(ious > 0.5).astype(np.float64)),
            Mean("mIoU", values=ious),
            Mean("no box", values=np.array([len(p.pred) == 0 for p in pairs], np.float64)),
        )
    )


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "refcoco": Protocol(
        name="refcoco",
        title="RefCOCO, RefCOCO+, RefCOCOg",
        refs=_expressions,
        preds=_located,
        nothing=lambda ref: (),
        score=_refcoco,
    )
}
