"""Training data on disk: JSON Lines, a header that says of what kind they are, and then one item a line.

{"kairos": "tasks", "version": 1, "seed": 1, ...}
{...}
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kairos.errors import TimelineError
from kairos.timeline import atomic_write
from kairos.timeline.jsonl import read_text

__all__ = ["Kind", "read", "write"]

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """`name` and `version` stand in the header; `items` is what the file holds, in words, and `command` makes one."""

    name: str
    version: int
    items: str
    command: str

    def check(self, header: Mapping[str, Any]) -> None:
        """Raises TimelineError where this is no header of the kind and version."""
        if header.get("kairos") != self.name:
            raise TimelineError(
                f"a file of {self.items} begins with its header", hint=f"`{self.command}` writes one"
            )
        if header.get("version") != self.version:
            raise TimelineError(f"version {header.get('version')!r} cannot be read, only {self.version}")


def write(
    path: str | os.PathLike[str], kind: Kind, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]
) -> None:
    """Writes rows in one step, the whole file or none; `facts` stand in the header."""
    with atomic_write(path) as file:
        for values in ({"kairos": kind.name, "version": kind.version, **facts}, *rows):
            file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: str | os.PathLike[str], kind: Kind, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """What `make` makes of each row after the header. TimelineError, raised here or by `make`, carries file and line."""
    text, name = read_text(Path(path), "")
    made: list[T] = []
    headed = False
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise TimelineError("a line must hold one JSON object")
            if headed:
                made.append(make(values))
            else:
                kind.check(values)
            headed = True
        except TimelineError as error:
            raise error.at(name, number) from error
        except (ValueError, RecursionError) as error:
            raise TimelineError("not JSON", path=name, line=number) from error
    if not headed:
        raise TimelineError(f"no {kind.items}: the file is empty", path=name)
    return made
