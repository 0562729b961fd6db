"""Answers in words: exact match after normalisation, for all questions and for each kind of them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from kairos.score.abstention import is_absent
from kairos.score.score import Given, pairs
from kairos.timeline import Answer

__all__ = ["AnswerScore", "is_right", "normal"]


@dataclass(frozen=True)
class AnswerScore:
    """Accuracy over the `ask` references (micro), of each kind, and the mean of the kinds (macro); all in [0, 1].

    `kinds` are the tags that name a kind of question; where given, references of none of them do not count.
    """

    kinds: tuple[str, ...] = ()

    def score(self, pred: Given, ref: Given) -> dict[str, float]:
        asked = [(p, r) for p, r in pairs(pred, ref) if r.kind == "ask"]
        if self.kinds:
            asked = [(p, r) for p, r in asked if not set(self.kinds).isdisjoint(r.tags)]
        if not asked:
            return {}
        right = [is_right(p, r) for p, r in asked]
        result = {"accuracy": float(np.mean(right))}
        for kind in self.kinds:
            own = [ok for ok, (_, r) in zip(right, asked, strict=True) if kind in r.tags]
            if own:
                result[f"accuracy_{kind}"] = float(np.mean(own))
        of_kinds = [value for name, value in result.items() if name != "accuracy"]
        return {**result, "accuracy_macro": float(np.mean(of_kinds))} if of_kinds else result


def is_right(pred: Answer, ref: Answer) -> bool:
    """Whether the words are the reference's, or the prediction abstains where it should; abstaining elsewhere is wrong."""
    if is_absent(ref):
        return pred.abstained
    return not pred.abstained and normal(pred.text) == normal(ref.text)


def normal(text: str) -> str:
    """Text as it is compared: lower case, every punctuation mark a blank, blanks single, none at the ends."""
    letters = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(" " if unicodedata.category(c)[0] in "PZC" else c for c in letters).split())
