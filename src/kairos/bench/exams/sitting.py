"""One sitting: a candidate takes one exam, item by item, and the protocol of `kairos score` scores what came of it.

Every item is one line of `items.jsonl`, written at once: what was asked, what was looked at, what was said, how it was read.
A sitting that was killed, or whose budget was used up, goes on where it stopped; lines of another model are dropped. When all
is said, the predictions are written in the benchmark's own format and scored, and each line gets its item's scores.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos.bench import Progress
from kairos.bench.exams import find
from kairos.bench.exams.exam import Candidate, Exam, Item, Result, View
from kairos.bench.exams.views import Library
from kairos.bench.protocols import find as find_protocol
from kairos.bench.protocols.scoring import MISSING, Missing, Scoring, error, score
from kairos.bench.protocols.source import Source
from kairos.bench.report import Report
from kairos.endpoint import Endpoint
from kairos.errors import InputError, OptionError, VideoError
from kairos.score.judge import EndpointJudge, ExactJudge, Judge
from kairos.timeline import Answer
from kairos.timeline.files import atomic_write

if TYPE_CHECKING:
    from kairos.bench.exams.local import Local
    from kairos.bench.exams.remote import Remote

__all__ = ["ITEMS", "candidate_of", "run"]

ITEMS = "items.jsonl"
NAMED = 8
"""So many missing videos are named in an error."""

StrPath = str | os.PathLike[str]
Line = dict[str, Any]


@dataclass(frozen=True)
class _Todo:
    """An item, and what of its video is to be seen; None where the video is not there."""

    item: Item
    view: View | None


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
    every problem of the annotations; InputError where videos are missing; VideoError, EndpointError.
    """
    if videos is None or annotations is None:
        hint = "give --videos DIR --annotations FILE"
        raise OptionError(f"{name} needs videos and annotations", option="videos", hint=hint)
    if missing not in MISSING:
        hint = f"choose {' or '.join(MISSING)}"
        raise OptionError(f"--missing {missing} is unknown", option="missing", value=missing, hint=hint)
    rule: Missing = missing
    exam, folder = find(name), Path(out) if out is not None else Path("runs") / f"bench-{name}"
    items = _items(name, exam, annotations, rule)[:limit]
    judging = _judge(name, exam, items, judge)
    todo = _found(items, exam, Path(videos), rule)
    lost = sum(one.view is None for one in todo)
    title = f"{find_protocol(name).title}: {len(todo)} items"
    command = _command(name, videos, annotations, model, limit, frames, rule)
    if dry_run:
        seen = {one.view.path for one in todo if one.view is not None}
        facts = {"items": len(todo), "videos": len(seen), "without a video": lost, "out": os.fspath(folder)}
        return Report(name, title, facts=facts, command=command)
    path = folder / ITEMS
    if path.exists() and not resume:
        hint = "go on with --resume, or give another --out"
        raise OptionError(f"{path} is there already", option="out", hint=hint)
    candidate = candidate_of(model, frames)
    folder.mkdir(parents=True, exist_ok=True)
    lines = _sit(candidate, exam, todo, path, rule, judging, budget, progress)
    scoring = _scored(name, exam, annotations, folder, [one.item for one in todo], lines, rule)
    _mark(path, lines, scoring)
    report = _report(name, title, command, scoring, exam, candidate, path, lines, len(todo))
    (folder / "table.md").write_text(report.markdown(), encoding="utf-8")
    return report


def candidate_of(model: Any, frames: int | None = None) -> Candidate:
    """Who is asked: a model's folder, "embedded" or None, an address with a model's name, or a model itself."""
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        from kairos.bench.exams.remote import Remote

        remote: Remote = Remote(_endpoint(model, "model"), frames)
        return remote
    import kairos
    from kairos.bench.clips import fingerprint
    from kairos.bench.exams.local import Local

    local: Local
    if model is None or isinstance(model, str | os.PathLike):
        from kairos.model.loading import EMBEDDED, embedded_path

        path = embedded_path() if model is None or os.fspath(model) == EMBEDDED else Path(model)
        local = Local(kairos.load(path), fingerprint(path), frames)
    else:
        local = Local(model, str(model.name), frames)
    return local


def _endpoint(address: str, option: str) -> Endpoint:
    url, _, named = address.partition("#")
    if not named:
        hint = f"give {url}#NAME"
        raise OptionError(f"{address} does not say which model", option=option, value=address, hint=hint)
    return Endpoint(url, named)


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
    if absent and (missing == "error" or len(absent) == len({one.item.video for one in todo})):
        shown = ", ".join(absent[:NAMED]) + (
            f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        )
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
        return EndpointJudge(_endpoint(given, "judge"))
    try:
        for item in items if exam.judge is not None else ():
            assert exam.judge is not None
            exam.judge(item, item.about, ExactJudge())
    except InputError as error:
        hint = "give --judge http://HOST/v1#NAME, a language model that rates"
        raise OptionError(f"{name} needs a judge here: {error.message}", option="judge", hint=hint) from error
    return None


