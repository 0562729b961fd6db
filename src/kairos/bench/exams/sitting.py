"""One sitting: a candidate takes one exam, item by item, and the protocol of `kairos score` scores what came of it.

Every item is a line of `items.jsonl` at once (`kairos.bench.exams.ledger`). When all is said, or the budget is used up, the
predictions are written in the benchmark's own format and scored, and each line gets its item's scores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos.bench import Progress
from kairos.bench.exams import candidates, find
from kairos.bench.exams.exam import Candidate, Exam, Item, Result, View
from kairos.bench.exams.ledger import Ledger, Line
from kairos.bench.exams.views import Library
from kairos.bench.protocols import find as find_protocol
from kairos.bench.protocols.scoring import MISSING, Missing, Scoring, error, score
from kairos.bench.protocols.source import Source
from kairos.bench.report import Report
from kairos.errors import InputError, OptionError, VideoError
from kairos.score.judge import ExactJudge, Judge
from kairos.timeline import Answer

__all__ = ["ITEMS", "run"]

ITEMS = "items.jsonl"
NAMED = 8
"""So many missing videos are named in an error."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class _Todo:
    """An item, and what of its video is to be seen; None where the video is not there."""

    item: Item
    view: View | None


@dataclass(frozen=True, kw_only=True)
class _Sitting:
    """What is sat and how: the benchmark's `name`, its files, and what of missing videos."""

    name: str
    exam: Exam
    annotations: StrPath
    todo: Sequence[_Todo]
    missing: Missing
    folder: Path
    command: str

    @property
    def title(self) -> str:
        return f"{find_protocol(self.name).title}: {len(self.todo)} items"


def run(
    name: str,
    *,
    videos: StrPath | None,
    annotations: StrPath | None,
    model: Any = None,
    out: StrPath | None = None,
    limit: int | None = None,
    frames: int | None = None,
    budget: float | None = None,
    missing: str = "error",
    judge: str | None = None,
    resume: bool = False,
    dry_run: bool = False,
    progress: Progress,
) -> Report:
    """The table of the benchmark `name`: the first `limit` items of the official file (or folder) `annotations`, about videos
    below the folder `videos`.

    `model` is a model's folder, "embedded", an address `http://HOST/v1#NAME`, or a model; at most `frames` frames are looked at
    for an item. After `budget` seconds no new item is begun. `missing`: what of a video that is not there or cannot be read:
    "error", "zero" (nothing was said) or "skip". `judge`, an address too, rates free words where a benchmark has them rated
    (magqa). `out` (runs/bench-NAME) keeps items.jsonl, the predictions and table.md.

    Raises OptionError where an option is missing or wrong, or items are there and `resume` is not said; AnnotationError with
    every problem of the annotations; InputError where videos are missing; VideoError, ModelError, EndpointError.
    """
    if videos is None or annotations is None:
        hint = "give --videos DIR --annotations FILE"
        raise OptionError(f"{name} needs videos and annotations", option="videos", hint=hint)
    if missing not in MISSING:
        hint = f"choose {' or '.join(MISSING)}"
        raise OptionError(f"--missing {missing} is unknown", option="missing", value=missing, hint=hint)
    rule: Missing = missing
    exam = find(name)
    items = _items(name, exam, annotations, rule)[:limit]
    sitting = _Sitting(
        name=name,
        exam=exam,
        annotations=annotations,
        todo=_found(items, exam, Path(videos), rule),
        missing=rule,
        folder=Path(out) if out is not None else Path("runs") / f"bench-{name}",
        command=_command(name, videos, annotations, model=model, limit=limit, frames=frames, missing=rule),
    )
    judging = _judge(name, exam, items, judge)
    if dry_run:
        return _plan(sitting)
    path = sitting.folder / ITEMS
    if path.exists() and not resume:
        hint = "go on with --resume, or give another --out"
        raise OptionError(f"{path} is there already", option="out", hint=hint)
    candidate = candidates.candidate_of(model, frames)
    sitting.folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(path, candidate.mark, {one.item.id for one in sitting.todo})
    _sit(sitting, candidate, ledger, judging, budget, progress)
    scoring = _score(sitting, ledger)
    ledger.mark(scoring)
    report = _report(sitting, candidate, ledger, scoring)
    (sitting.folder / "table.md").write_text(report.markdown(), encoding="utf-8")
    return report


# what is asked -------------------------------------------------------------------------------------------------------


def _items(name: str, exam: Exam, annotations: StrPath, missing: Missing) -> list[Item]:
    """The items with a reference; every problem of the file is told at once, unless what is broken may be left out."""
    source = Source(annotations)
    refs = find_protocol(name).refs(source)
    if source.found.problems and (missing == "error" or not len(refs)):
        raise error(source.found.problems, os.fspath(annotations))
    items = [item for item in exam.items(source, refs) if refs.get(item.id) is not None]
    if not items:
        raise error(source.found.problems or ["holds nothing to ask"], os.fspath(annotations))
    return items


