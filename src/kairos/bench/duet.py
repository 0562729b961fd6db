"""The duet on clips of the world, from mp4 files: standing queries put at the start, answered while the clip plays.

Beside the two kinds of heads stand the same weights asked after the whole video, and the labels' own words said in time: the
best that can be had, since events overlap and the in-span score counts a turn for each event that it falls into. A sweep over
thresholds shows what speaking more costs; ablations are other models, a row each. What was said stays on disk.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench import Progress, models
from kairos.bench.clips import Clip
from kairos.bench.report import Measure, Report, Target, command
from kairos.bench.turns import (
    BOUNDED,
    CONTEXT,
    KEPT,
    LOWEST,
    TRACK,
    WHOLE,
    Way,
    at_least,
    clips_of,
    preset,
    replayed,
    told_by,
)
from kairos.score import ExactJudge, Interval, interval, mean_interval, pairs
from kairos.score.duet import Told, summary, told
from kairos.timeline import Answer, Moment, Timeline
from kairos.timeline.files import atomic_path

__all__ = ["ROWS", "SCORES", "THRESHOLDS", "Asked", "run", "scored"]

COUNT = 100
SPLITS = ("test", "composition")
THRESHOLDS = (LOWEST, *(k / 10 for k in range(4, 16)))
SCORES = tuple(k / 20 for k in range(20))
MOST_RESPONSES = 1.5
LIVE, HELD_OUT = {TRACK: "live, track heads", CONTEXT: "live, context heads"}, ", held-out compositions"
AFTER, LABELS = "after the whole video", "the labels' own words"
KINDS = ("kind", "thing", "sound", "everything")
BRIEF = {
    "in_span": ("in-span score", 2, ""),
    "in_span_once": ("words said again once", 2, ""),
    "responses_per_event": ("responses per event", 2, ""),
    "delay_s": ("median delay, s", 2, ""),
    "told": ("events told", 1, "%"),
    "repeats": ("repeats", 1, "%"),
}
"""The columns of tables with a row for each threshold or model."""


def run(
    *,
    model: Any,
    out: Any,
    count: int | None,
    seed: int,
    dry_run: bool,
    progress: Progress,
    ablations: Any = None,
) -> Report:
    """The table of `count` clips a split (100 if None); `ablations` is a folder of models, each of which gets its rows.

    `out` (runs/bench-embedded if None) keeps the clips, the same as those of `kairos bench embedded`, and in `duet` what was
    said, table.md, report.json and thresholds.png.
    """
    count = COUNT if count is None else count
    folder = Path(out) if out is not None else Path("runs") / "bench-embedded"
    others = models.models_in(ablations)
    again = command("duet", count=count, seed=seed, model=model, ablations=ablations)
    facts: dict[str, Any] = {"clips a split": count, "seed": seed}
    title = "The duet, from files"
    if dry_run:
        facts |= {"splits": ", ".join(SPLITS), "out": os.fspath(folder), "ablations": ", ".join(others)}
        return Report("duet", title, facts=facts, command=again)

    clips, held = (clips_of(split, count, seed, folder, progress) for split in SPLITS)
    kept = folder / "duet"
    loaded, of = models.load(model)

    def said(way: Way) -> list[list[Answer]]:
        return told_by(loaded, of, way, clips, kept, progress, way.name)

    def said_of_held(way: Way) -> list[list[Answer]]:
        return told_by(loaded, of, way, held, kept / SPLITS[1], progress, f"{way.name}, {SPLITS[1]}")

    live, whole = {way: said(way) for way in LIVE}, said(WHOLE)
    sweeps = {way: _sweep(clips, live[way], preset(loaded, way)) for way in LIVE}
    after = {score: scored(clips, whole, partial(at_least, score=score)) for score in SCORES}
    least = _best(after)
    columns = {LIVE[way]: scored(clips, live[way]) for way in LIVE}
    columns[AFTER] = after[least]
    columns[LABELS] = scored(clips, [[_in_time(r, loaded.config.fps) for r in c.labels] for c in clips])
    columns |= {LIVE[way] + HELD_OUT: scored(held, said_of_held(way)) for way in LIVE}
    variants = {f"{loaded.name}, {way.name}": columns[LIVE[way]] for way in LIVE}
    variants |= {f"{loaded.name}, {way.name}": scored(clips, said(way)) for way in (KEPT, BOUNDED)}
    variants |= _variants(others, clips, kept, progress)

    measures = [
        *_rows(columns),
        *(
            m
            for way, found in sweeps.items()
            for m in _brief(f"thresholds, {way.name} heads", "> {:g}", found)
        ),
        *_brief(f"{AFTER}, least score of an answer", ">= {:g}", dict(list(after.items())[::3])),
        *_brief("models, at the preset", "{}", variants),
        *_by_kind(columns),
    ]
    facts |= {"model": loaded.name, "hash": of, "standing queries": len(columns[LABELS])}
    facts |= {f"preset of {way.name} heads": preset(loaded, way) for way in LIVE}
    notes = [
        "a turn's time is the end of the tick after which it is said; a span told afterwards counts at its middle",
        f"{AFTER}: answers scored {least:g} or more, the limit with the best in-span score among those that leave at most "
        f"{MOST_RESPONSES:g} responses an event",
        f"{LABELS}: said at the end of the tick in which the event's middle lies; more cannot be had where events overlap",
        "intervals: 95 %, bootstrap over clips; floors are compared with the value",
    ]
    if unknown := sorted({w for answers in live[TRACK] for a in answers for w in a.unknown_words}):
        notes.append(f"words that the model does not know: {', '.join(unknown)}")
    facts = {key: value if isinstance(value, int) else str(value) for key, value in facts.items()}
    report = Report("duet", title, tuple(measures), facts, tuple(notes), again)
    report.save(kept)
    _draw(
        {LIVE[way]: found for way, found in sweeps.items()} | {AFTER: after}, columns, kept / "thresholds.png"
    )
    return report


# what was said, scored -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A standing query, how it was answered, the clip that it is about, and what it asks for."""

    clip: str
    kind: str
    told: Told


