"""When something happens: every set of sentences with spans, highlights with them.

The model grounds each sentence; what it finds is written as the set's own submissions are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kairos.bench.exams.exam import Candidate, Exam, Item, Result, Said, View, timelines
from kairos.bench.protocols import submissions
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.targets import Target
from kairos.timeline import Answer, Moment
from kairos.timeline.files import atomic_write

__all__ = ["EXAMS", "dumped"]

SEGMENT_S = 5.0
"""DiDeMo's segments."""

TOP = 10
"""So many moments are asked for: as many as QVHighlights' mAP looks at."""


def _ground(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    """Times are told from the beginning of the part that was asked about."""
    said = candidate.ground(view, item.query, TOP)
    if not item.parts or said.parsed is None:
        return {"": said}
    found = Answer.from_dict(said.parsed)
    moments = tuple(moment.shift(-item.parts[0][0]) for moment in found.moments)
    return {"": replace(said, parsed=found.replace(moments=moments, curve=None).to_dict())}


# sentences -----------------------------------------------------------------------------------------------------------


def _targets(source: Source, refs: Entries[Target]) -> Iterator[Item]:
    """A part of a video, KWZSA.mp4#t=START,END in TVGBench, is all that may be seen of it."""
    for name, ref in refs.items():
        video, _, part = ref.video.partition("#t=")
        start, _, end = part.partition(",")
        parts = ((float(start), float(end)),) if part else ()
        yield Item(name, video, ref.query, parts)


def _rows(name: str, video: str, query: str) -> Any:
    """Items of a list of objects, by the names of their fields."""

    def items(source: Source, refs: Entries[Any]) -> Iterator[Item]:
        for _, row in source.rows():
            yield Item(str(row.get(name)), str(row.get(video)), str(row.get(query, "")), about=row)

    return items


def _nlq(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    """Ego4D's queries; the video is the clip, cut out as the challenge gives it."""
    for video in source.mapping().get("videos", ()):
        for clip in video["clips"]:
            for annotation in clip["annotations"]:
                for k, query in enumerate(annotation["language_queries"]):
                    name = f"{clip['clip_uid']}/{annotation['annotation_uid']}/{k}"
                    yield Item(name, str(clip["clip_uid"]), str(query.get("query") or ""))


def _hirest(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for prompt, videos in source.mapping().items():
        for video in videos if isinstance(videos, dict) else ():
            yield Item(f"{prompt}/{video}", video, prompt)


# official forms ------------------------------------------------------------------------------------------------------


def dumped(path: Path, document: Any) -> list[Path]:
    """Writes a JSON document; returns its path in a list."""
    with atomic_write(path) as file:
        json.dump(document, file, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    return [path]


def _submission(form: str, suffix: str) -> Any:
    def write(folder: Path, results: Sequence[Result]) -> list[Path]:
        path = folder / f"predictions{suffix}"
        submissions.write(path, timelines(results), form)
        return [path]

    return write


def _windows(moments: Sequence[Moment]) -> list[list[float]]:
    return [[m.start, m.end, m.score] for m in moments]


def _didemo(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Every run of segments, those first that fit the found moments best; none where nothing was found."""
    ranked: dict[str, list[tuple[int, int]]] = {}
    for result in results:
        moments = result.answer().moments
        count = int(result.item.about.get("num_segments", 6))
        runs = [(a, b) for a in range(count) for b in range(a, count)]

        def fit(run: tuple[int, int], moments: Sequence[Moment] = moments) -> tuple[float, ...]:
            span = Moment(run[0] * SEGMENT_S, (run[1] + 1) * SEGMENT_S)
            return tuple(-span.iou(moment) for moment in moments)

        ranked[result.item.id] = sorted(runs, key=fit) if moments else []
    return dumped(folder / "predictions.json", ranked)


def _tvr(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Moments of the right video (SVMR): the others rank all videos for each sentence."""
    index = {name: k for k, name in enumerate(dict.fromkeys(r.item.video for r in results))}
    rows = [
        {
            "desc_id": int(r.item.id) if r.item.id.isdigit() else r.item.id,
            "desc": r.item.query,
            "predictions": [[index[r.item.video], *w] for w in _windows(r.answer().moments)],
        }
        for r in results
    ]
    return dumped(folder / "predictions.json", {"video2idx": index, "SVMR": rows})


def _bounds(folder: Path, results: Sequence[Result]) -> list[Path]:
    document: dict[str, dict[str, Any]] = {}
    for r in results:
        best = r.answer().best
        bounds = [] if best is None else [best.start, best.end]
        document.setdefault(r.item.query, {})[r.item.video] = {"bounds": bounds}
    return dumped(folder / "predictions.json", document)


def _vtimellm(folder: Path, results: Sequence[Result]) -> list[Path]:
    """VTimeLLM's log, where a span is told in hundredths of the video."""
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            best, duration = r.answer().best, r.item.about.duration
            video, _, nth = r.item.id.rpartition("#")
            said = ""
            if best is not None:
                a, b = (min(99, round(100 * t / duration)) for t in best.span)
                said = f"From {a:02d} to {b:02d}."
            info = {"sentence_id": int(nth)}
            row = {"video_id": video, "task": "grounding", "query_id": 0, "answer": said, "info": info}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


def _with_refs(source: Source, refs: Entries[Target]) -> Iterator[Item]:
    for name, ref in refs.items():
        yield Item(name, ref.video, ref.query, about=ref)


_LINES = _submission("qvhighlights", ".jsonl")

EXAMS: Mapping[str, Exam] = {
    **{
        name: Exam(items=_targets, put=_ground, write=_LINES)
        for name in ("charades", "activitynet", "tacos", "queryd", "tvgbench")
    },
    **{
        name: Exam(items=_rows("qid", "vid", "query"), put=_ground, write=_LINES)
        for name in ("qvhighlights", "audio-moments")
    },
    "charades-timechat": Exam(items=_targets, put=_ground, write=_submission("timechat", ".json")),
    "charades-vtimellm": Exam(items=_with_refs, put=_ground, write=_vtimellm),
    "didemo": Exam(items=_rows("annotation_id", "video", "description"), put=_ground, write=_didemo),
    "ego4d-nlq": Exam(items=_nlq, put=_ground, write=_submission("ego4d-nlq", ".json")),
    "tvr": Exam(
        items=_rows("desc_id", "vid_name", "desc"),
        put=_ground,
        write=_tvr,
        notes=("moments of the right video alone (SVMR): no video is looked for",),
    ),
    "hirest": Exam(items=_hirest, put=_ground, write=_bounds),
}
"""The exams of this file by their benchmarks' names."""
