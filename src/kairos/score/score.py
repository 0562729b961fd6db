"""The protocol of every score, and how predictions meet their labels."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kairos.errors import TimelineError
from kairos.timeline import Answer, Timeline

__all__ = ["Given", "Score", "pairs"]

Given = Timeline | Answer
"""A whole timeline of answers, or one answer: a benchmark scores the first, a reward the second."""


@runtime_checkable
class Score(Protocol):
    """A pure function of (prediction, reference): equal arguments give equal values, nothing is kept.

    Every value is finite. A name is missing where the references hold nothing that it could be measured on (no present
    query, no fired moment): a missing value is never replaced by 0 or NaN.
    """

    def score(self, pred: Given, ref: Given) -> dict[str, float]: ...


def pairs(pred: Given, ref: Given) -> list[tuple[Answer, Answer]]:
    """Every reference answer with the prediction to the same kind and query.

    A reference without a prediction is paired with one that says nothing, so leaving the hard ones out never pays;
    predictions without a reference do not count. Raises TimelineError for two different predictions to one query.
    """
    said: dict[tuple[str, str], Answer] = {}
    for answer in _answers(pred):
        key = (answer.kind, answer.query)
        if said.setdefault(key, answer) != answer:
            raise TimelineError(
                f"two predictions for {answer.kind} {answer.query!r}", hint="keep one of them"
            )
    return [
        (said.get((label.kind, label.query)) or Answer(label.kind, label.query), label)
        for label in _answers(ref)
    ]


def _answers(given: Given) -> tuple[Answer, ...]:
    return (given,) if isinstance(given, Answer) else given.answers