def scored(
    clips: Sequence[Clip],
    answers: Sequence[Sequence[Answer]],
    change: Callable[[Answer], Answer] = lambda answer: answer,
) -> list[Asked]:
    """Every standing query of the clips, with what was said to it, `change`d."""
    judge = ExactJudge()
    return [
        Asked(clip.name, ref.tags[0] if ref.tags else "", told(pred, ref, judge))
        for clip, given in zip(clips, answers, strict=True)
        for pred, ref in pairs(Timeline(change(answer) for answer in given), Timeline(clip.labels))
    ]


def _sweep(
    clips: Sequence[Clip], answers: Sequence[Sequence[Answer]], trigger: Any
) -> dict[float, list[Asked]]:
    """The same stream at every threshold."""
    at = {t: replace(trigger, threshold=t, total=None) for t in THRESHOLDS}
    return {t: scored(clips, answers, partial(replayed, trigger=own)) for t, own in at.items()}


def _best(found: Mapping[float, list[Asked]]) -> float:
    """The least score that serves the baseline best among those that keep it from talking."""
    values = {score: summary(a.told for a in asked) for score, asked in found.items()}
    quiet = [s for s, v in values.items() if v.get("responses_per_event", 0.0) <= MOST_RESPONSES]
    return max(quiet or values, key=lambda s: (values[s].get("in_span", 0.0), -s))


def _variants(
    others: Mapping[str, Path], clips: Sequence[Clip], kept: Path, progress: Progress
) -> Iterator[tuple[str, list[Asked]]]:
    for name, path in others.items():
        loaded, of = models.load(path)
        for way in (TRACK, CONTEXT, KEPT):
            answers = told_by(loaded, of, way, clips, kept / name, progress, f"{name}, {way.name}")
            yield f"{name}, {way.name}", scored(clips, answers)


def _in_time(ref: Answer, fps: float) -> Answer:
    """The labels' words, each at the end of the tick in which its event's middle lies."""
    times = [(math.floor((m.start + m.end) / 2 * fps) + 1) / fps for m in ref.moments]
    turns = [Moment(t, t, label=m.label) for t, m in zip(times, ref.moments, strict=True)]
    return ref.replace(moments=tuple(turns))


# rows ----------------------------------------------------------------------------------------------------------------

Found = Callable[[Sequence[Asked]], "Interval | None"]


def mean(value: Callable[[Told], float]) -> Found:
    """The mean over the standing queries that have events."""

    def found(asked: Sequence[Asked]) -> Interval | None:
        own = [a for a in asked if a.told.events]
        return mean_interval([value(a.told) for a in own], [a.clip for a in own])

    return found


def ratio(part: Callable[[Told], float], whole: Callable[[Told], float]) -> Found:
    """One sum over the other."""

    def found(asked: Sequence[Asked]) -> Interval | None:
        parts, wholes = (np.array([f(a.told) for a in asked], np.float64) for f in (part, whole))

        def statistic(index: NDArray[np.intp]) -> float | None:
            total = wholes[index].sum()
            return float(parts[index].sum() / total) if total else None

        return interval(statistic, [a.clip for a in asked]) if asked else None

    return found


def median(values: Callable[[Told], Sequence[float]]) -> Found:
    """The median over events, of those that have a value."""

    def found(asked: Sequence[Asked]) -> Interval | None:
        known = [(v, a.clip) for a in asked for v in values(a.told) if not math.isnan(v)]
        all_ = np.array([v for v, _ in known])
        return interval(lambda index: float(np.median(all_[index])), [c for _, c in known]) if known else None

    return found


def _events(told: Told) -> float:
    return told.events


def _turns(told: Told) -> float:
    return told.turns


