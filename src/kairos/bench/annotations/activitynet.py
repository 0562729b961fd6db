"""ActivityNet Captions, and what is kept like it: YouCook2, TACoS (whose times are frames).

{"v_abc": {"duration": 55.15, "timestamps": [[0.28, 55.15], ...], "sentences": ["A tutorial is given.", ...]}}
{"s30-d52.avi": {"fps": 29.4, "num_frames": 7346, "timestamps": [[141, 354], ...], "sentences": [...]}}
"""

from __future__ import annotations

from typing import Any

from kairos.bench.annotations.gathering import Gathering

NAME, SUFFIX = "activitynet", ".json"


def fits(document: Any) -> bool:
    return isinstance(document, dict) and any(
        isinstance(entry, dict) and {"timestamps", "sentences"} & set(entry) for entry in document.values()
    )


def read(document: Any, found: Gathering) -> None:
    """A labelled moment for each sentence."""
    for video, entry in document.items():
        if not isinstance(entry, dict):
            found.problem(video, "must be an object with timestamps and sentences")
            continue
        spans, sentences = entry.get("timestamps"), entry.get("sentences")
        length, fps = _length(video, entry, found)
        if length is None or fps is None or not found.video(video, video, length):
            continue
        if not isinstance(spans, list) or not isinstance(sentences, list) or len(spans) != len(sentences):
            found.problem(video, "timestamps and sentences must be lists of one length")
            continue
        for k, (span, sentence) in enumerate(zip(spans, sentences, strict=True)):
            label = found.words(f"{video}.sentences[{k}]", sentence, "the sentence")
            moment = found.moment(f"{video}.timestamps[{k}]", span, length * fps, label)
            if moment and label:
                found.add(video, moment.replace(start=moment.start / fps, end=moment.end / fps))


def _length(video: str, entry: dict[str, Any], found: Gathering) -> tuple[float | None, float | None]:
    """Seconds of the video, and units of its times a second."""
    if "num_frames" not in entry:
        return found.length(f"{video}.duration", entry.get("duration")), 1.0
    frames = found.length(f"{video}.num_frames", entry["num_frames"])
    fps = found.length(f"{video}.fps", entry.get("fps"))
    return (frames / fps if frames and fps else None), fps
