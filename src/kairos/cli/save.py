"""What `--save` and `--json` hold, and the check of output names before any work is done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos.errors import OptionError

if TYPE_CHECKING:
    from kairos.timeline import Answer

__all__ = ["DOCUMENTS", "PICTURES", "check", "document", "write"]

VERSION = 1
"""Of the answer document. It grows when a key changes its meaning or goes; new keys may come without it."""

DOCUMENTS = (".json", ".vtt", ".srt")
PICTURES = (".png",)


def check(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Raises OptionError where nothing could be written to `path`, or its ending is none of `suffixes`."""

    def refuse(what: str, hint: str) -> OptionError:
        return OptionError(f"{option} {path} {what}", option=option.lstrip("-"), value=str(path), hint=hint)

    if path.suffix.lower() not in suffixes:
        raise refuse("has an ending that cannot be written", f"end the name in {' or '.join(suffixes)}")
    if path.is_dir():
        raise refuse("is a folder", "give the name of a file")
    if not path.parent.is_dir():
        raise refuse("is in a folder that does not exist", f"make it first: mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise refuse("is in a folder that cannot be written", "write to another folder")


def document(answer: Answer) -> dict[str, Any]:
    """The answer as the JSON document of `--json` and `--save FILE.json`: every key is always there."""
    curve = answer.curve
    return {
        "kairos": "answer",
        "version": VERSION,
        "kind": answer.kind,
        "video": answer.video,
        "duration": answer.duration,
        "model": answer.model,
        "query": answer.query,
        "text": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "moments": [
            {"start": m.start, "end": m.end, "score": m.score, "label": m.label} for m in answer.moments
        ],
        "unknown_words": list(answer.unknown_words),
        "notes": list(answer.notes),
        "curve": None
        if curve is None
        else {"name": curve.name, "times": curve.times.tolist(), "values": curve.values.tolist()},
    }


def write(answer: Answer, path: Path) -> None:
    """Writes the answer in one step: the whole file or none. The ending says the format."""
    from kairos.timeline import Timeline
    from kairos.timeline.files import atomic_write

    suffix = path.suffix.lower()
    if suffix == ".json":
        with atomic_write(path) as file:
            json.dump(document(answer), file, ensure_ascii=False, indent=2)
            file.write("\n")
        return
    timeline = Timeline([answer], video=answer.video, duration=answer.duration)
    (timeline.to_vtt if suffix == ".vtt" else timeline.to_srt)(path)
