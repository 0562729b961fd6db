"""A reader that sees nothing: what can be told of an answer from the question's words alone.

Multinomial logistic regression on words and pairs of words, one for each kind of question, fitted in numpy. It stands in
for every model that learns the language and ignores the video; whatever it gets right, the world gives away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["WordClassifier", "features_of", "fit"]

_LEAST_WORD, _LEAST_CLASS = 3, 2  # what is seen less often cannot be learnt
_MOST_ROWS = 8000
_STEPS, _RATE, _DECAY = 120, 0.3, 2e-4


def features_of(text: str) -> list[str]:
    """Words, and pairs of neighbours, the ends of the text counting as words."""
    words = ["<", *text.lower().split(), ">"]
    return [*words[1:-1], *(f"{a} {b}" for a, b in pairwise(words))]


@dataclass(frozen=True)
class WordClassifier:
    """A fitted classifier of texts."""

    columns: dict[str, int]
    classes: tuple[str, ...]
    weights: NDArray[np.float32]  # (features + 1, classes)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, classes); rows sum to 1."""
        return _softmax(_matrix(texts, self.columns) @ self.weights)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        best = self.probabilities(texts).argmax(1) if texts else []
        return [self.classes[int(k)] for k in best]


def fit(texts: Sequence[str], labels: Sequence[str], steps: int = _STEPS) -> WordClassifier:
    """Fits by full-batch Adam on at most 8000 of the rows, evenly taken; equal rows give equal weights."""
    stride = max(1, -(-len(texts) // _MOST_ROWS))
    texts, labels = texts[::stride], labels[::stride]
    count = Counter(labels)
    classes = tuple(sorted(c for c, n in count.items() if n >= _LEAST_CLASS)) or tuple(sorted(count))
    index = {c: k for k, c in enumerate(classes)}
    kept = [(t, index[c]) for t, c in zip(texts, labels, strict=True) if c in index]
    columns = _columns(t for t, _ in kept)
    x = _matrix([t for t, _ in kept], columns)
    y = np.eye(len(classes), dtype=np.float32)[[k for _, k in kept]]
    return WordClassifier(columns, classes, _adam(x, y, steps))


def _columns(texts: Iterable[str]) -> dict[str, int]:
    seen = Counter(f for text in texts for f in set(features_of(text)))
    return {f: k for k, f in enumerate(sorted(f for f, n in seen.items() if n >= _LEAST_WORD))}


def _matrix(texts: Sequence[str], columns: dict[str, int]) -> NDArray[np.float32]:
    x = np.zeros((len(texts), len(columns) + 1), np.float32)
    x[:, -1] = 1.0
    for row, text in enumerate(texts):
        x[row, [columns[f] for f in features_of(text) if f in columns]] = 1.0
    return x


def _adam(x: NDArray[np.float32], y: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    w = np.zeros((x.shape[1], y.shape[1]), np.float32)
    mean, square = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, steps + 1):
        slope = x.T @ (_softmax(x @ w) - y) / np.float32(len(x)) + np.float32(_DECAY) * w
        mean += np.float32(0.1) * (slope - mean)
        square += np.float32(0.01) * (slope * slope - square)
        rate = _RATE * np.sqrt(1 - 0.99**step) / (1 - 0.9**step) * (1 - (step - 1) / steps)
        w -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))
    return w


def _softmax(z: NDArray[np.float32]) -> NDArray[np.float32]:
    z = np.exp(z - z.max(1, keepdims=True))
    result: NDArray[np.float32] = z / z.sum(1, keepdims=True)
    return result
