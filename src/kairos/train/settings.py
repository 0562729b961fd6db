"""A YAML file as a frozen tree of settings; every mistake of the file is told at once, with its path and the nearest right key."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from kairos.errors import ConfigError

__all__ = ["changed", "content", "load", "nearest"]

T = TypeVar("T")


def load(path: str | Path, kind: type[T], check: Callable[[T], list[str]], changes: Iterable[str] = ()) -> T:
    """The settings of a file as the dataclass `kind`; `check` says what else is wrong with them. Raises ConfigError.

    `changes` are "dotted.path=value" each, the value in YAML; they count in place of what the file says.
    """
    from pydantic import TypeAdapter, ValidationError

    values = changed(content(path), changes)
    errors = _unknown(kind, values, "")
    try:
        made = TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        errors += [
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
            for e in error.errors()
            if "unexpected" not in e["type"]
        ]
    else:
        errors += check(made)
    if errors:
        raise ConfigError(f"{path}: {'; '.join(errors)}", path=path, errors=errors)
    return made


def content(path: str | Path) -> dict[str, Any]:
    """The keys and values of a YAML file. Raises ConfigError."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
        raise ConfigError(f"{path}: not a recipe: {reason}", path=path, errors=[reason]) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: not a recipe: expected keys and values", path=path, errors=["not a mapping"]
        )
    return values


def changed(values: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """A copy of nested keys and values with some of them set anew. Raises ConfigError."""
    import yaml

    values = copy.deepcopy(values)
    for change in changes:
        path, given, value = change.partition("=")
        *way, last = path.strip().split(".")
        try:
            if not given or not last:
                raise ValueError("write it as dotted.path=value; a list's items are counted from 0")
            inner: Any = values
            for key in way:
                inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
                if not isinstance(inner, dict | list):
                    raise ValueError(f"{key} has no keys of its own")
            inner[int(last) if isinstance(inner, list) else last] = yaml.safe_load(value)
        except (ValueError, IndexError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"cannot set {change!r}: {reason}", errors=[reason]) from error
    return values


def nearest(key: str, known: Iterable[str]) -> str:
    """What to say of a key that is not known."""
    near = difflib.get_close_matches(key, list(known), 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known: {', '.join(known)}"


def _unknown(kind: type, values: dict[str, Any], prefix: str) -> list[str]:
    hints = typing.get_type_hints(kind)
    known = {item.name: hints[item.name] for item in dataclasses.fields(kind)}
    errors = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in known:
            errors.append(f"{name}: {nearest(str(key), known)}")
            continue
        inner = _dataclass(known[key])
        if inner is None:
            continue
        if isinstance(value, dict):
            errors += _unknown(inner, value, f"{name}.")
        elif isinstance(value, list):
            for k, item in enumerate(value):
                errors += _unknown(inner, item, f"{name}.{k}.") if isinstance(item, dict) else []
    return errors


def _dataclass(hint: Any) -> type | None:
    """The dataclass that a hint is, or holds: X, X | None, tuple[X, ...]."""
    if dataclasses.is_dataclass(hint):
        return hint if isinstance(hint, type) else None
    if typing.get_origin(hint) in (tuple, list, types.UnionType, typing.Union):
        return next((found for arg in typing.get_args(hint) if (found := _dataclass(arg))), None)
    return None
