"""Places and moments as words, which is what task heads are compared with (TPO, section 1: numbers as text).

    <box_begin> <boxes> one four two zero ... <end>

A number is two words, its digits to the base of seven; 49 steps tell a box to 1.3 px of 64, and moments of 24 s to 0.5 s.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kairos.model.say import Talk

__all__ = ["LAST", "numbers", "read", "spell"]

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six")
_BASE = len(NUMBERS)
LAST = _BASE**2 - 1
"""The highest number that can be spelled."""


def spell(values: Sequence[float]) -> str:
    """Numbers from 0 to 48, rounded; what is beyond is the nearest that can be told."""
    whole = (min(max(round(v), 0), LAST) for v in values)
    return " ".join(f"{NUMBERS[v // _BASE]} {NUMBERS[v % _BASE]}" for v in whole)


def numbers(text: str, count: int) -> list[int] | None:
    """The `count` numbers that a text spells; None where it spells anything else: nothing is guessed."""
    words = text.split()
    if len(words) != 2 * count or not set(words) <= set(NUMBERS):
        return None
    digits = [NUMBERS.index(word) for word in words]
    return [_BASE * a + b for a, b in zip(digits[::2], digits[1::2], strict=True)]


@torch.inference_mode()
def read(talk: Talk, count: int) -> list[int] | None:
    """The numbers that the model goes on to spell, of one row; None where it says anything else."""
    said, tokenizer = [], talk.model.tokenizer
    assert tokenizer is not None
    for _ in range(2 * count):
        word = talk.next().argmax(-1)
        said.append(int(word))
        talk.hear(talk.model.speech.embed(word))
    return numbers(str(tokenizer.decode(said)), count)
