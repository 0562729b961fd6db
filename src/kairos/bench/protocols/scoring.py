"""Scoring: references and predictions are read, matched and scored; what is wrong with the files is told at once."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kairos.bench.protocols import find
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.report import Measure, Report
from kairos.errors import AnnotationError, OptionError
from kairos.score.bootstrap import ROUNDS, Interval
from kairos.score.quantity import Key, Mean, estimate

__all__ = ["MISSING", "WAYS", "Matched", "Missing", "Scoring", "match", "score"]

Path = str | os.PathLike[str]
Missing = Literal["error", "zero", "skip"]
MISSING: tuple[Missing, ...] = ("error", "zero", "skip")
WAYS = ("official", "strict")
SHOWN = 8
"""How many ids or problems a line names; `AnnotationError.errors` has every problem."""


@dataclass(frozen=True)
class Matched:
    """The items that are scored, and what is wrong with the files: `problems` of entries, `notes` on what was left out."""

    protocol: Protocol[Any, Any]
    pairs: list[Pair[Any, Any]]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scoring:
    """What a protocol says of the predictions, in each way: `official`, `strict`."""

    matched: Matched
    scored: dict[str, Scored]
    intervals: dict[str, dict[Key, Interval | None]]
    command: str = ""

    def value(self, name: str, section: str = "", way: str = "official") -> float | None:
        """The value of a quantity; None where nothing counted. Raises KeyError for one that the protocol does not have."""
        found = self.intervals[way][section, name]
        return None if found is None else found.value

    def report(self, *, detail: bool = False) -> Report:
        """The table: one column for each way. `detail` adds the quantities that a table for people leaves out."""
        measures = []
        for way, scored in self.scored.items():
            for q in scored.quantities:
                found = self.intervals[way][q.key]
                if (detail or not q.detail) and found is not None:
                    exact = found.low == found.high == found.value
                    measures.append(
                        Measure(
                            q.name,
                            way,
                            found.value,
                            None if exact else found.low,
                            None if exact else found.high,
                            found.n,
                            unit=q.unit,
                            digits=q.digits,
                            section=q.section,
                        )
                    )
        notes = [*self.matched.notes]
        for way, scored in self.scored.items():
            notes += [f"{way}: {note}" for note in scored.notes]
        pairs = self.matched.pairs
        facts = {"items": len(pairs), "videos": len({pair.video for pair in pairs})}
        return Report(
            "score", self.matched.protocol.title, tuple(measures), facts, tuple(notes), self.command
        )

    def rows(self, way: str) -> Iterator[dict[str, Any]]:
        """One object an item: its id, its video, its values by name (`section/name` where there are sections), None for NaN."""
        means = [q for q in self.scored[way].quantities if isinstance(q, Mean)]
        names = [f"{q.section}/{q.name}" if q.section else q.name for q in means]
        for k, pair in enumerate(self.matched.pairs):
            values = [float(q.values[k]) for q in means]
            scores = {n: None if np.isnan(v) else v for n, v in zip(names, values, strict=True)}
            yield {"id": pair.id, "video": pair.video, "way": way, "scores": scores}


def score(
    task: str,
    preds: Path | Sequence[Path],
    ref: Path | None = None,
    *,
    ways: Sequence[str] = WAYS,
    missing: Missing = "error",
    only: Collection[str] | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Scoring:
    """The numbers of the protocol `task`, each with an interval from resampling whole videos (none with `rounds` 0).

    `only` names the references that count, where not all of them were asked. Raises OptionError for an unknown task, way or
    choice of `missing`; AnnotationError with every problem of both files, or where nothing is left to score; TimelineError
    where a file cannot be read at all.
    """
    for way in ways:
        if way not in WAYS:
            raise OptionError(
                f"there is no protocol {way!r}",
                option="protocol",
                value=way,
                hint=f"choose {' or '.join(WAYS)}",
            )
    matched = match(task, preds, ref, missing=missing, only=only)
    scored = {way: matched.protocol.scored(matched.pairs, way == "strict") for way in ways}
    clusters = [pair.video for pair in matched.pairs]
    intervals = {
        way: estimate(found.quantities, clusters, rounds=rounds, seed=seed) for way, found in scored.items()
    }
    files = " ".join(f"--pred {os.fspath(path)}" for path in _paths(preds))
    return Scoring(
        matched, scored, intervals, f"kairos score {task} {files}" + (f" --ref {ref}" if ref else "")
    )


def match(
    task: str,
    preds: Path | Sequence[Path],
    ref: Path | None = None,
    *,
    missing: Missing = "error",
    only: Collection[str] | None = None,
) -> Matched:
    """The references of a task with their predictions. `only` and errors as in `score`."""
    protocol = find(task)
    if missing not in MISSING:
        raise OptionError(
            f"missing predictions are {', '.join(MISSING)}, not {missing!r}", option="missing", value=missing
        )
    sources = [Source(path) for path in _paths(preds)]
    for source in sources:
        source.beside = (source, *(other for other in sources if other is not source))
    if ref is None and protocol.needs_ref:
        raise OptionError(f"{task} needs references", option="ref", hint="give --ref FILE")
    of_refs = sources[0] if ref is None else Source(ref)
    refs = protocol.refs(of_refs)
    if only is not None:
        refs = refs.only(only)
    said = protocol.preds(sources[0], refs)
    given = dict.fromkeys([*sources, of_refs])
    problems = [problem for source in given for problem in source.found.problems]
    return _matched(protocol, refs, said, sources[0], problems, missing)


def _matched(
    protocol: Protocol[Any, Any],
    refs: Entries[Any],
    said: Entries[Any],
    source: Source,
    problems: list[str],
    missing: Missing,
) -> Matched:
    name = os.fspath(source.path)
    absent = [key for key, _ in refs.items() if key not in said]
    unknown = [key for key in said.ids() if key not in refs]
    notes = []
    if unknown:
        notes.append(f"{name}: {len(unknown)} without a reference do not count: {_some(unknown)}")
    if len(refs) and len(absent) == len(refs) and not (missing == "zero" and not said.ids()):
        problems.append(
            f"{name}: {'no id is one of the references' if unknown else 'holds no predictions'}: {_some(absent)}"
        )
        raise error(problems, name)
    if absent:
        told = f"{name}: no prediction for {len(absent)} of {len(refs)}: {_some(absent)}"
        if missing == "zero":
            notes.append(f"{told}; they count as empty")
        elif missing == "skip" or protocol.partial:
            notes.append(f"{told}; they are left out")
        else:
            problems.append(told)
    if problems and missing == "error":
        raise error(problems, name)
    if problems:
        what = "count as empty" if missing == "zero" else "are left out"
        notes.append(f"{len(problems)} problems; broken predictions {what}, broken references are left out")
    pairs = []
    for key, ref in refs.items():
        pred = said.get(key)
        if pred is None and missing == "zero":
            pred = protocol.nothing(ref)
        if pred is not None:
            pairs.append(Pair(key, ref.video, ref, pred))
    if not pairs:
        raise error(problems or [f"{name}: nothing is left to score"], name)
    return Matched(protocol, pairs, tuple(problems), tuple(notes))


def error(problems: Sequence[str], path: str) -> AnnotationError:
    """All problems as one error."""
    rest = len(problems) - SHOWN
    shown = "; ".join(problems[:SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
    return AnnotationError(
        f"{len(problems)} problems: {shown}" if len(problems) > 1 else shown,
        path=path,
        errors=problems,
        hint="mend the files, or choose --missing zero or --missing skip",
    )


def line(row: dict[str, Any]) -> str:
    """One item as a line of a .jsonl file."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _paths(given: Path | Sequence[Path]) -> list[Path]:
    paths = [given] if isinstance(given, str | os.PathLike) else list(given)
    if not paths:
        raise OptionError("there are no predictions to score", option="pred", hint="give --pred FILE")
    return paths


def _some(ids: Sequence[str]) -> str:
    rest = len(ids) - SHOWN
    return ", ".join(ids[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