def _command(
    name: str,
    videos: StrPath,
    annotations: StrPath,
    model: Any,
    limit: int | None,
    frames: int | None,
    missing: Missing,
) -> str:
    said = {
        "model": model if isinstance(model, str | os.PathLike) else None,
        "limit": limit,
        "frames": frames,
    }
    command = f"kairos bench {name} --videos {os.fspath(videos)} --annotations {os.fspath(annotations)}"
    command += "".join(f" --{key} {value}" for key, value in said.items() if value is not None)
    return command + (f" --missing {missing}" if missing != "error" else "")


# the sitting ---------------------------------------------------------------------------------------------------------


def _sit(
    candidate: Candidate,
    exam: Exam,
    todo: Sequence[_Todo],
    path: Path,
    missing: Missing,
    judge: Judge | None,
    budget: float | None,
    progress: Progress,
) -> dict[str, Line]:
    """The lines of all items that were asked, by id; each is written as soon as it is there."""
    lines = _kept(path, candidate.mark, {one.item.id for one in todo})
    began = time.monotonic()
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        for one in todo:
            if one.item.id in lines:
                continue
            if budget is not None and time.monotonic() - began >= budget:
                break
            row = _put(candidate, exam, one, missing)
            if judge is not None and exam.judge is not None and row.get("parsed_output"):
                answer = Answer.from_dict(row["parsed_output"])
                row["ratings"] = exam.judge(one.item, answer, judge)
            file.write(_dumped(row))
            file.flush()
            lines[one.item.id] = row
            progress(len(lines), len(todo), "asking")
    return lines


def _put(candidate: Candidate, exam: Exam, one: _Todo, missing: Missing) -> Line:
    item = one.item
    head: Line = {"id": item.id, "video": item.video, "query": item.query, **exam.told(item)}
    tail: Line = {"model": candidate.mark, "scores": None, "strict": None}
    if one.view is None:
        return {**head, "error": "the video is not there", **tail}
    try:
        said = exam.put(candidate, one.view, item)
    except VideoError as error:
        if missing == "error":
            error.hint = "mend it, or choose --missing zero or --missing skip and go on with --resume"
            raise
        return {**head, "error": error.message, **tail}
    if set(said) == {""}:
        return {**head, **said[""].line(), **tail}
    return {**head, "steps": {step: one.line() for step, one in said.items()}, **tail}


def _kept(path: Path, mark: str, wanted: set[str]) -> dict[str, Line]:
    """The lines of this very candidate; what else the file holds, torn lines and failed items too, is dropped from it."""
    lines: dict[str, Line] = {}
    for text in path.read_text("utf-8", "replace").split("\n") if path.exists() else ():
        try:
            row = json.loads(text)
        except ValueError:
            continue
        if (
            isinstance(row, dict)
            and row.get("model") == mark
            and row.get("id") in wanted
            and not row.get("error")
        ):
            lines.setdefault(str(row["id"]), {**row, "scores": None, "strict": None})
    with atomic_write(path) as file:
        file.writelines(map(_dumped, lines.values()))
    return lines


def _dumped(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


# scores --------------------------------------------------------------------------------------------------------------


def _scored(
    name: str,
    exam: Exam,
    annotations: StrPath,
    folder: Path,
    items: Sequence[Item],
    lines: Mapping[str, Line],
    missing: Missing,
) -> Scoring:
    """What the protocol says of the items that were asked; those without a video count as empty, or not at all."""
    results = [
        Result(item, lines[item.id].get("steps") or {"": lines[item.id]})
        for item in items
        if item.id in lines and not lines[item.id].get("error")
    ]
    paths = [folder / ITEMS] if exam.write is None else exam.write(folder, results)
    only = {key for key, row in lines.items() if missing == "zero" or not row.get("error")}
    return score(name, paths, Path(annotations), missing="zero" if missing == "zero" else "skip", only=only)


def _mark(path: Path, lines: Mapping[str, Line], scoring: Scoring) -> None:
    """Gives each line its item's scores, official and strict."""
    for way, key in (("official", "scores"), ("strict", "strict")):
        for row in scoring.rows(way):
            if row["id"] in lines:
                lines[row["id"]][key] = row["scores"]
    with atomic_write(path) as file:
        file.writelines(map(_dumped, lines.values()))


def _report(
    name: str,
    title: str,
    command: str,
    scoring: Scoring,
    exam: Exam,
    candidate: Candidate,
    path: Path,
    lines: Mapping[str, Line],
    count: int,
) -> Report:
    found = scoring.report()
    notes = [*found.notes, *exam.notes]
    parts = [part for row in lines.values() for part in (row.get("steps") or {"": row}).values()]
    unread = sum("parsed_output" in part and part["parsed_output"] is None for part in parts)
    unknown = sum(bool(part.get("unknown_words")) for part in parts)
    failed = sum(bool(row.get("error")) for row in lines.values())
    for number, what in (
        (count - len(lines), f"of {count} items are still to be asked: go on with --resume"),
        (failed, "items are without a video that can be read"),
        (unread, f"of {len(parts)} outputs could not be read"),
        (unknown, f"of {len(parts)} prompts have words that the model has never seen: nothing was said"),
    ):
        if number:
            notes.append(f"{number} {what}")
    facts = {
        **found.facts,
        "model": candidate.name,
        "hash": candidate.mark,
        "files": os.fspath(path.parent),
        "scored by": scoring.command,
    }
    return Report(name, title, found.measures, facts, tuple(notes), command)
