"""Answers with the moment that proves them: NExT-GQA and ReXTime.

- nextgqa: NExT-GQA's eval_ground.py (Xiao et al., 2024). References {"VIDEO": {"location": {"QID": [[s, e], ...]}}};
  predictions {"VIDEO_QID": [s, e]}, and in a second --pred file {"VIDEO_QID": {"answer": 2, "prediction": 2}}. IoP is what is
  shared over the length of the prediction. The script leaves missing predictions out: that is --missing skip.
- rextime: rextime_eval.py (Chen et al., 2024). {"qid", "pred_relevant_windows", "ans"}, of which either may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import Windows, length, windows
from kairos.score.quantity import Mean, Quantity
from kairos.score.retrieval import R1_THRESHOLDS, retrieval

__all__ = ["PROTOCOLS"]


@dataclass(frozen=True)
class Question:
    """A question with the moments that prove its answer; `answer` where the file of references has it."""

    video: str
    spans: Windows
    answer: str | None = None


@dataclass(frozen=True)
class Reply:
    """What was said: windows (None: not asked for), and whether, or with which letter, it was answered."""

    windows: Windows | None = None
    answer: str | None = None
    right: bool | None = None


# NExT-GQA ------------------------------------------------------------------------------------------------------------


def _gqa_refs(source: Source) -> Entries[Question]:
    entries: Entries[Question] = Entries()
    for video, entry in source.mapping().items():
        located = entry.get("location") if isinstance(entry, dict) else None
        if not isinstance(located, dict):
            source.problem(video, "must be an object with location and duration")
            continue
        video_s = length(source, video, entry.get("duration"))
        for qid, spans in located.items():
            place = f"{video}.location.{qid}"
            found = windows(source, place, spans, video_s, what="location")
            entries.put(source, place, f"{video}_{qid}", Question(video, found) if found else None)
    return entries


def _gqa_preds(source: Source, refs: Entries[Question]) -> Entries[Reply]:
    said: dict[str, Reply | None] = {}
    for one in source.beside:
        for key, value in one.mapping().items():
            known = said.get(key, Reply())
            found = _gqa_reply(one, key, value)
            if known is None or found is None:
                said[key] = None
            elif found.windows is not None and known.windows is not None:
                one.problem(key, "is grounded twice")
            else:
                said[key] = replace(
                    found,
                    windows=known.windows if found.windows is None else found.windows,
                    right=known.right if found.right is None else found.right,
                )
    entries: Entries[Reply] = Entries()
    for key, reply in said.items():
        if reply is not None and reply.windows is None:
            if key in refs:
                source.problem(key, "is answered but not grounded")
            reply = None
        if reply is not None or key in refs:  # answers to questions that are not grounded are no concern here
            entries.put(source, key, key, reply)
    return entries


def _gqa_reply(source: Source, key: str, value: Any) -> Reply | None:
    """[s, e], or {"answer": ..., "prediction": ...}, or both in one object as "span"; null: nothing was found."""
    span = value.get("span") if isinstance(value, dict) else value
    if value is None:
        return Reply([])
    right = None
    if isinstance(value, dict):
        if not {"answer", "prediction"} <= set(value) and span is None:
            source.problem(key, "must be [start, end], or an object with answer and prediction")
            return None
        if {"answer", "prediction"} <= set(value):
            right = value["answer"] == value["prediction"]
    if span is None and isinstance(value, dict):
        return Reply(right=right)
    found = windows(source, key, [span], None, what="the span")
    return None if found is None else Reply(found, right=right)


def _gqa(pairs: Sequence[Pair[Question, Reply]], strict: bool) -> Scored:
    iou, iop = np.zeros(len(pairs)), np.zeros(len(pairs))
    for k, pair in enumerate(pairs):
        if not pair.pred.windows:
            continue
        start, end, _ = pair.pred.windows[0]
        truth = np.array(pair.ref.spans)[:, :2]
        if start == end:
            inside = bool(((truth[:, 0] <= start) & (start <= truth[:, 1])).any())
            iop[k] = float(
                inside and not strict
            )  # an instant is no moment, though the script gives it all of IoP
            continue
        shared = np.minimum(truth[:, 1], end) - np.maximum(truth[:, 0], start)
        hull = np.maximum(truth[:, 1], end) - np.minimum(truth[:, 0], start)
        iou[k], iop[k] = max(0.0, (shared / hull).max()), max(0.0, (shared / (end - start)).max())
    quantities: list[Quantity] = []
    if any(pair.pred.right is not None for pair in pairs):
        right = np.array([bool(pair.pred.right) for pair in pairs])
        quantities.append(Mean("Acc@GQA", values=(right & (iop >= 0.5)).astype(np.float64), digits=1))
        quantities.append(Mean("Acc@QA", values=right.astype(np.float64), digits=1))
    for name, at, values in (("mIoP", "TIoP", iop), ("mIoU", "TIoU", iou)):
        quantities.append(Mean(name, values=values, digits=1))
        for t in (0.3, 0.5):
            quantities.append(Mean(f"{at}@{t:g}", values=(values >= t).astype(np.float64), digits=1))
    return Scored(tuple(quantities))


# ReXTime -------------------------------------------------------------------------------------------------------------


def _rextime_refs(source: Source) -> Entries[Question]:
    entries: Entries[Question] = Entries()
    for place, row in source.rows():
        video_s = length(source, place, row.get("duration"))
        video = source.found.words(place, row.get("vid"), "vid")
        answer = source.found.words(place, row.get("ans"), "ans")
        found = windows(source, place, row.get("relevant_windows"), video_s, what="relevant_windows")
        value = Question(video, found, answer) if video and answer and found else None
        if found == []:
            source.problem(place, "relevant_windows is empty")
        entries.put(source, place, row.get("qid"), value)
    return entries


def _rextime_preds(source: Source, refs: Entries[Question]) -> Entries[Reply]:
    entries: Entries[Reply] = Entries()
    rows = source.rows()
    fields = [f for f in ("pred_relevant_windows", "ans") if any(f in row for _, row in rows)]
    if rows and not fields:
        source.problem("the file", "has neither pred_relevant_windows nor ans")
    for place, row in rows:
        before = len(source.found.problems)
        spans = answer = None
        if "pred_relevant_windows" in fields:
            given = row.get("pred_relevant_windows")
            spans = windows(source, place, given, None, what="pred_relevant_windows")
        if "ans" in fields:
            answer = row.get("ans")
            if not isinstance(answer, str):
                source.problem(place, f"ans must be a letter, not {answer!r:.40}")
        right = len(source.found.problems) == before
        entries.put(source, place, row.get("qid"), Reply(spans, answer) if right else None)
    return entries


def _rextime(pairs: Sequence[Pair[Question, Reply]], strict: bool) -> Scored:
    quantities: list[Quantity] = []
    located = any(pair.pred.windows is not None for pair in pairs)
    answered = any(pair.pred.answer is not None for pair in pairs)
    right = np.array([pair.pred.answer == pair.ref.answer for pair in pairs])
    if located:
        spans = [[w[:2] for w in pair.ref.spans] for pair in pairs]
        found = retrieval([pair.pred.windows or [] for pair in pairs], spans, strict)
        quantities.append(Mean("MR-mIoU", values=found["miou"]))
        for t in R1_THRESHOLDS:
            quantities.append(Mean(f"MR-R1@{t:g}", values=found[f"r1_{t:g}"], detail=t not in (0.3, 0.5)))
    if answered:
        quantities.append(Mean("vqa_acc", values=right.astype(np.float64)))
    if located and answered:
        for t in (0.3, 0.5, 0.7):
            both = right & (found["miou"] >= t)
            quantities.append(Mean(f"VQA,mIoU@{t:g}", values=both.astype(np.float64), detail=t != 0.5))
    return Scored(tuple(quantities))


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "nextgqa": Protocol(
        "nextgqa", "NExT-GQA", _gqa_refs, _gqa_preds, lambda ref: Reply([], right=False), _gqa
    ),
    "rextime": Protocol("rextime", "ReXTime", _rextime_refs, _rextime_preds, lambda ref: Reply(), _rextime),
}
