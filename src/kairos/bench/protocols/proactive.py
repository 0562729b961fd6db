"""StreamingBench's proactive questions (Lin et al., 2024): something is to be said as soon as it happens, and not before.

References: the official file, a question with `time_stamp`, `ground_truth_time_stamp` and `ground_truth_output`. Predictions:
official results, in which a model's name holds {"answered": seconds or false, "dialog_history": [{"role", "content", "time"}]};
or lines {"id": "sample_21_proactive-0", "time": seconds or null, "response": "Break point"}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.annotations.gathering import Place
from kairos.bench.protocols.choices import parts
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.questions import Fields, Walk, counted, seconds, stem, text_of, video_of
from kairos.errors import TimelineError
from kairos.score.answers import normal
from kairos.score.quantity import Mean
from kairos.timeline import checks

__all__ = ["PROTOCOLS", "Announcement", "Output"]

NEAR_S = 2.0
"""So far from the true time, before or after it, something may be said."""


@dataclass(frozen=True)
class Announcement:
    """From `asked` on the video is watched, and at `due` (seconds) the words `output` are to be said."""

    video: str
    words: str
    asked: float
    due: float
    output: str
    kind: str


@dataclass(frozen=True)
class Output:
    """What was said, and when in seconds; None where nothing was. `last` is when a model was asked for the last time."""

    time: float | None
    words: str = ""
    last: float | None = None


def _walk(source: Source) -> Walk:
    return counted(source, lambda f: stem(str(f.get("video_path") or f.get("video") or "video")), "questions")


def _references(source: Source) -> Entries[Announcement]:
    found: Entries[Announcement] = Entries()
    for place, name, fields in _walk(source):
        value = None
        try:
            value = _announcement(fields)
        except ValueError as error:
            source.problem(place, str(error))
        found.put(source, place, name, value)
    return found


def _announcement(fields: Fields) -> Announcement:
    asked, due = (seconds(fields.get(key)) for key in ("time_stamp", "ground_truth_time_stamp"))
    if asked is None or due is None:
        raise ValueError("needs time_stamp and ground_truth_time_stamp, as 00:01:30")
    return Announcement(
        stem(video_of(fields, "video_path", "video")),
        text_of(fields, "question"),
        asked,
        due,
        text_of(fields, "ground_truth_output"),
        str(fields.get("task_type", "")),
    )


def _predictions(source: Source, refs: Entries[Announcement]) -> Entries[Output]:
    found: Entries[Output] = Entries()
    for place, name, fields in _said(source):
        given = next((v for v in fields.values() if isinstance(v, dict) and "dialog_history" in v), None)
        found.put(
            source,
            place,
            name,
            _line(source, place, fields) if given is None else _dialog(source, place, given),
        )
    return found


def _said(source: Source) -> Walk:
    rows = [] if source.suffix == ".json" and source.head() is not None else source.rows()
    if not rows:
        yield from _walk(source)
    for place, fields in rows:
        yield place, str(fields.get("id", "")), fields


def _line(source: Source, place: Place, fields: Fields) -> Output | None:
    time, words = fields.get("time"), fields.get("response", "")
    if "time" not in fields or not isinstance(words, str):
        source.problem(place, "needs time (seconds, or null where nothing was said) and response")
        return None
    if time is None:
        return Output(None)
    at = _seconds(source, place, time)
    return None if at is None else Output(at, words, at)


def _dialog(source: Source, place: Place, given: dict[str, Any]) -> Output | None:
    """The last turn, which is what was said where the model was let speak, and else its last "no"."""
    history = given["dialog_history"]
    last = history[-1] if isinstance(history, list) and history else None
    if not isinstance(last, dict) or not isinstance(last.get("content"), str):
        source.problem(place, "dialog_history must be a list of turns with content and time")
        return None
    at = _seconds(source, place, last.get("time"))
    spoke = given.get("answered") not in (False, None)
    return None if at is None else Output(at if spoke else None, last["content"], at)


def _seconds(source: Source, place: Place, given: Any) -> float | None:
    try:
        return checks.number(given, "time")
    except TimelineError as error:
        source.problem(place, error.reason)
        return None


def _score(pairs: Sequence[Pair[Announcement, Output]], strict: bool) -> Scored:
    """Said in time, and the right words in time. The script takes the last turn of a dialog for what was said, and the words
    as any part of it; strictly nothing counts that a model was not let say, and the words must stand in it as words."""
    near, right = np.zeros(len(pairs)), np.zeros(len(pairs))
    late = np.full(len(pairs), np.nan)
    for k, pair in enumerate(pairs):
        at = pair.pred.time if strict else pair.pred.last
        if at is None:
            continue
        late[k] = at - pair.ref.due
        near[k] = abs(late[k]) <= NEAR_S
        right[k] = near[k] and _holds(pair.pred.words, pair.ref.output, strict)
    said = np.array([pair.pred.time is not None for pair in pairs], np.float64)
    kinds = [pair.ref.kind for pair in pairs]
    found = [
        Mean("time accuracy", values=near),
        Mean("answer accuracy", values=right),
        Mean("said", values=said),
        Mean("delay", unit="s", values=np.where(said > 0, late, np.nan), detail=True),
    ]
    return Scored((*found, *parts("answer accuracy by task", right, kinds, detail=True)))


def _holds(words: str, output: str, strict: bool) -> bool:
    if not strict:
        return output in words
    return re.search(rf"(?<!\S){re.escape(normal(output))}(?!\S)", normal(words)) is not None


PROTOCOLS: dict[str, Protocol[Announcement, Output]] = {
    "streamingbench-proactive": Protocol(
        name="streamingbench-proactive",
        title="StreamingBench, proactive output",
        refs=_references,
        preds=_predictions,
        nothing=lambda ref: Output(None),
        score=_score,
        needs_ref=False,
    )
}
