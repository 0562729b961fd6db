"""What happens while a model watches, one thing after the other: the same for Python, `--json` and whoever serves it.

A `Turn` (kairos.timeline) is an event, too: what the user asked and what the model said.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kairos.timeline import Turn

__all__ = ["Ended", "Event", "Noticed", "Scored", "Started", "to_dict"]


@dataclass(frozen=True, kw_only=True)
class Started:
    """Watching begins: what, by which model at `fps` ticks a second, and how."""

    source: str
    model: str
    fps: float
    preset: str
    heads: str
    queries: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The scores of standing query number `query` after new ticks, in [0, 1]; `times` are the ticks' ends, seconds."""

    query: int
    times: tuple[float, ...]
    relevance: tuple[float, ...]
    informative: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """Something about the source, or a query that could not be put, at `time` seconds: `kind` names it, `text` tells it."""

    time: float
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Watching is over at `time` seconds, after `ticks`; `turns` were said by the model, `dropped` ticks were never seen.

    `reason` is "end" of the source, "closed", "interrupted" or "failed".
    """

    time: float
    ticks: int
    turns: int
    dropped: int
    reason: str


Event = Started | Scored | Turn | Noticed | Ended

_NAMES = {Started: "start", Scored: "scores", Noticed: "notice", Ended: "end"}


def to_dict(event: Event) -> dict[str, Any]:
    """The event as plain values, its name first under "event": start, scores, turn, notice or end."""
    if isinstance(event, Turn):
        values = event.to_dict()
        values.pop("kind")
        always = {"role": event.role, "text": event.text, "time": event.time, "query": event.query}
        return {"event": "turn", **always, "confidence": event.confidence, **values}
    return {"event": _NAMES[type(event)], **asdict(event)}
