"""Readers of the field's annotation files: each file becomes timelines, one a video, in the order of the file.

    for timeline in read("charades_sta_test.txt").timelines: ...

A file's format is known by its content. Every problem of a file is told at once, each with its place and its reason; spans
stay as they were annotated, also where they end a little after the video. Nothing heavy is needed, numpy at most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from kairos.bench.annotations import (
    activitynet,
    charades,
    didemo,
    hirest,
    moments,
    own,
    tvgbench,
)
from kairos.bench.annotations.gathering import Gathering
from kairos.errors import AnnotationError, TimelineError
from kairos.timeline import Timeline
from kairos.timeline.jsonl import read_text

__all__ = ["FORMATS", "Annotations", "read"]

SHOWN = 8
"""Problems in an error's one line; `AnnotationError.errors` has them all."""


class Reader(Protocol):
    """What every format's module offers. `document` is the file's JSON, or its lines as (number from 1, content)."""

    NAME: str
    SUFFIX: str

    def fits(self, document: Any) -> bool: ...
    def read(self, document: Any, found: Gathering) -> None: ...


READERS: tuple[Reader, ...] = (activitynet, charades, didemo, hirest, moments, tvgbench, own)
FORMATS = {reader.NAME: reader.SUFFIX for reader in READERS}
"""The formats that can be read, and how their files' names end."""


@dataclass(frozen=True)
class Annotations:
    """What a file says: a timeline for each video, and the problems of the entries that were left out."""

    path: str
    format: str
    timelines: tuple[Timeline, ...]
    problems: tuple[str, ...] = ()


def read(path: str | os.PathLike[str], *, leave_out: bool = False) -> Annotations:
    """Returns the annotations of a file. `leave_out` goes on without the entries that have problems, and lists them.

    Raises AnnotationError with all problems of the file, or where it is of no known format; TimelineError where it
    cannot be read at all.
    """
    text, _ = read_text(Path(path), "")
    name, suffix = os.fspath(path), Path(path).suffix.lower()
    found = Gathering(name)
    document = _document(text, suffix, found)
    reader = next((r for r in READERS if suffix == r.SUFFIX and document and r.fits(document)), None)
    if reader is None:
        if found.problems:
            raise _error(found)
        known = ", ".join(f"{key} ({ending})" for key, ending in FORMATS.items())
        raise AnnotationError(
            f"{name}: {'of no known annotation format' if document else 'holds no annotations'}",
            path=name,
            errors=["of no known format"],
            hint=f"known: {known}",
        )
    reader.read(document, found)
    if found.problems and not leave_out:
        raise _error(found)
    return Annotations(name, reader.NAME, found.timelines(), tuple(found.problems))


def _document(text: str, suffix: str, found: Gathering) -> Any:
    """The JSON of a .json file; the lines that are not blank of another, objects where it is .jsonl."""
    if suffix == ".json":
        try:
            return _json(text)
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else None
            raise TimelineError(f"not JSON: {error}", path=found.path, line=line) from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return list(_objects(lines, found)) if suffix == ".jsonl" else lines


def _objects(lines: list[tuple[int, str]], found: Gathering) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines:
        try:
            values = _json(line)
        except ValueError as error:
            found.problem(number, f"not JSON: {error}")
            continue
        if isinstance(values, dict):
            yield number, values
        else:
            found.problem(number, "a line must hold one JSON object")


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that annotations may hold")


def _error(found: Gathering) -> AnnotationError:
    count, rest = len(found.problems), len(found.problems) - SHOWN
    shown = "; ".join(found.problems[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
    return AnnotationError(
        f"{count} problem{'s' if count > 1 else ''}: {shown}" if count > 1 else shown,
        path=found.path,
        errors=found.problems,
        hint="mend the file, or leave these entries out",
    )
