"""How alike two sentences are: CIDEr-D, BLEU and ROUGE-L as the COCO caption tools compute them, on tokens. Numpy only.

A sentence is its tokens joined by single blanks. `tokens` makes them as those tools do (Penn Treebank, lower case, without
punctuation) without Java; it agrees with them on plain English sentences. Those tools mean to drop brackets too, but look for
them in upper case and keep them, as words like -lrb-: `BRACKETS` are what is left to drop.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from kairos.errors import TimelineError
from kairos.timeline.checks import FloatArray

__all__ = ["BRACKETS", "ORDER", "PUNCTUATION", "bleu", "cider", "rouge_l", "tokens"]

ORDER = 4
"""The longest n-grams that count."""
SIGMA = 6.0
"""CIDEr-D's tolerance of a different length, in tokens."""
BETA = 1.2
"""ROUGE-L's weight of recall."""
TINY, SMALL = 1e-15, 1e-9
"""What the COCO tools add to BLEU's counts."""

PUNCTUATION = frozenset("'' ' `` ` . ? ! , : - -- ... ;".split(" "))  # noqa: SIM905
_TREEBANK = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
BRACKETS = frozenset(_TREEBANK.values())
_TOKEN = re.compile(r"\w+(?:[-/&.]\w+)*|'\w+|[^\w\s]", re.UNICODE)
_SHORT = re.compile(r"(?<=\w)('(?:s|m|d|re|ve|ll)|n't)\b")

Gram = tuple[str, ...]


def tokens(text: str) -> str:
    """The sentence as its tokens: "Don't stop, he's here." becomes "do n't stop he 's here"."""
    low = " ".join(text.lower().replace("\u2019", "'").split())
    split = re.sub(r"\bcannot\b", "can not", _SHORT.sub(r" \1", low))
    found = [word for part in split.split() for word in ([part] if part == "n't" else _TOKEN.findall(part))]
    return " ".join(_TREEBANK.get(word, word) for word in found if word not in PUNCTUATION and word != '"')


def cider(
    pred: Sequence[str], refs: Sequence[Sequence[str]], *, corpus: Sequence[Sequence[str]] | None = None
) -> FloatArray:
    """CIDEr-D of each sentence with its references, (n,); 0 to 10 (Vedantam et al., 2015). The field prints the mean.

    How telling an n-gram is comes from the references of `corpus` (as lists of references), which are `refs` if left out: with
    one item only, nothing is telling and all is 0.
    """
    _paired(pred, refs)
    known = [[_grams(ref) for ref in group] for group in (refs if corpus is None else corpus)]
    seen = Counter(gram for group in known for gram in {gram for counts in group for gram in counts})
    total = math.log(len(known)) if known else 0.0
    made: dict[str, tuple[list[dict[Gram, float]], FloatArray, int]] = {}

    def vector(text: str) -> tuple[list[dict[Gram, float]], FloatArray, int]:
        if text not in made:
            parts: list[dict[Gram, float]] = [{} for _ in range(ORDER)]
            counts = _grams(text)
            for gram, count in counts.items():
                parts[len(gram) - 1][gram] = count * (total - math.log(max(1.0, seen[gram])))
            norms = np.array([math.sqrt(sum(v * v for v in part.values())) for part in parts])
            made[text] = parts, norms, sum(n for gram, n in counts.items() if len(gram) == 2)
        return made[text]

    return np.array(
        [
            10.0 * float(np.mean([_alike(vector(text), vector(ref)) for ref in group])) if group else 0.0
            for text, group in zip(pred, refs, strict=True)
        ],
        np.float64,
    )


def _alike(
    one: tuple[list[dict[Gram, float]], FloatArray, int], two: tuple[list[dict[Gram, float]], FloatArray, int]
) -> float:
    """The mean over n of cosines that are clipped to the reference, times the penalty for another length."""
    cosines = np.zeros(ORDER)
    for n, (a, b) in enumerate(zip(one[0], two[0], strict=True)):
        norm = one[1][n] * two[1][n]
        value = sum(min(v, b[gram]) * b[gram] for gram, v in a.items() if gram in b)
        cosines[n] = value / norm if norm else value
    return float(cosines.mean()) * math.exp(-((one[2] - two[2]) ** 2) / (2 * SIGMA**2))


def bleu(pred: Sequence[str], refs: Sequence[Sequence[str]]) -> FloatArray:
    """Corpus BLEU-1 to BLEU-4, (4,), in [0, 1], the closest reference's length counting (Papineni et al., 2002)."""
    _paired(pred, refs)
    right, made = np.zeros(ORDER), np.zeros(ORDER)
    length = wanted = 0
    for text, group in zip(pred, refs, strict=True):
        counts = _grams(text)
        most: Counter[Gram] = Counter()
        for ref in group:
            most |= _grams(ref)
        size = len(text.split())
        for gram, count in counts.items():
            right[len(gram) - 1] += min(count, most[gram])
        made += [max(0, size - n) for n in range(ORDER)]
        length += size
        wanted += min((abs(len(ref.split()) - size), len(ref.split())) for ref in group)[1]
    shares = np.cumprod((right + TINY) / (made + SMALL)) ** (1 / np.arange(1, ORDER + 1))
    ratio = (length + TINY) / (wanted + SMALL)
    return shares * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


def rouge_l(pred: Sequence[str], refs: Sequence[Sequence[str]]) -> FloatArray:
    """ROUGE-L of each sentence, (n,), in [0, 1]: from the best precision and the best recall over its references (Lin, 2004)."""
    _paired(pred, refs)
    found = []
    for text, group in zip(pred, refs, strict=True):
        words, others = text.split(" "), [ref.split(" ") for ref in group]
        common = [_common(words, other) for other in others]
        precision = max(common) / len(words)
        recall = max(n / len(other) for n, other in zip(common, others, strict=True))
        found.append(
            (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision) if precision * recall else 0.0
        )
    return np.array(found, np.float64)


def _grams(text: str) -> Counter[Gram]:
    words = text.split()
    return Counter(tuple(words[k : k + n]) for n in range(1, ORDER + 1) for k in range(len(words) - n + 1))


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(two) + 1)
    for word in one:
        before = 0
        for k, other in enumerate(two, start=1):
            before, row[k] = row[k], before + 1 if word == other else max(row[k], row[k - 1])
    return row[-1]


def _paired(pred: Sequence[str], refs: Iterable[Sequence[str]]) -> None:
    groups = list(refs)
    if isinstance(pred, str) or any(isinstance(group, str) for group in groups) or len(pred) != len(groups):
        raise TimelineError("there must be one list of references to each of a list of sentences")
