"""The gates of the world: what can be scored without looking and listening. A world that leaks measures nothing.

No model takes part. The scenes are those that `kairos bench embedded` renders; the reader of words is fitted on scenes of the
training split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kairos.bench import Progress
from kairos.bench.blind import fit
from kairos.bench.oracle import blind_to_event, blind_to_object, expected_hit, understand
from kairos.bench.report import Measure, Report, Target, command
from kairos.score import auc, interval, mean_interval
from kairos.timeline.intervals import iou_matrix
from kairos.world.language import ANSWER_KINDS, Query
from kairos.world.sampling import sample_scene
from kairos.world.scene import Scene

__all__ = ["Asked", "asked", "best_constant", "constant", "gates", "run"]

COUNT, TRAINING_SCENES = 500, 2000
BALANCED = ("yes_no", "heard", "how_long", "count")
"""Kinds of question whose answers are drawn evenly where the scene allows; the others follow what happens in the world."""

CONSTANT, BLIND, ANSWERS = (Target(x, at_most=True) for x in (0.15, 0.60, 0.35))
NEAR_CHANCE = 0.10
"""So far above the commonest answer the reader of words may come on a balanced kind; `count` knows that few things repeat."""

Asked = tuple[Scene, Query]


def run(
    *, model: Any = None, out: Any = None, count: int | None, seed: int, dry_run: bool, progress: Progress
) -> Report:
    """The report of `count` test scenes (500 if None), the reader of words fitted on four times as many."""
    count = COUNT if count is None else count
    training = TRAINING_SCENES * count // COUNT if count < COUNT else TRAINING_SCENES
    again = command("world", count=count, seed=seed)
    facts = {"scenes": count, "training scenes": training, "seed": seed}
    title = "The world's gates"
    if dry_run:
        return Report("world", title, facts=facts, command=again)
    test = asked("test", count, seed, progress, "test scenes")
    train = asked("train", training, seed, progress, "training scenes")
    notes = (
        "the best constant span is chosen on training queries; `something` asks for any of several moments",
        "gate: detectors know the kind of event (or the object) and nothing else, and pick evenly among what fits; "
        "told every other word too (ordinals, sounds, partners), they may score more",
        f"near chance: at most {NEAR_CHANCE * 100:.0f} points above the commonest answer",
    )
    report = Report("world", title, tuple(gates(test, train)), facts, notes, again)
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        report.save(Path(out))
    return report


def asked(split: str, count: int, seed: int, progress: Progress | None = None, what: str = "") -> list[Asked]:
    """What the labels of a split's first `count` files ask, with the scenes."""
    from kairos.world.files import queries

    result: list[Asked] = []
    for k in range(count):
        scene = sample_scene(seed * 1_000_000 + k, split)
        result += [(scene, query) for query in queries(scene) if query.kind != "caption"]
        if progress is not None:
            progress(k + 1, count, what)
    return result


def gates(test: Sequence[Asked], train: Sequence[Asked]) -> Iterator[Measure]:
    """Every gate with its limit, and beside them what explains them."""
    yield from _grounding(test, train)
    yield from _answers(test, train)
    yield from _absence(test, train)


def _grounding(test: Sequence[Asked], train: Sequence[Asked]) -> Iterator[Measure]:
    section = "grounding, R@1 IoU 0.5"
    for name, of in (("visual", "visual"), ("sound", "sound"), ("something", "something")):
        own, known = _grounded(test, of), _grounded(train, of)
        target = None if of == "something" else CONSTANT
        yield from _share(
            f"best constant span: {name} queries", best_constant(known, own), own, section, target
        )
    visual = _grounded(test, "visual")
    readings = {
        "given the events, blind to the object": blind_to_object,
        "given the events, blind to the event type": blind_to_event,
    }
    taken = [(s, q, understand(q.query)) for s, q in visual]
    for every_word in (False, True):
        for name, detector in readings.items():
            hits = np.array(
                [expected_hit(detector(s, said, every_word), q) if said else 0.0 for s, q, said in taken]
            )
            more = ", every other word used" if every_word else ""
            yield from _share(name + more, hits, visual, section, None if every_word else BLIND)
            for tag in ("hard", "plain", "ordinal", "relative", "bound"):
                index = [k for k, (_, q) in enumerate(visual) if tag in q.tags]
                yield from _share(
                    f"{name}{more}: {tag}",
                    hits[index],
                    [visual[k] for k in index],
                    "by tag, R@1 IoU 0.5",
                    None,
                )