def _found(items: Sequence[Item], exam: Exam, folder: Path, missing: Missing) -> list[_Todo]:
    """The items with their files, those of one video together, those asked earlier first."""
    library = Library(folder, folders=exam.rate is not None, pictures=exam.pictures)
    todo = []
    for item in items:
        path = library.find(item.video)
        todo.append(_Todo(item, None if path is None else View(path, item.parts, exam.rate)))
    absent = list(dict.fromkeys(one.item.video for one in todo if one.view is None))
    if absent and (missing == "error" or all(one.view is None for one in todo)):
        rest = len(absent) - NAMED
        shown = ", ".join(absent[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
        hint = "add them, give --limit, or choose --missing zero or --missing skip"
        raise InputError(f"{len(absent)} videos are not in {folder}: {shown}", hint=hint)
    return sorted(
        todo, key=lambda one: ("", ()) if one.view is None else (str(one.view.path), one.view.parts)
    )


def _judge(name: str, exam: Exam, items: Sequence[Item], given: str | None) -> Judge | None:
    """Who rates free words; None where the protocol itself can, which the true answers show, rated beside themselves."""
    if given is not None:
        if exam.judge is None:
            raise OptionError(f"{name} has no judge", option="judge", hint="magqa has")
        return candidates.judge_of(given)
    try:
        for item in items if exam.judge is not None else ():
            assert exam.judge is not None
            exam.judge(item, item.about, ExactJudge())
    except InputError as error:
        hint = "give --judge http://HOST/v1#NAME, a language model that rates"
        raise OptionError(f"{name} needs a judge here: {error.message}", option="judge", hint=hint) from error
    return None


def _command(name: str, videos: StrPath, annotations: StrPath, **options: Any) -> str:
    """What prints the table again; a model that is an object has no name on a command line."""
    if not isinstance(options["model"], str | os.PathLike):
        options["model"] = None
    if options["missing"] == "error":
        options["missing"] = None
    command = f"kairos bench {name} --videos {os.fspath(videos)} --annotations {os.fspath(annotations)}"
    return command + "".join(f" --{key} {value}" for key, value in options.items() if value is not None)


def _plan(sitting: _Sitting) -> Report:
    seen = {one.view.path for one in sitting.todo if one.view is not None}
    facts = {
        "items": len(sitting.todo),
        "videos": len(seen),
        "without a video": sum(one.view is None for one in sitting.todo),
        "out": os.fspath(sitting.folder),
    }
    return Report(sitting.name, sitting.title, facts=facts, command=sitting.command)


# the sitting ---------------------------------------------------------------------------------------------------------


def _sit(
    sitting: _Sitting,
    candidate: Candidate,
    ledger: Ledger,
    judge: Judge | None,
    budget: float | None,
    progress: Progress,
) -> None:
    """Puts every item that has no line yet, until the budget's seconds are over."""
    began = time.monotonic()
    for one in sitting.todo:
        if one.item.id in ledger:
            continue
        if budget is not None and time.monotonic() - began >= budget:
            break
        ledger.add(_put(sitting, candidate, one, judge))
        progress(len(ledger), len(sitting.todo), "asking")


def _put(sitting: _Sitting, candidate: Candidate, one: _Todo, judge: Judge | None) -> Line:
    item, exam = one.item, sitting.exam
    row: Line = {"id": item.id, "video": item.video, "query": item.query, **exam.told(item)}
    if one.view is None:
        return {**row, "error": "the video is not there"}
    try:
        said = exam.put(candidate, one.view, item)
    except VideoError as error:
        if sitting.missing == "error":
            hint = "mend it, or choose --missing zero or --missing skip, and go on with --resume"
            raise VideoError(error.message, path=error.path, hint=hint) from error
        return {**row, "error": error.message}
    if set(said) != {""}:
        return {**row, "steps": {step: each.line() for step, each in said.items()}}
    row |= said[""].line()
    if judge is not None and exam.judge is not None and said[""].parsed is not None:
        row["ratings"] = exam.judge(item, Answer.from_dict(said[""].parsed), judge)
    return row


# the table -----------------------------------------------------------------------------------------------------------


def _score(sitting: _Sitting, ledger: Ledger) -> Scoring:
    """What the protocol says of the items that were asked; those without a video count as empty, or not at all."""
    results, only = [], set()
    for one in sitting.todo:
        row = ledger.get(one.item.id)
        if row is not None and not row.get("error"):
            results.append(Result(one.item, row.get("steps") or {"": row}))
        if row is not None and (sitting.missing == "zero" or not row.get("error")):
            only.add(one.item.id)
    write = sitting.exam.write
    paths = [ledger.path] if write is None else write(sitting.folder, results)
    rule: Missing = "zero" if sitting.missing == "zero" else "skip"
    return score(sitting.name, paths, Path(sitting.annotations), missing=rule, only=only)


def _report(sitting: _Sitting, candidate: Candidate, ledger: Ledger, scoring: Scoring) -> Report:
    found, count = scoring.report(), len(sitting.todo)
    said = [
        part for row in ledger if not row.get("error") for part in (row.get("steps") or {"": row}).values()
    ]
    numbers = (
        (count - len(ledger), f"of {count} items are still to be asked: go on with --resume"),
        (sum(bool(row.get("error")) for row in ledger), "items are without a video that can be read"),
        (
            sum(part["parsed_output"] is None and not part["unknown_words"] for part in said),
            f"of {len(said)} outputs could not be read",
        ),
        (
            sum(bool(part["unknown_words"]) for part in said),
            f"of {len(said)} prompts have words that the model has never seen: nothing was said",
        ),
    )
    notes = (*found.notes, *sitting.exam.notes, *(f"{number} {what}" for number, what in numbers if number))
    facts = {
        **found.facts,
        "model": candidate.name,
        "hash": candidate.mark,
        "files": os.fspath(sitting.folder),
        "scored by": scoring.command,
    }
    return Report(sitting.name, sitting.title, found.measures, facts, notes, sitting.command)
