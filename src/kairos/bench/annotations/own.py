"""Kairos's own timelines, one video a file: NAME.timeline.jsonl as `kairos world render` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kairos.bench.annotations.gathering import Gathering
from kairos.errors import TimelineError
from kairos.timeline import Metadata, jsonl

NAME, SUFFIX = "timeline", ".jsonl"


def fits(document: Any) -> bool:
    return any("kind" in row or row.get("kairos") == "timeline" for _, row in document)


def read(document: Any, found: Gathering) -> None:
    """The records as they are; the video's name and length from the header, or from what the world says of its clip."""
    header: dict[str, Any] = next((row for _, row in document if "kind" not in row), {})
    video, length = header.get("video"), header.get("duration")
    records = []
    for number, row in document:
        if "kind" not in row:
            continue
        try:
            record = jsonl.record_from_dict(row)
        except TimelineError as error:
            found.problem(number, error.reason)
            continue
        if isinstance(record, Metadata):
            length = record.get("duration") if length is None else length
            video = record.get("name") if video is None else video
        records.append(record)
    name = Path(found.path).name.split(".")[0] if video is None else video
    known = None if length is None else found.length("the header", length)
    if found.video("the header", name, known):
        found.add(name, *records)
