"""The files that are scored: one that is read once, and what its entries are."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from kairos.bench.annotations.document import parse
from kairos.bench.annotations.gathering import Gathering, Place
from kairos.timeline.jsonl import read_text

__all__ = ["Entries", "Source"]

T = TypeVar("T")


class Source:
    """One file of predictions or references (or one folder), with every problem that is found in it.

    `beside` are the files given together with it, itself first: some protocols spread their predictions over several.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.found = Gathering(os.fspath(path))
        self.beside: tuple[Source, ...] = (self,)
        self._document: Any = None
        self._content: str | None = None

    @property
    def suffix(self) -> str:
        """How the file's name ends, in lower case."""
        return self.path.suffix.lower()

    def document(self) -> Any:
        """The JSON of a .json file, [(line, object)] of a .jsonl file, [(line, text)] of any other; lines count from 1.

        Raises TimelineError where the file cannot be read at all.
        """
        if self._document is None:
            self._document = parse(self._text(), self.suffix, self.found)
        return self._document

    def rows(self) -> list[tuple[Place, dict[str, Any]]]:
        """The objects of a file with one a line, or of a .json file that is a list of them, each with its place."""
        if self.suffix != ".json" or _is_lines(self._text()):
            return list(parse(self._text(), ".jsonl", self.found))
        document = self.document()
        if not isinstance(document, list):
            self.found.problem("the file", "must hold a list of objects, or one object a line")
            return []
        rows: list[tuple[Place, dict[str, Any]]] = []
        for k, entry in enumerate(document):
            if isinstance(entry, dict):
                rows.append((f"[{k}]", entry))
            else:
                self.found.problem(f"[{k}]", f"must be an object, not {entry!r:.60}")
        return rows

    def head(self) -> Any:
        """What kind of document a .json file is: the document, or None where it holds one object a line."""
        return None if _is_lines(self._text()) else self.document()

    def mapping(self) -> dict[str, Any]:
        """The object that a .json file is; else none."""
        document = self.document() if self.suffix == ".json" else None
        if isinstance(document, dict):
            return document
        self.found.problem("the file", "must be .json with one object")
        return {}

    def problem(self, place: Place, reason: str) -> None:
        """Notes a problem of the entry at `place`."""
        self.found.problem(place, reason)

    def _text(self) -> str:
        if self._content is None:
            self._content, _ = read_text(self.path, "")
        return self._content


def _is_lines(text: str) -> bool:
    """Whether a .json file holds one object a line: some official files are named so."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False


class Entries(Generic[T]):
    """What a file says of each id, in its order. An entry whose id stands twice is a problem, and the first one counts."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}
        self._broken: dict[str, None] = {}

    def put(self, source: Source, place: Place, name: Any, value: T | None) -> None:
        """Adds the entry of that id; None where it is there but has problems, which are noted already."""
        if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
            source.problem(place, f"an id must be words or a whole number, not {name!r}")
            return
        key = str(name)
        if key in self._values or key in self._broken:
            source.problem(place, f"the id {key} stands twice")
        elif value is None:
            self._broken[key] = None
        else:
            self._values[key] = value

    def get(self, key: str) -> T | None:
        return self._values.get(key)

    def broken(self, key: str) -> bool:
        """Whether the entry is there and cannot be used."""
        return key in self._broken

    def only(self, keys: Collection[str]) -> Entries[T]:
        """The entries of these ids, in the same order."""
        found: Entries[T] = Entries()
        found._values = {key: value for key, value in self._values.items() if key in keys}
        found._broken = {key: None for key in self._broken if key in keys}
        return found

    def items(self) -> Iterator[tuple[str, T]]:
        return iter(self._values.items())

    def ids(self) -> list[str]:
        """All ids, those of entries with problems last."""
        return [*self._values, *self._broken]

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values or key in self._broken