def _grounded(rows: Sequence[Asked], tag: str) -> list[Asked]:
    return [(s, q) for s, q in rows if q.kind == "ground" and q.present and tag in q.tags]


def _answers(test: Sequence[Asked], train: Sequence[Asked]) -> Iterator[Measure]:
    section = "answers from the question's words alone"
    rows, right = [], []
    kinds = []
    for kind in ANSWER_KINDS:
        known = [q for _, q in train if q.kind == "ask" and q.tags[0] == kind]
        own = [(s, q) for s, q in test if q.kind == "ask" and q.tags[0] == kind]
        if not known or not own:
            continue
        said = fit([q.query for q in known], [q.text for q in known]).predict([q.query for _, q in own])
        hits = [text == q.text for text, (_, q) in zip(said, own, strict=True)]
        common = Counter(q.text for _, q in own).most_common(1)[0][1] / len(own)
        target = Target(min(common + NEAR_CHANCE, 1.0), at_most=True) if kind in BALANCED else None
        kinds += [
            *_share(kind, hits, own, section, target),
            Measure(f"{kind}: the commonest answer", GROUP, common, section=section),
        ]
        rows += own
        right += hits
    yield from _share("all kinds", right, rows, section, ANSWERS)
    yield from kinds


def _absence(test: Sequence[Asked], train: Sequence[Asked]) -> Iterator[Measure]:
    known = [q for _, q in train if q.kind == "ground"]
    own = [(s, q) for s, q in test if q.kind == "ground"]
    if len({q.present for q in known}) < 2 or len({q.present for _, q in own}) < 2:
        return
    reader = fit([q.query for q in known], ["present" if q.present else "absent" for q in known])
    values = reader.probabilities([q.query for _, q in own])[:, reader.classes.index("absent")]
    absent = np.array([not q.present for _, q in own])

    def statistic(index: np.ndarray) -> float | None:
        return auc(values[index], absent[index]) if 0 < absent[index].sum() < len(index) else None

    found = interval(statistic, [s.seed for s, _ in own], rounds=100)
    section = "absence from the query's words alone"
    measure = Measure.of("AUC, all grounding queries", GROUP, found, unit="", digits=3, section=section)
    if measure is not None:
        yield measure


GROUP = "test scenes"


def _share(
    name: str, hits: Sequence[float] | np.ndarray, rows: Sequence[Asked], section: str, target: Target | None
) -> Iterator[Measure]:
    found = mean_interval(np.asarray(hits, float), [s.seed for s, _ in rows])
    measure = Measure.of(name, GROUP, found, target=target, section=section)
    if measure is not None:
        yield measure


def best_constant(fitted: Sequence[Asked], rows: Sequence[Asked]) -> np.ndarray:
    """Hits (n,) on `rows` of the one span that, said to every `fitted` query alike, meets most."""
    (seconds, met), (share, met_by_share) = constant(fitted), constant(fitted, relative=True)
    relative = met_by_share > met
    span = np.array([share if relative else seconds])
    return np.array([_meets(span * (s.duration if relative else 1.0), q)[0] for s, q in rows], bool)


def constant(fitted: Sequence[Asked], relative: bool = False) -> tuple[tuple[float, float], float]:
    """The span that meets most of the queries, in seconds (or in shares of each clip), and the share that it meets."""
    length = 1.0 if relative else max((s.duration for s, _ in fitted), default=1.0)
    ticks = np.linspace(0.0, length, 81)
    start, end = np.meshgrid(ticks, ticks, indexing="ij")
    keep = (end > start) & (end - start <= length / 2)
    spans = np.stack([start[keep], end[keep]], axis=1)
    met = np.zeros(len(spans))
    for scene, query in fitted:
        met += _meets(spans * (scene.duration if relative else 1.0), query)
    best = int(met.argmax())
    return (float(spans[best, 0]), float(spans[best, 1])), float(met[best] / max(len(fitted), 1))


def _meets(spans: np.ndarray, query: Query, threshold: float = 0.5) -> np.ndarray:
    meets: np.ndarray = iou_matrix(spans, query.moments).max(1) >= threshold
    return meets
