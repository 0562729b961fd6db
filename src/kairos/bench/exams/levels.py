"""VideoZeroBench's five levels: answered with hints of place and time, of time, and with none; then when, then where.

Hints stand in the prompt, as in the benchmark. What is found is put into the words and the JSON that its script reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kairos.bench.exams.exam import Candidate, Exam, Item, Result, Said, View
from kairos.bench.harness import rows
from kairos.bench.protocols.source import Entries, Source
from kairos.timeline.files import atomic_write

__all__ = ["EXAMS"]

THOUSANDTHS = 1000
FORM = "Answer with a word or a number only."


def _items(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for _, fields in rows(source):
        name = next((fields[key] for key in ("question_id", "id", "index") if key in fields), None)
        ref = refs.get(str(name))
        if ref is not None:
            yield Item(str(name), ref.video, str(fields.get("question", "")), about=ref)


def _put(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    ref = item.about
    when = "; ".join(f"from {a:g} to {b:g} s" for a, b in ref.spans)
    where = "; ".join(
        f"at {t:g} s {', '.join(str([round(v * THOUSANDTHS) for v in box]) for box in boxes)}"
        for t, boxes in ref.boxes.items()
    )
    in_time = f"What proves the answer is seen {when}.\n" if when else ""
    in_place = f"It lies in these boxes, in thousandths of the picture: {where}.\n" if where else ""
    found = {
        "level-1": candidate.ask(view, f"{in_time}{in_place}{item.query}\n{FORM}"),
        "level-2": candidate.ask(view, f"{in_time}{item.query}\n{FORM}"),
        "level-3": candidate.ask(view, f"{item.query}\n{FORM}"),
    }
    if ref.spans:
        found["level-4"] = candidate.ground(view, item.query, 1)
    if ref.boxes:
        found["level-5"] = candidate.locate(view, item.query, sorted(ref.boxes))
    return found


def _levels(folder: Path, results: Sequence[Result]) -> list[Path]:
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            said = {level: r.raw(level) for level in ("level-1", "level-2", "level-3")}
            if "level-4" in r.steps:
                said["level-4"] = "; ".join(
                    f"from {m.start:.2f} to {m.end:.2f}" for m in r.answer("level-4").moments
                )
            if "level-5" in r.steps:
                said["level-5"] = json.dumps(_boxes(r))
            row = {"question_id": r.item.id, "prediction": said}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


def _boxes(result: Result) -> list[dict[str, Any]]:
    """Boxes at the true times, in thousandths of the picture."""
    step, track = result.steps["level-5"], result.answer("level-5").track
    width, height = step["frames"].get("size", (1, 1))
    return [
        {
            "time": float(t),
            "bbox_2d": [
                round(THOUSANDTHS * float(v) / side)
                for v, side in zip(box, (width, height, width, height), strict=True)
            ],
        }
        for t, box in zip(*((track.times, track.boxes) if track is not None else ((), ())), strict=True)
    ]


EXAMS: Mapping[str, Exam] = {"videozerobench": Exam(items=_items, put=_put, write=_levels)}
"""The exams of this file by their benchmarks' names."""
