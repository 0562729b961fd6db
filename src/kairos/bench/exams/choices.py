"""Questions with one right answer (`kairos.bench.question_sets`), and CG-Bench with its clues.

A question that is asked at a time sees nothing after it. CG-Bench asks three things: the question about the whole video, the
same about its clues alone, and where the clues are. Nobody judges its open questions here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kairos.bench.exams.exam import Candidate, Exam, Item, Result, Said, View
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.question_sets import SETS
from kairos.bench.questions import Question
from kairos.score.choices import Asked, letter, number, yes_no
from kairos.timeline import Answer
from kairos.timeline.files import atomic_write

__all__ = ["EXAMS", "lettered"]


def lettered(reply: str, asked: Asked) -> str | None:
    """What a reply says, read strictly: a letter, a number, Yes or No; None where it leaves a doubt."""
    if asked.form == "letter":
        return letter(reply, asked.options)
    return number(reply) if asked.form == "number" else yes_no(reply)


def _items(source: Source, refs: Entries[Question]) -> Iterator[Item]:
    for name, question in refs.items():
        parts = () if question.at is None else ((0.0, question.at),)
        yield Item(name, question.video, question.words, parts, about=question)


def _ask(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    said = candidate.ask(view, item.about.prompt())
    return {"": replace(said, parsed=lettered(said.raw, item.about.asked))}


def _told(item: Item) -> dict[str, Any]:
    asked = item.about.asked
    return {"question": item.about.words, "options": list(asked.options), "answer": asked.answer}


# CG-Bench ------------------------------------------------------------------------------------------------------------


def _ask_thrice(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    question: Question = item.about
    long = _ask(candidate, view, item)[""]
    found = {"long": long}
    if question.clues:
        found["clue"] = _ask(candidate, replace(view, parts=question.clues), item)[""]
        found["intervals"] = candidate.ground(view, question.words, 5)
    return found


def _clues(folder: Path, results: Sequence[Result]) -> list[Path]:
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for result in results:
            row: dict[str, Any] = {"qid": result.item.id, "long": result.raw("long")}
            if "clue" in result.steps:
                row["clue"] = result.raw("clue")
                row["intervals"] = _spans(result.answer("intervals"))
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


def _spans(answer: Answer) -> list[list[float]]:
    """Of what was found only what is at least half as sure as the best: the others would widen the union for nothing."""
    best = max((moment.score for moment in answer.moments), default=0.0)
    return [[m.start, m.end] for m in answer.moments if m.score >= best / 2]


def _options(folder: Path, results: Sequence[Result]) -> list[Path]:
    """VideoEval-Pro's lines, known by video and question."""
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            row = {"video": r.item.video, "question": r.item.query, "mcq_answer": r.raw()}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


_OWN = ("cg-bench", "videoeval-pro")

EXAMS: Mapping[str, Exam] = {
    **{name: Exam(items=_items, put=_ask, told=_told) for name in SETS if name not in _OWN},
    "videoeval-pro": Exam(
        items=_items,
        put=_ask,
        write=_options,
        told=_told,
        notes=("the questions with options alone: open answers need a judge",),
    ),
    "cg-bench": Exam(
        items=_items,
        put=_ask_thrice,
        write=_clues,
        told=_told,
        notes=("open questions are not asked: they need a judge",),
    ),
}
"""The exams of this file by their benchmarks' names."""
