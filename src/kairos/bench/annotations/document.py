"""A text file's content as JSON, or as its lines, with every problem of it and its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from kairos.bench.annotations.gathering import Gathering
from kairos.errors import TimelineError

__all__ = ["parse"]

_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?(?:NaN|Infinity))')  # what stands in quotes is passed over


def parse(text: str, suffix: str, found: Gathering) -> Any:
    """The JSON of a .json file; of another the lines that are not blank as (number from 1, content), objects where it is .jsonl.

    A key that stands twice in an object, and a line that is no object, are problems. Raises TimelineError, with the line,
    where a .json file is not JSON.
    """
    if suffix == ".json":
        try:
            return _json(text, found)
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else _line(text)
            raise TimelineError(f"not JSON: {error}", path=found.path, line=line) from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return list(_objects(lines, found)) if suffix == ".jsonl" else lines


def _objects(lines: list[tuple[int, str]], found: Gathering) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in lines:
        try:
            values = _json(line, found, number)
        except ValueError as error:
            found.problem(number, f"not JSON: {error}")
            continue
        if isinstance(values, dict):
            yield number, values
        else:
            found.problem(number, "a line must hold one JSON object")


def _json(text: str, found: Gathering, number: int | None = None) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    found.problem(key if number is None else number, f"the key {key!r} stands twice")
                seen.add(key)
        return values

    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _line(text: str) -> int | None:
    """The line of the first number that is none, such as NaN; None where there is none of them."""
    for found in _CONSTANT.finditer(text):
        if found[1]:
            return text.count("\n", 0, found.start()) + 1
    return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that annotations may hold")
