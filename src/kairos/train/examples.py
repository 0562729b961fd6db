"""What a model is taught by TPO: conversations, and tasks whose answer a head gives (TPO, equation 1: X, T_q, T_a, A_i).

    examples(timeline, random)      all examples that a timeline of labels, or of turns, holds
    write(path, examples), read(path)      JSON Lines, a header and then one example a line

{"kairos": "tasks", "version": 1, "seed": 1, ...}
{"video": "a.mp4", "duration": 9.0, "turns": [["user", "when is it that he sits ?"]], "task": "ground", "spans": [[1.0, 2.5]]}
{"video": "b.jpg", "turns": [["user", "where is the clock ?"]], "task": "locate", "box": [4, 5, 10, 12], "size": [30, 50]}

A task's question is put by one of the instruction templates; those that are held out are never used. Numpy only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from kairos.errors import TimelineError
from kairos.timeline import (
    Answer,
    Curve,
    MaskTrack,
    Moment,
    Record,
    Timeline,
    Track,
    Turn,
    checks,
)
from kairos.train import headed
from kairos.world.instructions import BOXED, TEMPLATES

__all__ = ["HEAD_OF", "VERSION", "Example", "examples", "read", "write"]

VERSION = 1
_KIND = headed.Kind("tasks", VERSION, "examples", "kairos task-data")

HEAD_OF = {"ground": "temporal", "locate": "region", "track": "mask", "segment": "mask"}
"""The head that answers each task."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A conversation about a video, a picture, or nothing. With a `task` its last turn is the user's, and a head answers it.

    `spans` (seconds) and `saliency` are what the temporal head shall say of a `ground`; `box` (xyxy in pixels of a picture of
    `size`, height and width) is what the others shall say of the moment `at` seconds, beyond which nothing is shown. Where a
    `track` begins from the user's box, that is `box` too. Raises TimelineError.
    """

    video: str | None
    turns: tuple[tuple[str, str], ...]
    duration: float | None = None
    task: str | None = None
    spans: tuple[tuple[float, float], ...] = ()
    saliency: Curve | None = None
    box: Box | None = None
    size: tuple[int, int] | None = None
    at: float | None = None

    def __post_init__(self) -> None:
        roles = [role for role, _ in self.turns if role != "system"]
        if not roles or roles[0] != "user" or any(a == b for a, b in pairwise(roles)):
            raise TimelineError("user and assistant must take turns, the user first")
        if self.task is None and roles[-1] != "assistant":
            raise TimelineError("a conversation ends with the assistant's turn")
        if self.task is None:
            return
        if self.task not in HEAD_OF:
            raise TimelineError(f"task must be one of {', '.join(HEAD_OF)}, not {self.task!r}")
        if roles[-1] != "user" or self.video is None:
            raise TimelineError("a task needs a video and ends with the user's turn")
        if self.task == "ground":
            if not self.spans or any(not 0 <= start < end for start, end in self.spans):
                raise TimelineError("a ground needs spans that hold time")
        elif self.box is None or not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise TimelineError(f"a {self.task} needs a box that holds area")

    @property
    def head(self) -> str | None:
        """The name of the head that answers, None where words do."""
        return None if self.task is None else HEAD_OF[self.task]


def examples(timeline: Timeline, random: np.random.Generator) -> list[Example]:
    """The examples in a timeline: turns are one conversation, every label is a task. What is absent teaches no head."""
    turns = [record for record in timeline if isinstance(record, Turn)]
    made = []
    if turns:
        said = tuple((turn.role, turn.text) for turn in turns)
        made.append(Example(video=timeline.video, duration=timeline.duration, turns=said))
    for record in timeline:
        example = _task(record, timeline, random)
        if example is not None:
            made.append(example)
    return made


def _task(record: Record, timeline: Timeline, random: np.random.Generator) -> Example | None:
    if timeline.video is None:
        return None

    def asked(task: str, who: str, **truth: Any) -> Example:
        forms = TEMPLATES[task]
        words = forms[int(random.integers(len(forms)))].format(who)
        turns = (("user", words),)
        return Example(video=timeline.video, duration=timeline.duration, turns=turns, task=task, **truth)

    if isinstance(record, Moment) and record.label and record.duration:
        return asked("ground", record.label, spans=(record.span,))
    if isinstance(record, Answer) and record.kind == "ground" and record.query:
        spans = tuple(moment.span for moment in record.moments if moment.duration)
        return asked("ground", record.query, spans=spans, saliency=record.curve) if spans else None
    truth: dict[str, Any] | None
    if isinstance(record, Answer) and record.kind in ("locate", "track", "segment") and record.query:
        followed = (
            record.track or record.mask_track
            if record.kind == "locate"
            else record.mask_track or record.track
        )
        truth = None if followed is None else _seen(followed, random)
        return asked(record.kind, record.query, **truth) if truth else None
    if isinstance(record, MaskTrack | Track):
        truth = _seen(record, None)
        who = BOXED[int(random.integers(len(BOXED)))]
        return asked("track", who, **truth) if truth else None
    return None


def _seen(record: Track | MaskTrack, random: np.random.Generator | None) -> dict[str, Any] | None:
    """A time at which the thing is seen, and its box then: any, or the first without `random`; None if it never is."""
    if isinstance(record, MaskTrack):
        shown = [k for k, mask in enumerate(record.masks) if mask.area]
    else:
        flags = np.ones(len(record), bool) if record.visible is None else record.visible
        shown = np.flatnonzero(flags & (record.boxes[:, :2] < record.boxes[:, 2:]).all(-1)).tolist()
    if not shown:
        return None
    k = shown[0] if random is None else shown[int(random.integers(len(shown)))]
    if isinstance(record, MaskTrack):
        rows, columns = (np.flatnonzero(record.mask(k).any(axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        size: tuple[int, int] | None = record.size
    else:
        box, size = record.boxes[k].tolist(), _size(record)
    return {"box": tuple(map(float, box)), "size": size, "at": float(record.times[k])}


def _size(record: Track) -> tuple[int, int] | None:
    """(height, width) of what the boxes are in, where the track says it."""
    size = record.extra.get("size")
    return None if size is None else (int(size[0]), int(size[1]))


def write(path: str | os.PathLike[str], made: Iterable[Example], **facts: Any) -> None:
    """Writes examples in one step, the whole file or none; `facts` stand in the header."""
    headed.write(path, _KIND, map(_values, made), facts)


def read(path: str | os.PathLike[str]) -> list[Example]:
    """The examples of a file. TimelineError carries file and line."""
    return headed.read(path, _KIND, _example)


def _values(example: Example) -> dict[str, Any]:
    values = {item.name: getattr(example, item.name) for item in fields(example)}
    if example.saliency is not None:
        values["saliency"] = {
            "times": example.saliency.times.tolist(),
            "values": example.saliency.values.tolist(),
        }
    return {key: value for key, value in values.items() if value not in (None, ()) or key == "video"}


def _example(values: Mapping[str, Any]) -> Example:
    known = {item.name for item in fields(Example)}
    try:
        if unknown := sorted(set(values) - known):
            raise TimelineError(f"an example has no {unknown[0]!r}")
        given = dict(values)
        given["turns"] = tuple((checks.text(r, "role"), checks.text(t, "text")) for r, t in given["turns"])
        if "spans" in given:
            given["spans"] = tuple(checks.span(*pair) for pair in given["spans"])
        if "saliency" in given:
            given["saliency"] = Curve("saliency", given["saliency"]["times"], given["saliency"]["values"])
        if "box" in given:
            x1, y1, x2, y2 = (checks.number(x, "box") for x in given["box"])
            given["box"] = (x1, y1, x2, y2)
        if "size" in given:
            height, width = given["size"]
            if not all(type(side) is int and side > 0 for side in (height, width)):
                raise TimelineError(f"size must be height and width in pixels, not {given['size']!r}")
            given["size"] = (height, width)
        for key in ("at", "duration"):
            if key in given:
                given[key] = checks.number(given[key], key)
        return Example(**{"video": None, **given})
    except KeyError as error:
        raise TimelineError(f"an example needs {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise TimelineError(f"not an example: {error}") from error
