"""Facts about the video as a whole, kept as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kairos.errors import TimelineError
from kairos.timeline.record import Record

__all__ = ["METADATA_KINDS", "Metadata"]

METADATA_KINDS = ("world",)


@dataclass(frozen=True, eq=False, repr=False)
class Metadata(Record):
    """A free mapping about the whole video: `record["duration"]`, `record.get("seed")`. It has no span.

    The kind "world" holds what the procedural world knows about a clip: seed, split, size, objects, events.
    """

    kind: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in METADATA_KINDS:
            raise TimelineError(f"kind must be one of {', '.join(METADATA_KINDS)}, not {self.kind!r}")

    @property
    def values(self) -> Mapping[str, Any]:
        """Everything that the line says, beyond kind, producer, id and parents."""
        return self.extra

    def __getitem__(self, key: str) -> Any:
        return self.extra[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value of `key`, or `default`."""
        return self.extra.get(key, default)
