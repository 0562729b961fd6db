"""A model on clips of the world, from mp4 files through the whole pipeline: decode, resize, log-mel, towers, answers.

Beside it stand what needs no watching: the same model shown one still frame, a reader of the questions' words alone, and
the best constant span. The work is resumable: clips that this very model has answered are not answered again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos.bench import Progress, models
from kairos.bench.blind import fit
from kairos.bench.clips import Clip, Still, answers_about, rendered
from kairos.bench.predictions import Predictions
from kairos.bench.report import Measure, Report, command
from kairos.bench.table import SEEN, Item, measures, row
from kairos.score import pairs
from kairos.timeline import Answer, Moment, Timeline
from kairos.world.language import ANSWER_KINDS

if TYPE_CHECKING:
    from kairos.tasks.protocol import Model
    from kairos.video import Video

__all__ = ["SPLITS", "run"]

SPLITS = ("test", "composition")
COUNT, STILL_COUNT, TRAINING_SCENES = 500, 100, 2000
WATCHING, STILL, BLIND = "whole video", "one still frame", "words or one guess"
UNWATCHED = "what needs no watching (seen compositions)"
_ANSWERS = ("answers, all kinds", "answers, yes/no")
_BY_EYE = (
    "visual grounding, R@1 IoU 0.5",
    "sound grounding, R@1 IoU 0.5",
    *_ANSWERS,
    "not in the video, AUC",
)


def run(*, model: Any, out: Any, count: int | None, seed: int, dry_run: bool, progress: Progress) -> Report:
    """The table of `count` clips a split (500 if None), of which at most 100 are shown as one still frame too.

    `out` (runs/bench-embedded if None) keeps clips and predictions between runs, and gets table.md and report.json.
    """
    count = COUNT if count is None else count
    still = min(count, STILL_COUNT)
    folder = Path(out) if out is not None else Path("runs") / "bench-embedded"
    again = command("embedded", count=count, seed=seed, model=model)
    facts: dict[str, Any] = {"clips a split": count, "clips shown as one still frame": still, "seed": seed}
    title = "The embedded model, from files"
    if dry_run:
        facts |= {"splits": ", ".join(SPLITS), "out": os.fspath(folder)}
        facts["clips there already"] = sum(
            1 for split in SPLITS for _ in (folder / split).glob(f"{split}-{seed}-*.mp4")
        )
        return Report("embedded", title, facts=facts, command=again)

    loaded, of = models.load(model)
    clips = [clip for split in SPLITS for clip in rendered(split, count, seed, folder, progress)]
    began = time.perf_counter()
    whole = answered(loaded, of, clips, folder / "predictions.jsonl", progress, "answering")
    taken = time.perf_counter() - began
    shown = [clip for clip in clips if clip.split == "test"][:still]
    frozen = answered(
        loaded, of, shown, folder / "still.jsonl", progress, "answering from one frame", still=True
    )
    items = paired(whole)
    unwatched = _unwatched(items, paired(frozen), seed, min(TRAINING_SCENES, 4 * count + 50), progress)
    facts |= {"model": loaded.name, "hash": of, "queries": len(items)}
    notes = [f"{taken / 60:.0f} minutes of answering in this run"] if taken > 60 else []
    unknown = sorted({word for item in items for word in item.pred.unknown_words})
    if unknown:
        notes.append(f"words that the model does not know: {', '.join(unknown)}")
    notes.append("intervals: 95 %, bootstrap over clips; floors are compared with the value")
    report = Report("embedded", title, (*measures(items), *unwatched), facts, tuple(notes), again)
    report.save(folder)
    return report


def answered(
    model: Model,
    of: str,
    clips: Sequence[Clip],
    path: Path,
    progress: Progress,
    what: str,
    *,
    still: bool = False,
) -> list[tuple[Clip, list[Answer]]]:
    """Every clip with the model's answers, those that the file holds already and the rest; `of` is the model's hash."""
    from kairos.video import open as open_video

    keys = [(clip.name, clip.id, of) for clip in clips]
    kept = Predictions(path, keys)
    left = sum(key not in kept for key in keys)
    for clip, key in zip(clips, keys, strict=True):
        if key in kept:
            continue
        with open_video(clip.path) as opened:
            video: Video = Still(opened) if still else opened
            kept.add(key, answers_about(model, video, clip.labels))
        left -= 1
        progress(len(clips) - left, len(clips), what)
    return [(clip, kept.of(key)) for clip, key in zip(clips, keys, strict=True)]


def paired(found: Sequence[tuple[Clip, list[Answer]]]) -> list[Item]:
    """Predictions beside their labels."""
    return [
        Item(clip.name, clip.split, pred, ref)
        for clip, answers in found
        for pred, ref in pairs(Timeline(answers), Timeline(clip.labels))
    ]


def _unwatched(
    items: Sequence[Item], frozen: Sequence[Item], seed: int, training: int, progress: Progress
) -> Iterator[Measure]:
    """The same clips seen whole, as one still frame, and not at all."""
    clips = {item.clip for item in frozen}
    whole = [item for item in items if item.clip in clips]
    names = [(name, "") for name in _BY_EYE] + [
        (kind, "answers by kind") for kind in ANSWER_KINDS if kind != "yes_no"
    ]
    words = _words_alone(whole, seed, training, progress)
    for name, section in names:
        of = replace(row(name, section), targets={}, section=UNWATCHED)
        for group, some in ((WATCHING, whole), (STILL, frozen), (BLIND, words)):
            yield from (replace(m, group=group) for m in of.measures(some, (SEEN,)))


def _words_alone(items: Sequence[Item], seed: int, training: int, progress: Progress) -> list[Item]:
    """Answers, presence and spans that were told without the video, fitted on scenes of the training split."""
    from kairos.bench.world import asked, constant

    known = asked("train", training, seed, progress, "training scenes")
    result: list[Item] = []
    for kind in ANSWER_KINDS:
        mine = [item for item in items if item.ref.kind == "ask" and kind in item.ref.tags[:1]]
        seen = [q for _, q in known if q.kind == "ask" and q.tags[0] == kind]
        if mine and seen:
            said = fit([q.query for q in seen], [q.text for q in seen]).predict(
                [item.ref.query for item in mine]
            )
            result += [_with(item, text=text) for item, text in zip(mine, said, strict=True)]
    grounded = [item for item in items if item.ref.kind == "ground"]
    seen = [q for _, q in known if q.kind == "ground"]
    reader = fit([q.query for q in seen], ["present" if q.present else "absent" for q in seen])
    here = reader.probabilities([item.ref.query for item in grounded])[
        :, reader.classes.index("present")
    ].tolist()
    span = Moment(*constant([(s, q) for s, q in known if q.kind == "ground" and q.present])[0])
    return result + [
        _with(item, moments=(span,), confidence=min(max(p, 0.0), 1.0))
        for item, p in zip(grounded, here, strict=True)
    ]


def _with(item: Item, **said: Any) -> Item:
    return replace(item, pred=Answer(item.ref.kind, item.ref.query, **said))
