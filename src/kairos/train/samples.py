"""Duet samples on disk: JSON Lines, a header and then one sample a line.

{"kairos": "duet", "version": 1, "kind": "magqa", "seed": 1, ...}
{"video": "a.mp4", "duration": 12.5, "kind": "magqa", "turns": [{"role": "user", "text": "...", "time": 1.2}, ...],
 "segments": [{"start": 3.0, "end": 5.0, "label": "..."}], "informative": [[4.0, 4.6]], "relevance": null}
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from kairos.errors import TimelineError
from kairos.timeline import Moment, Turn
from kairos.train import headed
from kairos.train.duet import DuetSample, Span

__all__ = ["VERSION", "read", "write"]

VERSION = 1
_KIND = headed.Kind("duet", VERSION, "duet samples", "kairos duet-data")


def write(path: str | os.PathLike[str], samples: Iterable[DuetSample], **facts: Any) -> None:
    """Writes samples in one step, the whole file or none; `facts` stand in the header."""
    headed.write(path, _KIND, map(_values, samples), facts)


def read(path: str | os.PathLike[str]) -> list[DuetSample]:
    """The samples of a file. TimelineError carries file and line."""
    return headed.read(path, _KIND, _sample)


def _values(sample: DuetSample) -> dict[str, Any]:
    return {
        "video": sample.video,
        "duration": sample.duration,
        "kind": sample.kind,
        "turns": [{"role": t.role, "text": t.text, "time": t.time} for t in sample.turns],
        "segments": [{"start": s.start, "end": s.end, "label": s.label} for s in sample.segments],
        "informative": sample.informative,
        "relevance": sample.relevance,
    }


def _sample(values: Mapping[str, Any]) -> DuetSample:
    try:
        return DuetSample(
            values["video"],
            values["duration"],
            values["kind"],
            tuple(Turn.from_dict(turn) for turn in values["turns"]),
            tuple(Moment.from_dict(segment) for segment in values["segments"]),
            _spans(values["informative"]),
            _spans(values["relevance"]),
        )
    except KeyError as error:
        raise TimelineError(f"a sample needs {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise TimelineError(f"not a duet sample: {error}") from error


def _spans(values: Any) -> tuple[Span, ...] | None:
    return None if values is None else tuple((start, end) for start, end in values)