@dataclass(frozen=True)
class Row:
    """One row: its number in every column, in the columns of `LIVE[TRACK]` beside what it must reach."""

    name: str
    found: Found
    target: Target | None = None
    unit: str = ""
    digits: int = 2
    section: str = ""


DETAIL = "in detail"
ROWS = (
    Row("MAGQA in-span score, 1 to 5", mean(lambda t: float(np.mean(t.scores))), Target(3.8)),
    Row("responses per event", ratio(_turns, _events), Target(MOST_RESPONSES, at_most=True)),
    Row(
        "median delay after the event's middle",
        median(lambda t: t.delays),
        Target(1.5, at_most=True, strictly=True),
        unit="s",
    ),
    Row("in-span score, words said again once", mean(lambda t: float(np.mean(t.once))), section=DETAIL),
    Row(
        "events with a turn in their span",
        ratio(lambda t: sum(not math.isnan(v) for v in t.delays), _events),
        unit="%",
        digits=1,
        section=DETAIL,
    ),
    Row(
        "events told (rated 4 or better)",
        ratio(lambda t: sum(not math.isnan(v) for v in t.told), _events),
        unit="%",
        digits=1,
        section=DETAIL,
    ),
    Row("median delay until told", median(lambda t: t.told), unit="s", section=DETAIL),
    Row(
        "turns that repeat what was said in the same span",
        ratio(lambda t: t.repeats, _turns),
        unit="%",
        digits=1,
        section=DETAIL,
    ),
    Row("turns outside every span", ratio(lambda t: t.outside, _turns), unit="%", digits=1, section=DETAIL),
    Row("turns a query", ratio(_turns, lambda t: 1), section=DETAIL),
    Row("different turns a query", ratio(lambda t: t.different, lambda t: 1), section=DETAIL),
    Row(
        "turns a query to which nothing answers",
        ratio(lambda t: 0 if t.events else t.turns, lambda t: not t.events),
        section=DETAIL,
    ),
)


def _rows(columns: Mapping[str, Sequence[Asked]]) -> Iterator[Measure]:
    for row in ROWS:
        for group, asked in columns.items():
            if group == AFTER and row.unit == "s":
                continue  # said at the end: its times are no delays
            target = row.target if group == LIVE[TRACK] else None
            how = {"target": target, "unit": row.unit, "digits": row.digits, "section": row.section}
            if (measure := Measure.of(row.name, group, row.found(asked), **how)) is not None:
                yield measure


def _by_kind(columns: Mapping[str, Sequence[Asked]]) -> Iterator[Measure]:
    for kind in KINDS:
        for group, asked in columns.items():
            own = [a for a in asked if a.kind == kind]
            how = {"unit": "", "digits": 2, "section": "in-span score by what is asked for"}
            if (measure := Measure.of(kind, group, ROWS[0].found(own), **how)) is not None:
                yield measure


def _brief(section: str, name: str, found: Mapping[Any, Sequence[Asked]]) -> Iterator[Measure]:
    """A row for each threshold or model, a column for each value."""
    for key, asked in found.items():
        values = summary(a.told for a in asked)
        for value, (group, digits, unit) in BRIEF.items():
            if value in values:
                yield Measure(
                    name.format(key), group, values[value], unit=unit, digits=digits, section=section
                )


# the picture ---------------------------------------------------------------------------------------------------------


def _draw(
    curves: Mapping[str, Mapping[float, Sequence[Asked]]], marks: Mapping[str, Sequence[Asked]], path: Path
) -> None:
    """In-span score over responses per event, a point for each threshold; what is used, as a dot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for k, (name, curve) in enumerate(curves.items()):
        points = {t: xy for t, asked in curve.items() if (xy := _point(asked)) is not None}
        axes.plot(*zip(*points.values(), strict=True), "-", marker=".", color=f"C{k}", label=name)
        for t, xy in list(points.items())[::3]:
            axes.annotate(f"{t:g}", xy, fontsize=7, textcoords="offset points", xytext=(3, 4))
        if (at := _point(marks[name])) is not None:
            axes.plot(*at, "o", color=f"C{k}", markersize=9)
    if (ceiling := _point(marks[LABELS])) is not None:
        axes.plot(*ceiling, "*", color="0.3", markersize=11, label=LABELS)
    axes.axhline(ROWS[0].target.floor, color="0.6", linewidth=0.8, linestyle=":")  # type: ignore[union-attr]
    axes.axvline(MOST_RESPONSES, color="0.6", linewidth=0.8, linestyle=":")
    axes.set_xlabel("responses per event")
    axes.set_ylabel("in-span score")
    axes.set_ylim(1.0, 5.0)
    axes.legend(frameon=False, fontsize=8)
    with atomic_path(path) as part:
        figure.savefig(part, format="png")


def _point(asked: Sequence[Asked]) -> tuple[float, float] | None:
    values = summary(a.told for a in asked)
    return (values["responses_per_event"], values["in_span"]) if "in_span" in values else None
