"""Multiple choice, counts and yes/no: accuracy as each benchmark averages it, read officially or strictly.

`official` reads a reply as the benchmark's own script does; `strict` takes only a reply without doubt. Both report the share
of replies that could not be read, which count as wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.question_sets import SETS
from kairos.bench.questions import Question, questions, replies
from kairos.errors import OptionError
from kairos.score.choices import (
    Reading,
    by_first_letter,
    by_first_word,
    by_last_candidate,
    by_letter_within,
    by_opening,
    strictly,
)
from kairos.score.quantity import Mean, Quantity
from kairos.timeline.checks import FloatArray

if TYPE_CHECKING:
    from kairos.bench.protocols.scoring import Scoring

__all__ = ["PROTOCOLS", "asked", "parts", "read_replies"]

Pairs = Sequence[Pair[Question, str]]
UNREAD = "unread"


def read_replies(pairs: Pairs, reading: Reading) -> tuple[FloatArray, FloatArray]:
    """Whether each reply is right, and whether it could not be read: (n,) and (n,) of 0 and 1."""
    found = [reading(pair.pred, pair.ref.asked) for pair in pairs]
    right = np.array([bool(one) for one in found], np.float64)
    return right, np.array([one is None for one in found], np.float64)


def parts(
    name: str, right: FloatArray, groups: Sequence[str | None], *, detail: bool = False
) -> list[Quantity]:
    """The accuracy of each group of one kind, in the order in which they come; items of no group do not count."""
    kinds = dict.fromkeys(group for group in groups if group is not None)
    return [
        Mean(kind, section=name, detail=detail, values=np.where([g == kind for g in groups], right, np.nan))
        for kind in kinds
    ]


def asked(scoring: Scoring, way: str) -> list[dict[str, Any]]:
    """The questions with their replies, as `kairos.bench.harness` writes them. Raises OptionError for a task without options."""
    found = []
    for pair, row in zip(scoring.matched.pairs, scoring.rows(way), strict=True):
        if not isinstance(pair.ref, Question) or not isinstance(pair.pred, str):
            raise OptionError(
                f"{scoring.matched.protocol.name} is no set of questions with one reply each",
                option="task",
                hint="the harnesses' files hold questions and replies",
            )
        question: Question = pair.ref
        found.append(
            {
                "id": pair.id,
                "video": pair.video,
                "question": question.words,
                "options": list(question.asked.options),
                "answer": question.asked.answer,
                "raw_output": pair.pred,
                "scores": row["scores"],
            }
        )
    return found


@dataclass(frozen=True)
class _Accuracy:
    """The mean over questions; with `over`, the mean over that group's means. `by` are the groups told one by one."""

    reading: Reading
    name: str = "Accuracy"
    over: str | None = None
    by: tuple[str, ...] = ()

    def __call__(self, pairs: Pairs, strict: bool) -> Scored:
        right, unread = read_replies(pairs, strictly if strict else self.reading)
        groups: tuple[list[str], ...] = ()
        if self.over:
            groups = ([pair.ref.groups.get(self.over, "") for pair in pairs],)
        found: list[Quantity] = [
            Mean(self.name, values=right, groups=groups),
            Mean(UNREAD, values=unread),
        ]
        for name in self.by:
            found += parts(name, right, [pair.ref.groups.get(name) for pair in pairs])
        return Scored(tuple(found))


def _lvbench(pairs: Pairs, strict: bool) -> Scored:
    """A question has several kinds, and counts for each."""
    right, unread = read_replies(pairs, strictly if strict else by_first_letter)
    found: list[Quantity] = [Mean("Accuracy", values=right), Mean(UNREAD, values=unread)]
    for kind in dict.fromkeys(kind for pair in pairs for kind in pair.ref.groups):
        found += parts("question_type", right, [kind if kind in pair.ref.groups else None for pair in pairs])
    return Scored(tuple(found))


def _ovo(pairs: Pairs, strict: bool) -> Scored:
    """The mean of three modes, of each the mean of its tasks."""
    right, unread = read_replies(pairs, strictly if strict else by_letter_within)
    tasks = [pair.ref.groups["task"] for pair in pairs]
    modes = [pair.ref.groups["mode"] for pair in pairs]
    found = parts("tasks", right, tasks)
    for mode in dict.fromkeys(modes):
        of_mode = np.where([one == mode for one in modes], right, np.nan)
        found.append(Mean(f"{mode} Avg.", values=of_mode, groups=(tasks,)))
    found.append(Mean("Total Avg.", values=right, groups=(tasks, modes)))
    return Scored((*found, Mean(UNREAD, values=unread)))


def _tempcompass(pairs: Pairs, strict: bool) -> Scored:
    """Questions of every dimension count alike. `match_success_rate` is the share of replies read without a judge."""
    right, unread = read_replies(pairs, strictly if strict else by_opening)
    found = parts("aspect", right, [pair.ref.groups["dimension"] for pair in pairs])
    found += parts("fine aspect", right, [pair.ref.groups.get("type") for pair in pairs])
    found += [Mean("avg", values=right), Mean("match_success_rate", values=1.0 - unread)]
    notes = (
        ["what no rule reads is wrong here; the official script asks a language model"]
        if unread.any()
        else []
    )
    return Scored(tuple(found), tuple(notes))


def _protocol(name: str, score: Any, *, needs_ref: bool = True) -> Protocol[Question, str]:
    of = SETS[name]

    def read(source: Source) -> Entries[Question]:
        return questions(of, source)

    def said(source: Source, refs: Entries[Question]) -> Entries[str]:
        return replies(of, source, refs)

    return Protocol(
        name=name,
        title=of.title,
        refs=read,
        preds=said,
        nothing=lambda ref: "",
        score=score,
        needs_ref=needs_ref,
    )


PROTOCOLS: dict[str, Protocol[Question, str]] = {
    protocol.name: protocol
    for protocol in (
        _protocol(
            "video-mme",
            _Accuracy(by_first_letter, "Overall", by=("duration", "domain", "task_type")),
            needs_ref=False,
        ),
        _protocol("mvbench", _Accuracy(by_first_word, "Avg", over="task", by=("task",))),
        _protocol("mlvu", _Accuracy(by_first_word, "M-Avg", over="task", by=("task",))),
        _protocol("longvideobench", _Accuracy(by_last_candidate, by=("duration_group", "question_category"))),
        _protocol("lvbench", _lvbench),
        _protocol("egoschema", _Accuracy(by_first_letter)),
        _protocol("ovo-bench", _ovo, needs_ref=False),
        _protocol(
            "streamingbench", _Accuracy(by_first_letter, "Overall", by=("task_type",)), needs_ref=False
        ),
        _protocol("tempcompass", _tempcompass, needs_ref=False),
    )
}
