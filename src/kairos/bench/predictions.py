"""Predictions on disk: one JSON record a line, written clip by clip, so that a killed run goes on where it stopped.

Each line is an answer as a timeline holds it, and beside it the clip, its content's id and the model's hash, the presence,
what was fired online, and the seconds that the answer took.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kairos.timeline import Answer, Moment
from kairos.timeline.files import atomic_write

__all__ = ["Key", "Predictions", "online_of"]

Key = tuple[str, str, str]
"""Clip, the id of its content, the model's hash: what makes predictions the same work."""


class Predictions:
    """A file of predictions that grows. What it holds of other models or other clips is dropped when it is opened.

    A clip counts as done when as many of its lines are there as its last line says (`items`).
    """

    def __init__(self, path: Path, keys: Iterable[Key]) -> None:
        self.path = path
        wanted = set(keys)
        found: dict[Key, list[dict[str, Any]]] = {}
        for line in _lines(path):
            found.setdefault((line.get("clip", ""), line.get("video", ""), line.get("hash", "")), []).append(
                line
            )
        self._done = {
            key: lines
            for key, lines in found.items()
            if key in wanted and len(lines) == lines[-1].get("items")
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.writelines(_dump(line) for lines in self._done.values() for line in lines)

    def __contains__(self, key: Key) -> bool:
        return key in self._done

    def __len__(self) -> int:
        return len(self._done)

    def add(self, key: Key, answers: Iterable[Answer]) -> None:
        """Writes all of a clip's answers at once; `key` must not be there yet."""
        rows = [answer.to_dict() for answer in answers]
        clip, video, fingerprint = key
        lines = [
            {**row, "clip": clip, "video": video, "hash": fingerprint, "items": len(rows)} for row in rows
        ]
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write("".join(_dump(line) for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self._done[key] = lines

    def of(self, key: Key) -> list[Answer]:
        """The answers about one clip."""
        return [Answer.from_dict(line) for line in self._done[key]]


def online_of(answer: Answer) -> Answer:
    """What was fired online for the same query, as OnlineScore reads it."""
    shot: Mapping[str, float] | None = answer.extra.get("online")
    moments = () if shot is None else (Moment.from_dict(shot),)
    return Answer(answer.kind, answer.query, moments=moments)


def _lines(path: Path) -> list[dict[str, Any]]:
    """What can be read; the last line of a killed run may be torn."""
    lines = []
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    for line in text.split("\n"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            lines.append(value)
    return lines


def _dump(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
