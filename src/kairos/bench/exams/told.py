"""What is told with its time: dense captions, HiREST's steps, multi-answer grounded QA, and what is announced when it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kairos.bench.exams.exam import Candidate, Exam, Item, Result, Said, View
from kairos.bench.exams.spans import dumped
from kairos.bench.protocols.source import Entries, Source
from kairos.score.judge import Judge
from kairos.timeline import Answer
from kairos.timeline.files import atomic_write

__all__ = ["EXAMS"]


def _caption(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    return {"": candidate.caption(view)}


# dense captions ------------------------------------------------------------------------------------------------------


def _videos(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for name, ref in refs.items():
        yield Item(name, ref.video)


def _captions(folder: Path, results: Sequence[Result]) -> list[Path]:
    told = {
        r.item.id: [{"sentence": m.label or "", "timestamp": [m.start, m.end]} for m in r.answer().moments]
        for r in results
    }
    document = {"version": "VERSION 1.0", "results": told, "external_data": {"used": False}}
    return dumped(folder / "predictions.json", document)


# HiREST's steps ------------------------------------------------------------------------------------------------------


def _moments(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    """The moment whose steps are asked for is given: nothing outside of it is seen."""
    for name, ref in refs.items():
        starts, ends = zip(*((w[0], w[1]) for w in ref.spans), strict=True)
        given = _moment(source, ref.video) or (min(starts), max(ends))
        yield Item(name, ref.video, parts=(given,))


def _moment(source: Source, video: str) -> tuple[float, float] | None:
    for videos in source.mapping().values():
        entry = videos.get(video) if isinstance(videos, dict) else None
        if isinstance(entry, dict) and isinstance(entry.get("bounds"), list) and entry.get("clip"):
            start, end = entry["bounds"]
            return float(start), float(end)
    return None


def _steps(folder: Path, results: Sequence[Result]) -> list[Path]:
    found = {r.item.id: {"bounds": [[m.start, m.end] for m in r.answer().moments]} for r in results}
    return dumped(folder / "predictions.json", found)


# multi-answer grounded QA --------------------------------------------------------------------------------------------


def _standing(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for name, ref in refs.items():
        yield Item(name, ref.video, ref.answer.query, about=ref.answer)


def _watch(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    return {"": candidate.watch(view, item.query)}


def _rated(item: Item, answer: Answer, judge: Judge) -> list[list[float | None]]:
    """For each response, what the judge says of it beside each true answer in whose span it was said."""
    return [
        [
            judge(said.label or "", true.label or "", item.query)
            if true.start <= said.end <= true.end
            else None
            for true in item.about.moments
        ]
        for said in answer.moments
    ]


def _responses(folder: Path, results: Sequence[Result]) -> list[Path]:
    """MMDuet's lines, with a judge's ratings where there is one."""
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            ratings = r.steps[""].get("ratings")
            turns = [
                {"role": "assistant", "content": m.label or "", "time": m.end}
                | ({} if ratings is None else {"ratings": ratings[k]})
                for k, m in enumerate(r.answer().moments)
            ]
            row = {"question_id": r.item.id, "question": r.item.query, "model_response_list": turns}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


# announcements -------------------------------------------------------------------------------------------------------

GRACE_S = 4.0
"""So long after it was due an announcement is waited for, as in StreamingBench's script."""


def _announcements(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for name, ref in refs.items():
        yield Item(name, ref.video, ref.words, about=ref)


def _announce(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    ref = item.about
    return {"": candidate.announce(view, item.query, ref.asked, ref.due + GRACE_S)}


def _outputs(folder: Path, results: Sequence[Result]) -> list[Path]:
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            first = r.answer().best
            said = (
                {"time": None, "response": ""}
                if first is None
                else {"time": first.end, "response": first.label or ""}
            )
            file.write(json.dumps({"id": r.item.id, **said}, ensure_ascii=False) + "\n")
    return [path]


EXAMS: Mapping[str, Exam] = {
    "dense-captions": Exam(items=_videos, put=_caption, write=_captions),
    "hirest-steps": Exam(items=_moments, put=_caption, write=_steps),
    "streamingbench-proactive": Exam(items=_announcements, put=_announce, write=_outputs),
    "magqa": Exam(items=_standing, put=_watch, write=_responses, judge=_rated),
}
"""The exams of this file by their benchmarks' names."""
