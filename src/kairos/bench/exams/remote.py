"""A model behind an OpenAI-compatible address as a candidate: frames as JPEG with their times in words, and a prompt.

What it replies is read strictly, as JSON of the form that was asked for; a reply that cannot be read says nothing, and is
never asked for again.
"""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kairos.bench.exams.exam import Box, Said, View
from kairos.bench.exams.views import opened
from kairos.endpoint import Endpoint
from kairos.errors import OptionError, TimelineError
from kairos.score.choices import yes_no
from kairos.timeline import Answer, Moment, Track

__all__ = ["FRAMES", "Remote"]

T = TypeVar("T", int, float)

FRAMES = 32
"""So many frames are sent where no other number is given."""

SIDE_PX = 512
"""The longer side of a frame that is sent; smaller ones stay as they are."""

QUALITY = 85
THOUSANDTHS = 1000.0

WINDOWS = (
    'When in the video does this happen: "{}"? Reply with JSON only: {{"windows": [[start, end], ...]}}, in seconds, the '
    "likeliest first, at most {}; an empty list where it does not happen."
)
PROOF = (
    '{}\nReply with JSON only: {{"answer": the letter, "windows": [[start, end], ...]}}: the moments, in seconds, that '
    "prove the answer, the best first."
)
EVENTS = (
    'Tell what happens in the video, event by event. Reply with JSON only: {"events": [{"start": seconds, "end": seconds, '
    '"caption": "one sentence"}, ...]}.'
)
TOLD = (
    'While the video plays, this is asked: "{}". Reply with JSON only: {{"answers": [{{"time": seconds, "text": "..."}}, '
    "...]}}, each answer at the time at which it can be given."
)
TIME_YET = "{} Is it time to do so, at the last frame? Answer with Yes or No only."
TICK_S = 1.0
"""So often an announcement is asked for."""

BOXES = (
    'Where is this in each picture: "{}"? Reply with JSON only: {{"boxes": [{{"time": seconds, "box": [x1, y1, x2, y2]}}, '
    "...]}}, in thousandths of the picture's width and height; leave out pictures in which it is not."
)

_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)


