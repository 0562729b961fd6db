"""What every timed record has: a producer, an id, parents, a span, equality by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from kairos.errors import TimelineError
from kairos.timeline import checks

__all__ = ["Record"]


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """One immutable statement about a video.

    `producer` names what made it (a model, a person, a dataset), `id` names it, `parents` are the ids of the records
    that it was made from, `extra` keeps the keys of a file that the schema does not know. Records compare and hash by value.
    """

    always: ClassVar[frozenset[str]] = frozenset()  # fields that a file holds even at their default

    producer: str | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    parents: tuple[str, ...] = field(default=(), kw_only=True)
    extra: Mapping[str, Any] = field(default=checks.FrozenMap(), kw_only=True)

    def __post_init__(self) -> None:
        if self.producer is not None:
            self._set(producer=checks.text(self.producer, "producer"))
        if self.id is not None:
            self._set(id=checks.text(self.id, "id"))
        if self.parents != ():
            self._set(parents=checks.texts(self.parents, "parents"))
        if not isinstance(self.extra, checks.FrozenMap):
            if not isinstance(self.extra, Mapping):
                raise TimelineError(f"extra must be a mapping, not {self.extra!r}")
            self._set(extra=checks.FrozenMap(self.extra))

    @property
    def span(self) -> tuple[float, float] | None:
        """(start, end) in seconds, half-open; None for a record that has no place in time."""
        return None

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some fields changed; the rules are checked again."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Returns what one line of a file holds: plain JSON values, `kind` first, fields at their default left out."""
        result: dict[str, Any] = {"kind": self.record_kind}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("extra", "kind") or (item.name not in self.always and self._is_default(item)):
                continue
            result[item.name] = plain(value)
        return result | {key: value for key, value in self.extra.items() if key not in result}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Returns the record that `to_dict` described; a missing or wrong field raises TimelineError."""
        known = {item.name for item in fields(cls) if item.name != "extra"}
        given = {key: value for key, value in values.items() if key in known}
        for item in fields(cls):
            if item.default is MISSING and item.default_factory is MISSING and item.name not in given:
                raise TimelineError(f"a {values.get('kind', cls.__name__)} record needs {item.name!r}")
        rest = {key: value for key, value in values.items() if key not in known and key != "kind"}
        return cls(**given, extra=checks.FrozenMap(rest))

    @property
    def record_kind(self) -> str:
        """The word that names this record's kind in a file."""
        return str(getattr(self, "kind"))  # noqa: B009 - a class constant, but a field of Answer

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return all(_same(mine[item.name], theirs[item.name]) for item in fields(self))

    def __hash__(self) -> int:
        return hash(
            (
                type(self),
                *(_hashable(getattr(self, item.name)) for item in fields(self) if item.name != "extra"),
            )
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)  # pickling forgets it
        self.__dict__.update(state)

    def __repr__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if not self._is_default(f))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _is_default(self, item: Field[Any]) -> bool:
        return item.default is not MISSING and _same(getattr(self, item.name), item.default)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def plain(value: Any) -> Any:
    """Returns `value` as JSON values: records become objects, arrays and tuples lists."""
    if isinstance(value, Record):
        inner = value.to_dict()
        inner.pop("kind")
        return inner
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value.to_dict() if hasattr(value, "to_dict") else value


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
        return isinstance(one, np.ndarray) and isinstance(two, np.ndarray) and np.array_equal(one, two)
    return type(one) is type(two) and bool(one == two)


def _hashable(value: Any) -> Any:
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
