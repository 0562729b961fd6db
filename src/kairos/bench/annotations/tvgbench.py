"""TVGBench: a query and the one span that answers it, as words.

[{"path": "./videos/KWZSA.mp4", "question": "a person was sitting.", "answer": "13.4-28.1", "duration": 30.12}, ...]
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from kairos.bench.annotations.gathering import Gathering
from kairos.timeline import Answer

NAME, SUFFIX = "tvgbench", ".json"

_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*")


def fits(document: Any) -> bool:
    return isinstance(document, list) and any(
        isinstance(entry, dict) and {"path", "question", "answer", "duration"} <= set(entry)
        for entry in document
    )


def read(document: Any, found: Gathering) -> None:
    """A ground answer for each entry. Where `start` and `end` are set it is about that part of the video alone, whose
    times begin at 0: another video, named `KWZSA.mp4#t=START,END`.
    """
    for k, entry in enumerate(document):
        place = f"[{k}]"
        if not isinstance(entry, dict):
            found.problem(place, "must be an object with path, question, answer and duration")
            continue
        query = found.words(f"{place}.question", entry.get("question"), "the question")
        length = found.length(f"{place}.duration", entry.get("duration"))
        path = found.words(f"{place}.path", entry.get("path"), "the path")
        match = _SPAN.fullmatch(str(entry.get("answer")))
        if match is None:
            found.problem(f"{place}.answer", f"must read START-END, not {entry.get('answer')!r}")
            continue
        if query is None or length is None or path is None:
            continue
        moment = found.moment(f"{place}.answer", [float(x) for x in match.groups()], length)
        video = PurePosixPath(path).name
        if entry.get("start") is not None:
            video += f"#t={entry['start']},{entry.get('end')}"
        if moment and found.video(place, video, length):
            found.add(video, Answer("ground", query, moments=(moment,)))
