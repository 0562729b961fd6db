"""`kairos bench heads`: places, paths, masks and moments from the task heads, on clips of held-out compositions, from files.

Requests are in templates that no training has seen. What reaches the model is the decoded file and the request's words (and
box); what it answers stays on disk, so that a killed run goes on. With `ablations`, each model of a folder has its column: it
is asked what its heads are for, in words (what follows a thing from a box is the same in all of them), and plain questions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kairos.bench import Progress, models
from kairos.bench.predictions import Predictions
from kairos.bench.report import Measure, Report, Target, command
from kairos.score import mean_interval
from kairos.score.answers import is_right
from kairos.score.boxes import accuracy, follow, iou
from kairos.score.masks import region_and_contour
from kairos.score.spans import top_iou
from kairos.timeline import Answer, Moment, Timeline

__all__ = ["ROWS", "run"]

COUNT = 40
SPLIT = "composition"
TASKS = ("locate", "track", "segment", "ground", "ask")
ROUTES = {"locate": "locate", "track": "segment", "segment": "segment", "ground": "ground", "ask": None}
"""What a model with the three heads hands each request over to; masks are paths too."""
AFTER_S = 1.0  # after a hiding, in which a thing counts as found again
PATH = "track"  # a moment of the query track


@dataclass(frozen=True)
class Item:
    """One request with what was said to it, and what the scene says."""

    clip: str
    truth: Answer
    said: Answer
    world: Mapping[str, Any]

    @property
    def tags(self) -> tuple[str, ...]:
        return self.truth.tags


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
    """The table of `count` clips (40 if None) and as many shell games; `ablations` is a folder of models to compare.

    `out` (runs/bench-heads if None) keeps the clips, what was said, table.md and report.json.
    """
    count = COUNT if count is None else count
    folder = Path(out) if out is not None else Path("runs") / "bench-heads"
    others = models.models_in(ablations)
    again = command("heads", count=count, seed=seed, model=model, ablations=ablations)
    facts: dict[str, Any] = {"clips": count, "shell games": count, "seed": seed, "split": SPLIT}
    title = "Task heads, from files"
    if dry_run:
        return Report("heads", title, facts=facts | {"ablations": ", ".join(others)}, command=again)

    loaded, of = models.load(model)
    clips = [
        path for shells in (False, True) for path in _clips(count, seed, folder / SPLIT, shells, progress)
    ]
    columns = {loaded.name: _said(loaded, of, clips, folder, progress)}
    for name, path in others.items():
        columns[name] = _said(*models.load(path), clips[:count], folder / name, progress, study=True)
    measures = [
        measure
        for row in ROWS
        for group, items in columns.items()
        if (measure := row.measure(group, items, group == loaded.name)) is not None
    ]
    facts |= {"model": loaded.name, "hash": of, "requests": sum(map(len, columns.values()))}
    notes = (
        "templates of requests are held out, too; boxes and masks are in source pixels",
        f"found again: a mean IoU above 0.5 over {AFTER_S:g} s after each hiding under a cup",
        "intervals: 95 %, bootstrap over clips; floors are compared with the value",
    )
    report = Report("heads", title, tuple(measures), facts, notes, again)
    report.save(folder)
    return report


def _clips(count: int, seed: int, out: Path, shells: bool, progress: Progress) -> list[Path]:
    from kairos.world import render_split

    what = "rendering shell games" if shells else "rendering clips"
    return render_split(
        seed=seed,
        split=SPLIT,
        count=count,
        out=out,
        progress=lambda done, total: progress(done, total, what),
        places=True,
        shells=shells,
    )


# what is said --------------------------------------------------------------------------------------------------------


def _said(
    model: Any, of: str, clips: Sequence[Path], folder: Path, progress: Progress, study: bool = False
) -> list[Item]:
    from kairos.tasks.stream import watch
    from kairos.video import open as open_video

    keys = []
    for path in clips:
        with open_video(path) as video:
            keys.append((path.stem, video.id, of))
    kept = Predictions(folder / "heads.jsonl", keys)
    items = []
    for done, (path, key) in enumerate(zip(clips, keys, strict=True), 1):
        labels = path.with_suffix(".timeline.jsonl")
        asked, world = _asked(labels)
        if study:
            asked = [
                a for a in asked if a.kind == "ask" or (ROUTES[a.kind] in model.tasks and a.kind != "track")
            ]
        if key not in kept:
            with open_video(path) as video:
                session = model.session()
                watch(session, video, config=model.config)
                kept.add(key, [_answer(model, video, session, truth, world) for truth in asked])
        pairs = zip(asked, kept.of(key), strict=True)
        items += [Item(path.stem, truth, said, world) for truth, said in pairs]
        progress(done, len(clips), f"asking {model.name}")
    return items


def _asked(labels: Path) -> tuple[list[Answer], Mapping[str, Any]]:
    """Requests in held-out templates, plain questions, and of a shell game where the thing is."""
    world = json.loads(labels.read_text(encoding="utf-8").split("\n", 1)[0])
    told = Timeline.from_jsonl(labels).filter(kind=TASKS).answers
    asked = [a for a in told if a.extra.get("templates") == "held_out"]
    if world.get("cups"):
        return [a for a in told if a.kind == "ask"], world
    return asked + [a for a in told if a.kind == "ask"][:6], world


def _answer(model: Any, video: Any, session: Any, truth: Answer, world: Mapping[str, Any]) -> Answer:
    """What the model says to a request; `session` has seen the whole clip."""
    from kairos import tasks

    began = time.perf_counter()
    at = truth.extra.get("at")
    route = _route(session, video, truth)
    if model.unknown_words(truth.query.replace("<track_box>", " ")):
        said = Answer(truth.kind, truth.query, abstained=True)
    elif world.get("cups"):
        said = tasks.ask(model, video, truth.query, end=at)
    elif truth.kind == "locate":
        said = tasks.locate(model, video, truth.query, at=at)
    elif truth.kind == "track" and "box" in truth.extra:
        said = tasks.track(model, video, None, box=tuple(truth.extra["box"]), at=at)
    elif truth.kind == "segment":
        said = tasks.segment(model, video, truth.query)
    elif truth.kind == "ground":
        said = _ground(session, truth.query)
    else:
        reply = session.reply()
        said = Answer(truth.kind, truth.query, text=reply.text, abstained=reply.abstained)
    seconds = round(time.perf_counter() - began, 3)
    return said.replace(extra={**said.extra, "route": route, "seconds": seconds}, curve=None)


def _route(session: Any, video: Any, truth: Answer) -> str | None:
    """What the model takes the request for, after the whole clip."""
    box = truth.extra.get("box")
    session.say(
        truth.query,
        box=None if box is None else [side / size for side, size in zip(box, [*video.size] * 2, strict=True)],
    )
    route: str | None = session.route()
    return route


def _ground(session: Any, query: str) -> Answer:
    """The best moment of the temporal head, and of the query track; and at what time each holds it to stand out most."""
    session.say(query)
    saliency, found = session.saliency()
    moments = [Moment(a, b, s) for a, b, s in found[:1]]
    moments += [Moment(a, b, s, PATH) for a, b, s in session.spans(top=1)]
    scores = session.scores
    middle = scores.times - scores.times[0] / 2
    peaks = [float(middle[s.argmax()]) if s.any() else None for s in (saliency, scores.relevance)]
    return Answer(
        "ground", query, moments=tuple(m for m in moments if m.duration > 0), extra={"peaks": peaks}
    )


# rows ----------------------------------------------------------------------------------------------------------------

Values = Callable[[Item], "Iterator[float]"]


@dataclass(frozen=True)
class Row:
    """A mean over what `values` gives for each request."""

    name: str
    values: Values
    target: Target | None = None
    unit: str = "%"
    section: str = ""

    def measure(self, group: str, items: Sequence[Item], ours: bool) -> Measure | None:
        found = [(value, item.clip) for item in items for value in self.values(item)]
        interval = mean_interval([v for v, _ in found], [c for _, c in found])
        how = {"target": self.target if ours else None, "unit": self.unit, "section": self.section}
        return Measure.of(self.name, group, interval, **how)


def _plain(item: Item) -> bool:
    return not item.world.get("cups")


def _located(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind == "locate" and item.truth.track is not None:
        box = None if item.said.track is None else item.said.track.boxes[0]
        yield float(accuracy([box], item.truth.track.boxes[:1])[0])


def _covered(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind == "locate" and item.truth.track is not None:
        said, true = item.said.track, item.truth.track
        yield 0.0 if said is None else float(iou(said.boxes[:1], true.boxes[:1])[0])


def _refused(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind == "locate" and item.truth.abstained:
        yield float(item.said.abstained)


def _overlaps(item: Item) -> Any:
    """IoU at each time of a path from a first box, when it is seen, and the boxes; None where there was none."""
    true, said = item.truth.track, item.said.track
    if not _plain(item) or item.truth.kind != "track" or true is None or "box" not in item.tags:
        return None
    boxes = np.array(
        [np.full(4, np.nan) if said is None or (b := said.at(t)) is None else b for t in true.times]
    )
    return true, boxes


def _success(item: Item) -> Iterator[float]:
    if (found := _overlaps(item)) is not None:
        true, boxes = found
        seen = np.ones(len(true), bool) if true.visible is None else true.visible
        if curves := follow(boxes, true.boxes, absent=~seen, protocol="strict"):
            yield curves.values()["success_auc"]


def _again(item: Item) -> Iterator[float]:
    """For each hiding under a cup after the first box: whether the thing is followed when it is seen again."""
    if (found := _overlaps(item)) is None:
        return
    true, boxes = found
    overlap = iou(boxes, true.boxes)
    for event in item.world["events"]:
        if event["event"] == "hide" and event["object"] == item.truth.extra["object"]:
            after = (true.times >= event["end"]) & (true.times < event["end"] + AFTER_S)
            if event["start"] > true.times[0] and after.any():
                yield float(overlap[after].mean() > 0.5)


def _segmented(item: Item) -> Iterator[float]:
    true, said = item.truth.mask_track, item.said.mask_track
    if _plain(item) and item.truth.kind == "segment" and true is not None:
        near = [None if said is None else said.mask(int(np.abs(said.times - t).argmin())) for t in true.times]
        rows = region_and_contour(near, (true.mask(k) for k in range(len(true))))
        yield float(rows.mean())


def _overlap(item: Item, which: int) -> Iterator[float]:
    """Temporal IoU of the best moment of the temporal head (0) or of the query track (1)."""
    if _plain(item) and item.truth.kind == "ground" and item.truth.moments:
        of = [m for m in item.said.moments if (m.label == PATH) == bool(which)]
        yield float(top_iou(of[:1], item.truth.moments))


def _grounded(which: int) -> Values:
    return lambda item: (float(overlap >= 0.5) for overlap in _overlap(item, which))


def _stands_out(which: int) -> Values:
    def values(item: Item) -> Iterator[float]:
        if _plain(item) and item.truth.kind == "ground" and item.truth.moments:
            peak = item.said.extra.get("peaks", (None, None))[which]
            yield float(peak is not None and any(m.start <= peak < m.end for m in item.truth.moments))

    return values


def _routed(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind != "ask":
        yield float(item.said.extra["route"] == ROUTES[item.truth.kind])


def _unrouted(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind == "ask":
        yield float(item.said.extra["route"] is None)


def _answered(item: Item) -> Iterator[float]:
    if _plain(item) and item.truth.kind == "ask":
        yield float(is_right(item.said, item.truth))


def _shells(item: Item) -> Iterator[float]:
    """Whether the path ends nearest to the cup that hides the thing."""
    if item.world.get("cups"):
        from kairos.world.shells import place_of, sample_shells

        scene = sample_shells(item.world["seed"], item.world["split"])
        at = item.truth.extra["at"]
        track = item.said.track
        if track is None:
            yield 0.0
            return
        x = float(track.boxes[-1][[0, 2]].mean()) / item.world["size"][0]
        yield float(_nearest(scene, at, x) == place_of(scene, at))


def _told(item: Item) -> Iterator[float]:
    """Whether the cup that hides the thing is told in words."""
    if item.world.get("cups"):
        yield float(is_right(item.said, item.truth))


def _nearest(scene: Any, at: float, x: float) -> int:
    """Which cup from the left stands nearest to x at a time."""
    from kairos.world.scene import states_at

    cups = states_at(scene, np.array([at])).x[len(scene.things) :, 0]
    return int(np.abs(np.sort(cups) - x).argmin())


def _faster(item: Item) -> Iterator[float]:
    if item.truth.kind == "track" and "box" in item.tags and item.said.track is not None:
        yield float(np.ptp(item.said.track.times)) / item.said.extra["seconds"]


ROWS = (
    Row("locate, Acc@0.5", _located, Target(0.85)),
    Row("track from a first box, success AUC", _success, Target(0.70)),
    Row("found again after a cup", _again, Target(0.60)),
    Row("segment by words, J&F", _segmented, Target(0.70)),
    Row("requests handed to the right head", _routed, Target(0.99)),
    Row("plain questions answered in words", _unrouted, Target(0.99)),
    Row("shell game: the right cup of three", _shells, Target(0.70)),
    Row("shell game, in words", _told, section="in detail"),
    Row("plain questions answered right", _answered, section="in detail"),
    Row("what is not there is not located", _refused, section="in detail"),
    Row("locate, mean IoU", _covered, section="in detail"),
    Row("moments of the temporal head, R@1 0.5", _grounded(0), section="in detail"),
    Row("moments of the temporal head, mean IoU", lambda item: _overlap(item, 0), section="in detail"),
    Row("moments of the query track, R@1 0.5", _grounded(1), section="in detail"),
    Row("highest saliency, HIT@1", _stands_out(0), section="in detail"),
    Row("highest relevance of the query track, HIT@1", _stands_out(1), section="in detail"),
    Row("followed, seconds of video a second", _faster, Target(1.0), unit="", section="in detail"),
)