class Remote:
    """The model of an `endpoint` sits the exam, and is shown at most so many `frames` of a view, evenly spread."""

    def __init__(self, endpoint: Endpoint, frames: int | None = None) -> None:
        self._endpoint = endpoint
        self._frames = frames or FRAMES
        self.name = endpoint.model
        self.mark = f"{endpoint.url.rstrip('/')}#{endpoint.model}/{self._frames}"
        self._last: tuple[View, float, list[float], list[dict[str, Any]]] | None = None

    def length(self, view: View) -> float:
        with opened(View(view.path, rate=view.rate)) as video:
            return float(video.duration)

    def ask(self, view: View, prompt: str) -> Said:
        return self._put(view, prompt, lambda raw, _: Answer("ask", prompt, raw))

    def prove(self, view: View, prompt: str, question: str) -> Said:
        def read(raw: str, length: float) -> Answer:
            found = _object(raw)
            moments = _windows(found.get("windows", []), length)
            return Answer("ask", question, str(found["answer"]), moments)

        return self._put(view, PROOF.format(prompt), read)

    def ground(self, view: View, query: str, top: int = 5) -> Said:
        def read(raw: str, length: float) -> Answer:
            return Answer("ground", query, moments=_windows(_object(raw)["windows"], length)[:top])

        return self._put(view, WINDOWS.format(query, top), read)

    def caption(self, view: View) -> Said:
        def read(raw: str, length: float) -> Answer:
            events = [
                Moment(float(e["start"]), float(e["end"]), 1.0, str(e["caption"])).clamp(0.0, length)
                for e in _object(raw)["events"]
            ]
            return Answer("caption", moments=tuple(sorted(events, key=lambda m: m.start)))

        return self._put(view, EVENTS, read)

    def watch(self, view: View, query: str) -> Said:
        """All at once: an endpoint sees no stream. What it says of a time may rest on what came later."""

        def read(raw: str, length: float) -> Answer:
            said = [(float(e["time"]), str(e["text"])) for e in _object(raw)["answers"]]
            moments = tuple(Moment(t, t, 1.0, text).clamp(0.0, length) for t, text in sorted(said))
            return Answer("watch", query, moments=moments)

        return self._put(view, TOLD.format(query), read)

    def announce(self, view: View, query: str, start: float, stop: float) -> Said:
        """As StreamingBench has it: once a second it is asked whether it is time, and at the first yes what is to be said."""
        asked: list[Said] = []
        at = start
        while at <= stop:
            now = replace(view, parts=((0.0, max(at, TICK_S)),))
            asked.append(self._put(now, TIME_YET.format(query), _silence))
            if yes_no(asked[-1].raw) == "Yes":
                asked.append(self._put(now, query, _silence))
                break
            at += TICK_S
        told = len(asked) > 1 and yes_no(asked[-2].raw) == "Yes"
        moments = (Moment(at, at, label=asked[-1].raw),) if told else ()
        answer = Answer("watch", query, moments=moments, abstained=not told, model=self.name)
        return Said(
            asked[-1].prompt,
            "\n".join(one.raw for one in asked),
            answer.to_dict(),
            {"count": sum(one.frames["count"] for one in asked), "from_s": start, "to_s": min(at, stop)},
            _sum(one.seconds for one in asked),
            _sum(one.tokens for one in asked),
        )

    def locate(self, view: View, query: str, times: Sequence[float] | None = None) -> Said:
        with opened(view) as video:
            width, height = video.size
        wanted = [0.0] if times is None else sorted({float(t) for t in times})

        def read(raw: str, length: float) -> Answer:
            boxes: dict[float, list[float]] = {}
            for entry in _object(raw)["boxes"]:
                near = min(wanted, key=lambda t: abs(t - float(entry["time"])))
                x1, y1, x2, y2 = (min(max(float(v) / THOUSANDTHS, 0.0), 1.0) for v in entry["box"])
                boxes[near] = [x1 * width, y1 * height, x2 * width, y2 * height]
            at = sorted(boxes)
            track = Track(query, np.array(at), np.array([boxes[t] for t in at])) if at else None
            return Answer("locate", query, track=track, abstained=track is None)

        said = self._put(view, BOXES.format(query), read, wanted)
        return replace(said, frames={**said.frames, "size": [width, height]})

    def track(self, view: View, query: str | None, box: Box | None = None) -> Said:
        raise self._cannot("follow anything")

    def segment(self, view: View, query: str | None, box: Box | None = None, *, rate: float) -> Said:
        raise self._cannot("outline anything")

    def _cannot(self, what: str) -> OptionError:
        return OptionError(
            f"a model behind an address cannot {what}",
            option="model",
            hint="give a model's folder, or embedded",
        )

    def _put(
        self,
        view: View,
        prompt: str,
        read: Callable[[str, float], Answer],
        times: Sequence[float] | None = None,
    ) -> Said:
        began = time.perf_counter()
        length, shown, content = self._shown(view, times)
        shown_s, began = time.perf_counter() - began, time.perf_counter()
        raw, used = self._endpoint.reply(
            [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]
        )
        try:
            answer: Answer | None = read(raw, length)
        except (ValueError, KeyError, TypeError, AttributeError, TimelineError):
            answer = None
        return Said(
            prompt,
            raw,
            None if answer is None else answer.replace(model=self.name, duration=length).to_dict(),
            {"count": len(shown), "times_s": [round(t, 3) for t in shown]},
            {"watching": round(shown_s, 4), "replying": round(time.perf_counter() - began, 4)},
            used,
        )

    def _shown(
        self, view: View, times: Sequence[float] | None
    ) -> tuple[float, list[float], list[dict[str, Any]]]:
        """The view's length, the times of the frames, and both as an endpoint reads them; kept for the next prompt."""
        if times is None and self._last is not None and self._last[0] == view:
            return self._last[1:]
        with opened(view) as video:
            length = float(video.duration)
            start, end = view.parts[0] if len(view.parts) == 1 else (0.0, length)
            end = min(end, length)
            at = [start + (k + 0.5) * (end - start) / self._frames for k in range(self._frames)]
            asked = list(times) if times is not None else at
            scale = min(1.0, SIDE_PX / max(video.size))
            size = (max(1, round(video.size[0] * scale)), max(1, round(video.size[1] * scale)))
            images = video.frames(asked, size=size).images
        head = f"{len(asked)} frames of a video of {length:.1f} seconds, each after its time."
        content: list[dict[str, Any]] = [{"type": "text", "text": head}]
        for when, image in zip(asked, images, strict=True):
            content.append({"type": "text", "text": f"{when:.1f} s"})
            content.append({"type": "image_url", "image_url": {"url": _jpeg(image)}})
        if times is None:
            self._last = (view, length, asked, content)
        return length, asked, content


def _silence(raw: str, length: float) -> Answer:
    return Answer("ask", "", raw)


def _sum(given: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """The sums of all that has one name."""
    total: dict[str, Any] = {}
    for one in given:
        for name, value in one.items():
            total[name] = total.get(name, 0) + value
    return total


def _jpeg(image: NDArray[np.uint8]) -> str:
    """A picture (H, W, 3) as a data address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _object(raw: str) -> dict[str, Any]:
    """The one JSON object that a reply is, bare or fenced, after its thoughts. Raises ValueError for anything else."""
    text = _THOUGHT.sub("", raw).strip()
    fenced = _FENCED.fullmatch(text)
    found = json.loads(fenced[1] if fenced else text)
    if not isinstance(found, dict):
        raise ValueError("the reply is no object")
    return found


def _windows(given: Any, length: float) -> tuple[Moment, ...]:
    """Spans best first, scored by their places; what lies outside of the video is cut off. Raises ValueError, TimelineError."""
    if not isinstance(given, list):
        raise ValueError("windows must be a list")
    spans = [(float(start), float(end)) for start, end in given]
    moments = [Moment(a, b, 1.0 / (k + 1)).clamp(0.0, length) for k, (a, b) in enumerate(spans)]
    return tuple(m for m in moments if m.duration > 0)
