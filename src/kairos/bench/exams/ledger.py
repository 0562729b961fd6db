"""`items.jsonl`: one line an item, written as soon as it is there, so that a sitting that was killed goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kairos.bench.protocols.scoring import Scoring, line
from kairos.timeline.files import atomic_write

__all__ = ["Ledger", "Line"]

Line = dict[str, Any]


class Ledger:
    """The lines of one candidate (`mark`) about the items `wanted`, by id.

    What else the file holds is dropped as it is opened: lines of others, torn ones, and items that failed, which are tried again.
    """

    def __init__(self, path: Path, mark: str, wanted: set[str]) -> None:
        self.path, self._mark = path, mark
        self._lines: dict[str, Line] = {}
        for text in path.read_text("utf-8", "replace").split("\n") if path.exists() else ():
            try:
                row = json.loads(text)
            except ValueError:
                continue
            if not isinstance(row, dict) or row.get("model") != mark or row.get("error"):
                continue
            if (key := str(row.get("id"))) in wanted:
                self._lines.setdefault(key, {**row, "scores": None, "strict": None})
        self._rewrite()

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def get(self, key: str) -> Line | None:
        return self._lines.get(key)

    def add(self, row: Mapping[str, Any]) -> None:
        """Writes the line of an item that is not there yet."""
        own = {**row, "model": self._mark, "scores": None, "strict": None}
        self._lines[str(row["id"])] = own
        with open(self.path, "a", encoding="utf-8", newline="\n") as file:
            file.write(line(own))

    def mark(self, scoring: Scoring) -> None:
        """Gives each line its item's scores, official (`scores`) and `strict`."""
        for way, key in (("official", "scores"), ("strict", "strict")):
            for row in scoring.rows(way):
                if row["id"] in self:
                    self._lines[row["id"]][key] = row["scores"]
        self._rewrite()

    def _rewrite(self) -> None:
        with atomic_write(self.path) as file:
            file.writelines(map(line, self))
