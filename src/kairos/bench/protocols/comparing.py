"""Which of two sets of predictions is better: a paired test of every number, and the items that one wins and the other loses."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.protocols.scoring import Missing, error, match
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.report import Measure, Report
from kairos.errors import AnnotationError
from kairos.score.bootstrap import ROUNDS
from kairos.score.comparison import Difference, compare
from kairos.score.quantity import Key, Mean, Quantity

__all__ = ["Comparison", "Example", "of_items", "of_predictions"]

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Example:
    """An item at which the two differ."""

    id: str
    video: str
    a: float
    b: float

    def told(self) -> str:
        """Its id, with its video where that does not name it."""
        return self.id if self.video in self.id else f"{self.id} of {self.video}"


@dataclass(frozen=True)
class Comparison:
    """Every quantity's difference; `wins` and `losses` are where b is best and worst against a, in the quantity `judged`."""

    title: str
    names: tuple[str, str]
    differences: dict[Key, Difference]
    styles: dict[Key, tuple[str, int, bool]]
    judged: str
    wins: tuple[Example, ...]
    losses: tuple[Example, ...]
    items: int
    videos: int
    notes: tuple[str, ...] = ()
    command: str = ""

    def report(self, *, detail: bool = False) -> Report:
        """The table: a, b, their difference with its interval, p, and how many items b wins and loses."""
        measures = []
        for (section, name), found in self.differences.items():
            unit, digits, hidden = self.styles[section, name]
            if hidden and not detail:
                continue
            cells: list[tuple[str, float | None, str, int]] = [
                ("a", found.a, unit, digits),
                ("b", found.b, unit, digits),
                ("b - a", found.value, unit, digits),
                ("p", found.p, "", 4),
                ("b wins", found.wins, "", 0),
                ("a wins", found.losses, "", 0),
            ]
            for group, value, of, places in cells:
                low, high = (found.low, found.high) if group == "b - a" else (None, None)
                if value is not None:
                    label = name if unit in ("%", "") else f"{name}, {unit}"
                    style = of if of in ("%", "") else ""
                    measures.append(
                        Measure(label, group, value, low, high, unit=style, digits=places, section=section)
                    )
        facts = {"a": self.names[0], "b": self.names[1], "items": self.items, "videos": self.videos}
        notes = list(self.notes)
        for what, examples in (("b wins most", self.wins), ("a wins most", self.losses)):
            shown = ", ".join(f"{e.told()} ({e.a:.3g} to {e.b:.3g})" for e in examples)
            notes += [f"{what} in {self.judged}: {shown}"] if shown else []
        return Report("compare", self.title, tuple(measures), facts, tuple(notes), self.command)


def of_predictions(
    task: str,
    a: Path,
    b: Path,
    ref: Path | None,
    *,
    way: str = "official",
    missing: Missing = "error",
    rounds: int = ROUNDS,
    seed: int = 0,
    examples: int = 5,
) -> Comparison:
    """Compares two files of predictions of one task; with missing="skip", on the items that both have. Errors as in `score`."""
    sides = [match(task, path, ref, missing=missing) for path in (a, b)]
    shared = {pair.id for pair in sides[0].pairs} & {pair.id for pair in sides[1].pairs}
    both = [[pair for pair in side.pairs if pair.id in shared] for side in sides]
    if not shared:
        raise error(["the two files have no item in common"], os.fspath(b))
    scored = [side.protocol.scored(pairs, way == "strict") for side, pairs in zip(sides, both, strict=True)]
    notes = tuple(dict.fromkeys(note for side in sides for note in side.notes))
    command = f"kairos score {task} --compare {os.fspath(a)} {os.fspath(b)}" + (
        f" --ref {ref}" if ref else ""
    )
    return _comparison(
        f"{sides[0].protocol.title}, {way}",
        (os.fspath(a), os.fspath(b)),
        [(pair.id, pair.video) for pair in both[0]],
        scored[0].quantities,
        scored[1].quantities,
        notes=notes,
        command=command,
        rounds=rounds,
        seed=seed,
        examples=examples,
    )


