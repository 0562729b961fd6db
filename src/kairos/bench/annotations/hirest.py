"""HiREST: how-to prompts, the moment of a video that answers each, and its steps.

{"Make Oatmeal Pancake Mix": {"5V3.mp4": {"relevant": true, "clip": true, "v_duration": 207.08, "bounds": [50, 121],
  "steps": [{"index": 0, "heading": "take grinned oats flour", "absolute_bounds": [50, 58]}, ...]}}}
"""

from __future__ import annotations

from typing import Any

from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import Answer

NAME, SUFFIX = "hirest", ".json"


def fits(document: Any) -> bool:
    return isinstance(document, dict) and any(
        isinstance(video, dict) and "bounds" in video
        for videos in document.values()
        if isinstance(videos, dict)
        for video in videos.values()
    )


def read(document: Any, found: Gathering) -> None:
    """A ground answer for each prompt, a caption answer for each step. Videos whose clip is not marked are passed over."""
    for prompt, videos in document.items():
        if not isinstance(videos, dict):
            found.problem(prompt, "must be an object of videos")
            continue
        for video, entry in videos.items():
            place = f"{prompt}.{video}"
            if not isinstance(entry, dict):
                found.problem(place, "must be an object with v_duration, bounds and steps")
                continue
            length = found.length(f"{place}.v_duration", entry.get("v_duration"))
            if length is None or not entry.get("clip") or not found.video(place, video, length):
                continue
            query = found.words(place, prompt, "the prompt")
            moment = found.moment(f"{place}.bounds", entry.get("bounds"), length)
            if query and moment:
                found.add(video, Answer("ground", query, moments=(moment,)))
            _steps(place, video, entry.get("steps", []), length, found)


def _steps(place: str, video: str, steps: Any, length: float, found: Gathering) -> None:
    if not isinstance(steps, list):
        found.problem(f"{place}.steps", "must be a list")
        return
    for k, step in enumerate(steps):
        where = f"{place}.steps[{k}]"
        if not isinstance(step, dict):
            found.problem(where, "must be an object with heading and absolute_bounds")
            continue
        heading = found.words(f"{where}.heading", step.get("heading"), "the heading")
        moment = found.moment(f"{where}.absolute_bounds", step.get("absolute_bounds"), length)
        if heading and moment:
            found.add(video, Answer("caption", text=heading, moments=(moment,)))
