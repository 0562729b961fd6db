"""Answers with the moment that proves them: NExT-GQA and ReXTime.

NExT-GQA's annotations say when; its questions stand in a table beside them, .csv of any name, as NExT-QA distributes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kairos.bench.exams.choices import lettered
from kairos.bench.exams.exam import Candidate, Exam, Item, Result, Said, View
from kairos.bench.exams.spans import dumped
from kairos.bench.harness import rows
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.questions import Question
from kairos.errors import AnnotationError
from kairos.score.choices import LETTERS, Asked, options_without_letters
from kairos.timeline.files import atomic_write

__all__ = ["EXAMS"]

NEXT_QA = ("video", "qid", "question", "a0", "a1", "a2", "a3", "a4")


def _prove(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    question: Question = item.about
    return {"": candidate.prove(view, question.prompt(), question.words)}


def _told(item: Item) -> dict[str, Any]:
    asked = item.about.asked
    return {"question": item.about.words, "options": list(asked.options), "answer": asked.answer}


# NExT-GQA ------------------------------------------------------------------------------------------------------------


def _next_gqa(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    tables = sorted(source.path.parent.glob("*.csv"))
    found: dict[str, Question] = {}
    for table in tables:
        for _, row in rows(Source(table)):
            row = {"video": row.get("video_id"), **row}
            if any(row.get(key) is None for key in NEXT_QA):
                continue
            options = tuple(str(row[f"a{k}"]) for k in range(5))
            answer = LETTERS[options.index(row["answer"])] if row.get("answer") in options else None
            if (
                answer is None and str(row.get("answer")).isdigit()
            ):  # NExT-QA proper holds the option's number
                answer = LETTERS[int(row["answer"])]
            if answer is not None:
                question = Question(str(row["video"]), str(row["question"]), Asked(answer, options))
                found[f"{row['video']}_{row['qid']}"] = question
    lacking = [name for name, _ in refs.items() if name not in found]
    if lacking:
        raise AnnotationError(
            f"{len(lacking)} grounded questions have no words: {', '.join(lacking[:5])}",
            path=str(source.path),
            errors=lacking,
            hint=f"put NExT-QA's table (test.csv or val.csv) beside it; read: "
            f"{', '.join(table.name for table in tables) or 'none'}",
        )
    for name, ref in refs.items():
        yield Item(name, ref.video, found[name].words, about=found[name])


def _write_gqa(folder: Path, results: Sequence[Result]) -> list[Path]:
    spans: dict[str, list[float] | None] = {}
    chosen: dict[str, dict[str, int]] = {}
    for result in results:
        answer, asked = result.answer(), result.item.about.asked
        said, best = lettered(answer.text, asked), answer.best
        spans[result.item.id] = None if best is None else [best.start, best.end]
        prediction = -1 if said is None else LETTERS.index(said)
        chosen[result.item.id] = {"answer": LETTERS.index(asked.answer), "prediction": prediction}
    return [*dumped(folder / "ground.json", spans), *dumped(folder / "answers.json", chosen)]


# ReXTime -------------------------------------------------------------------------------------------------------------


def _rextime(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for place, row in source.rows():
        options = row.get("options")
        if not isinstance(options, list) or not options or not isinstance(row.get("question"), str):
            source.problem(place, "needs question, and options, a list")
            continue
        asked = Asked(str(row.get("ans")), options_without_letters(options))
        question = Question(str(row.get("vid")), row["question"], asked)
        yield Item(str(row.get("qid")), question.video, question.words, about=question)


def _write_rextime(folder: Path, results: Sequence[Result]) -> list[Path]:
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for result in results:
            answer = result.answer()
            said = lettered(answer.text, result.item.about.asked)
            windows = [[m.start, m.end, m.score] for m in answer.moments]
            name = int(result.item.id) if result.item.id.isdigit() else result.item.id
            row = {"qid": name, "pred_relevant_windows": windows, "ans": said or ""}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [path]


EXAMS: Mapping[str, Exam] = {
    "nextgqa": Exam(items=_next_gqa, put=_prove, write=_write_gqa, told=_told),
    "rextime": Exam(items=_rextime, put=_prove, write=_write_rextime, told=_told),
}
"""The exams of this file by their benchmarks' names."""