def of_items(
    a: Path, b: Path, *, missing: Missing = "error", rounds: int = ROUNDS, seed: int = 0, examples: int = 5
) -> Comparison:
    """Compares two files of items as `kairos score --items` and `kairos bench` write them: id, video, scores by name.

    Every score's mean is compared; with missing="skip" on the items that both have, with "zero" an absent one counts 0.
    Raises AnnotationError with every problem of both files.
    """
    sources = [Source(path) for path in (a, b)]
    first, second = (_items(source) for source in sources)
    problems = [problem for source in sources for problem in source.found.problems]
    ids = list(dict.fromkeys([*first.ids(), *second.ids()]))
    alone = [key for key in ids if first.get(key) is None or second.get(key) is None]
    notes = []
    if alone:
        told = f"{len(alone)} items are in one of the files only: {', '.join(alone[:8])}"
        if missing == "error":
            problems.append(told)
        notes.append(f"{told}; they {'count 0' if missing == 'zero' else 'are left out'}")
    if problems and missing == "error":
        raise error(problems, os.fspath(b))
    kept = ids if missing == "zero" else [key for key in ids if key not in set(alone)]
    if not kept:
        raise AnnotationError("the two files have no item in common", path=os.fspath(b))
    known = {**dict(second.items()), **dict(first.items())}
    names = list(dict.fromkeys(name for key in kept for name in known[key][1]))
    sides = []
    for entries in (first, second):
        quantities: list[Quantity] = []
        for name in names:
            values = [_value(entries, key, name) for key in kept]
            section, _, last = name.rpartition("/")
            shares = all(math.isnan(v) or 0.0 <= v <= 1.0 for v in values)
            quantities.append(Mean(last, section, "%" if shares else "", values=np.array(values)))
        sides.append(quantities)
    for one, other in zip(*sides, strict=True):
        if one.unit != other.unit:  # a share in one file only: show both as they are
            at = sides[0].index(one)
            for side, q in ((sides[0], one), (sides[1], other)):
                assert isinstance(q, Mean)
                side[at] = Mean(q.name, q.section, "", values=q.values)
    return _comparison(
        "Items",
        (os.fspath(a), os.fspath(b)),
        [(key, known[key][0]) for key in kept],
        *sides,
        notes=tuple(notes),
        command=f"kairos score --compare {os.fspath(a)} {os.fspath(b)}",
        rounds=rounds,
        seed=seed,
        examples=examples,
    )


def _items(source: Source) -> Entries[tuple[str, dict[str, float]]]:
    entries: Entries[tuple[str, dict[str, float]]] = Entries()
    for place, row in source.rows():
        scores = row.get("scores")
        if not isinstance(scores, dict) or not all(
            x is None or (type(x) in (int, float, bool) and math.isfinite(x)) for x in scores.values()
        ):
            source.problem(place, "scores must be an object of numbers (null: does not count)")
            entries.put(source, place, row.get("id"), None)
            continue
        values = {name: math.nan if x is None else float(x) for name, x in scores.items()}
        entries.put(source, place, row.get("id"), (str(row.get("video", row.get("id"))), values))
    return entries


def _value(entries: Entries[tuple[str, dict[str, float]]], key: str, name: str) -> float:
    found = entries.get(key)
    return 0.0 if found is None else found[1].get(name, math.nan)


def _comparison(
    title: str,
    names: tuple[str, str],
    items: Sequence[tuple[str, str]],
    a: Sequence[Quantity],
    b: Sequence[Quantity],
    *,
    notes: tuple[str, ...],
    command: str,
    rounds: int,
    seed: int,
    examples: int,
) -> Comparison:
    videos = [video for _, video in items]
    differences = compare(a, b, videos, rounds=rounds, seed=seed)
    styles = {q.key: (q.unit, q.digits, q.detail) for q in a}
    judge = _judge([q for q in a if isinstance(q, Mean) and not q.detail and q.key in differences])
    wins: list[Example] = []
    losses: list[Example] = []
    if judge is not None:
        other: Any = next(q for q in b if q.key == judge.key)
        apart = other.values - judge.values
        for k in np.argsort(-np.nan_to_num(np.abs(apart)), kind="stable"):
            side = wins if apart[k] > 0 else losses
            if apart[k] and not math.isnan(apart[k]) and len(side) < examples:
                name, video = items[k]
                side.append(Example(name, video, float(judge.values[k]), float(other.values[k])))
    return Comparison(
        title,
        names,
        differences,
        styles,
        "" if judge is None else " ".join(part for part in judge.key if part),
        tuple(wins),
        tuple(losses),
        len(items),
        len(set(videos)),
        notes,
        command,
    )


def _judge(means: Sequence[Mean]) -> Mean | None:
    """The quantity that examples are chosen by: the first that tells more of an item than right or wrong, else the first."""
    graded = (q for q in means if not np.isin(q.values[~np.isnan(q.values)], (0.0, 1.0)).all())
    return next(graded, means[0] if means else None)


def to_dict(found: Comparison) -> dict[str, Any]:
    """The comparison as plain JSON values."""
    return {
        **found.report(detail=True).to_dict(),
        "differences": [
            {"section": section, "name": name, **vars(d), "difference": d.value}
            for (section, name), d in found.differences.items()
        ],
        "judged": found.judged,
        "wins": [vars(example) for example in found.wins],
        "losses": [vars(example) for example in found.losses],
    }
