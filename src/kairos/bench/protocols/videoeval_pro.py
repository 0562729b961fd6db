"""VideoEval-Pro (Ma et al., 2025): open questions about long videos, and the same with options.

A line is a question of the data set with the model's replies: `textqa_answer` with `textqa_judge`, what a judge said of it (true
or false, or its grade), and `mcq_answer`. A judge is asked before, by the official script or another; what was not judged is
not scored as an open answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.protocols.choices import parts, read_replies
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.question_sets import SETS
from kairos.bench.questions import Fields, Question, questions, stem
from kairos.score.choices import by_first_alphabetic, strictly
from kairos.score.quantity import Mean, Quantity

__all__ = ["PROTOCOLS"]

SET = SETS["videoeval-pro"]
GRADES = {"a": True, "correct": True, "b": False, "incorrect": False, "c": False, "not_attempted": False}
"""What the judge may reply: the official prompt asks for a letter."""
KINDS = ("qa_type", "qa_subtype", "source")


@dataclass(frozen=True)
class Replies:
    """What was judged of the open answer (a failure of the judge is None, as is none), and the reply to the options."""

    judged: bool | None
    failed: bool
    choice: str | None


def _predictions(source: Source, refs: Entries[Question]) -> Entries[Replies]:
    """The script writes lines in the order in which they were judged: they are known by video and question."""
    found: Entries[Replies] = Entries()
    names: dict[tuple[str, str], list[str]] = {}
    for name, question in refs.items():
        names.setdefault((stem(question.video), question.words), []).append(name)
    for place, name, fields in SET.walk(source):
        asked = stem(str(fields.get("video", ""))), str(fields.get("question", "")).strip()
        name = names[asked].pop(0) if names.get(asked) else name
        judged, failed, good = _judgement(fields)
        if not good:
            source.problem(
                place, f"textqa_judge must be true, false or a grade, not {fields['textqa_judge']!r:.60}"
            )
        choice = fields.get("mcq_answer")
        if judged is None and not failed and good and not isinstance(choice, str):
            source.problem(place, "needs textqa_judge or mcq_answer")
            good = False
        value = Replies(judged, failed, choice if isinstance(choice, str) else None)
        found.put(source, place, name, value if good else None)
    return found


def _judgement(fields: Fields) -> tuple[bool | None, bool, bool]:
    """What was judged, whether the judge failed, and whether that is one of the forms."""
    given: Any = fields.get("textqa_judge")
    if given is None or isinstance(given, bool):
        return given, False, True
    if isinstance(given, dict):  # the official script's record of a judge that could not be reached
        return None, True, True
    grade = str(given).strip().casefold().replace(" ", "_")
    return GRADES.get(grade), False, grade in GRADES


def _score(pairs: Sequence[Pair[Question, Replies]], strict: bool) -> Scored:
    """The share of open answers judged correct, and of options chosen right. Officially a judge that failed has said yes."""
    judged = np.array([np.nan if p.pred.judged is None else float(p.pred.judged) for p in pairs])
    failed = np.array([p.pred.failed for p in pairs])
    if not strict:
        judged = np.where(failed, 1.0, judged)
    said = [Pair(p.id, p.video, p.ref, p.pred.choice or "") for p in pairs]
    right, unread = read_replies(said, strictly if strict else by_first_alphabetic)
    there = np.array([p.pred.choice is not None for p in pairs])
    found: list[Quantity] = []
    if not np.isnan(judged).all():
        found.append(Mean("Open-ended", values=judged))
    if there.any():
        found.append(Mean("Multiple choice", values=np.where(there, right, np.nan)))
        found.append(Mean("unread", values=np.where(there, unread, np.nan)))
    for kind in KINDS:
        groups = [p.ref.groups.get(kind) for p in pairs]
        found += [] if np.isnan(judged).all() else parts(kind, judged, groups, detail=kind != "qa_type")
    notes = []
    alone = int((np.isnan(judged) & ~failed).sum())
    if alone:
        notes.append(f"{alone} open answers were not judged, and do not count")
    if failed.any():
        notes.append(
            f"of {int(failed.sum())} the judge failed; they {'do not count' if strict else 'count as correct'}"
        )
    return Scored(tuple(found), tuple(notes))


PROTOCOLS: dict[str, Protocol[Question, Replies]] = {
    "videoeval-pro": Protocol(
        name="videoeval-pro",
        title="VideoEval-Pro: open-ended and multiple choice",
        refs=lambda source: questions(SET, source),
        preds=_predictions,
        nothing=lambda ref: Replies(False, False, ""),
        score=_score,
        needs_ref=False,
    )
}
