"""Free-text replies to questions with one right answer: which option, how many, yes or no.

The strict readings take a reply only in a form that leaves no doubt, and nothing else: a reply that cannot be read is
unread, never guessed. The official ones are each benchmark's own, kept for comparing with its published table; several read
"A man enters the room, so the answer is C." as A.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kairos.errors import TimelineError
from kairos.score.answers import normal

__all__ = [
    "LETTERS",
    "Asked",
    "Reading",
    "by_first_alphabetic",
    "by_first_letter",
    "by_first_word",
    "by_json_or_any_letter",
    "by_last_candidate",
    "by_letter_within",
    "by_opening",
    "letter",
    "number",
    "options_without_letters",
    "strictly",
    "yes_no",
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Asked:
    """What a reply answers: the right `answer` (a letter, whole number, or Yes/No by `form`) and the `options` in order.

    Options have no letters in front. They may be unknown (empty) where a file of results does not repeat them. `key` names
    the question; what has to be drawn at random is drawn by it.
    """

    answer: str
    options: tuple[str, ...] = ()
    form: Literal["letter", "number", "yes_no"] = "letter"
    key: str = ""

    def __post_init__(self) -> None:
        if self.form == "letter" and (len(self.answer) != 1 or self.answer not in self.letters):
            raise TimelineError(
                f"the answer {self.answer!r} is none of the letters {self.letters[0]} to {self.letters[-1]}"
            )

    @property
    def letters(self) -> str:
        """The letters that may be answered."""
        return LETTERS[: len(self.options) or len(LETTERS)]


Reading = Callable[[str, Asked], bool | None]
"""Whether a reply is right; None where it cannot be read, which counts as wrong."""


# strict --------------------------------------------------------------------------------------------------------------

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_FENCED = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?([^{}]*)\}")
_THOUGHT = re.compile(r"<think>.*?</think>", re.IGNORECASE | re.DOTALL)
_ALONE = re.compile(r"\W*([A-Za-z])\W*")
_MARKED = re.compile(r"(?:\(([A-Z])\)|(?<![\w.])([A-Z])[.):](?=\s|$))")
_SAID = re.compile(
    r"(?<!wrong )(?<!incorrect )(?i:answer|option|choice)(?:\s*:|\s+is\b\s*:?)\s*(?i:option\s+)?[*(\"'\s]*"
    r"(?:([B-HJ-Z])(?![\w'-])|([AI])(?=[.,;:!?)*\"']|\s*(?:\n|$)))"  # "is A man" and "is I think" are no letters
)
_NUMBER = re.compile(r"\d+")


def strictly(reply: str, asked: Asked) -> bool | None:
    """The strict reading of a reply by the form of its question."""
    if asked.form == "letter":
        found = letter(reply, asked.options)
    else:
        found = number(reply) if asked.form == "number" else yes_no(reply)
    return None if found is None else found == asked.answer


def letter(reply: str, options: tuple[str, ...] = ()) -> str | None:
    """The option that a reply chooses without doubt; None where there is any.

    Read are: the letter alone, however it is bracketed; a letter with `.`, `)` or `:` at the very beginning; "the answer is
    C"; `<answer>C</answer>`, `\\boxed{C}` or JSON with `result` or `answer`; an option's words and nothing else. Two
    different letters in one form, a letter beyond the options, or a letter before the words of another option are doubt.
    """
    letters = LETTERS[: len(options) or len(LETTERS)]
    text = _THOUGHT.sub(" ", reply).strip()
    inner = _wrapped(text)
    if inner is not None:
        return letter(inner, options) if inner != text else None
    if alone := _ALONE.fullmatch(text):
        return _one({alone[1].upper()}, letters)
    words = [LETTERS[k] for k, option in enumerate(options) if normal(option) == normal(text)]
    if words:
        return _one(set(words), letters)
    bare = text.lstrip("*_\"' ")
    said = {one for pair in _SAID.findall(text) for one in pair if one}
    if opening := _MARKED.match(bare):
        marked = {one for pair in _MARKED.findall(text) for one in pair if one} & set(letters)
        rest = normal(bare[opening.end() :])
        named = {LETTERS[k] for k, option in enumerate(options) if normal(option) == rest}
        return _one({opening[1] or opening[2]} | marked | said | named, letters)
    return _one(said, letters)


def number(reply: str) -> str | None:
    """The one whole number in a reply, without leading zeros; None for none, several different ones, or a fraction."""
    text = _THOUGHT.sub(" ", reply).strip()
    text = _wrapped(text) or text
    found = {str(int(digits)) for digits in _NUMBER.findall(text)}
    return found.pop() if len(found) == 1 and not re.search(r"\d[.,]\d", text) else None


def yes_no(reply: str) -> str | None:
    """Yes or No where a reply is, or begins with, one of them (or Y, N alone), and does not say the other."""
    text = _THOUGHT.sub(" ", reply).strip()
    words = normal(_wrapped(text) or text).split()
    if not words or {"yes", "no"} <= set(words):
        return None
    if len(words) == 1 and words[0] in ("y", "n"):
        return "Yes" if words[0] == "y" else "No"
    return words[0].capitalize() if words[0] in ("yes", "no") else None


def _wrapped(text: str) -> str | None:
    """What a reply marks as its answer: by a tag, a box, or JSON."""
    for pattern in (_TAGGED, _BOXED):
        if found := pattern.findall(text):
            return str(found[-1]).strip() if len({normal(f) for f in found}) == 1 else ""
    fenced = _FENCED.findall(text)
    source = fenced[-1] if fenced else text
    if source.startswith("{") and source.endswith("}"):
        try:
            values = json.loads(source)
        except ValueError:
            return None
        for key in ("result", "answer"):
            if isinstance(values.get(key), str | int):
                return str(values[key]).strip()
    return None


def _one(found: set[str], letters: str) -> str | None:
    return found.pop() if len(found) == 1 and found <= set(letters) else None


# official ------------------------------------------------------------------------------------------------------------

_PREFIXES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)


def by_first_letter(reply: str, asked: Asked) -> bool | None:
    """Video-MME (and the harnesses for most others): the first capital option letter anywhere in the reply."""
    text = reply.strip()
    for prefix in _PREFIXES:
        text = text.replace(prefix, "")
    found = re.search(f"[{asked.letters[: max(len(asked.options), 4)]}]", text)
    return None if found is None else found[0] == asked.answer


def by_first_word(reply: str, asked: Asked) -> bool | None:
    """MVBench, MLVU: the first word, without full stops, is a part of "(c)", or has it; a reply of nothing passes, too."""
    first = reply.lower().split(" ")[0]
    truth = f"({asked.answer.lower()})"
    return first.replace(".", "") in truth or truth in first


def by_letter_within(reply: str, asked: Asked) -> bool | None:
    """OVO-Bench: the right letter, or Yes or No, stands anywhere in the reply; of a count all digits are put together."""
    if asked.form == "number":
        return "".join(re.findall(r"\d+", reply)) == asked.answer
    if asked.form == "yes_no" and reply in ("Y", "N"):
        return asked.answer[0] == reply or asked.answer in reply
    return asked.answer in reply


def by_opening(reply: str, asked: Asked) -> bool | None:
    """TempCompass: the whole answer, a letter alone, or one that begins the reply as "A." or "A)"; the rest is for a judge."""
    text = reply.replace("</s>", "")
    place = LETTERS.index(asked.answer)
    if place < len(asked.options) and text == f"{asked.answer}. {asked.options[place]}":
        return True
    if text in ("A", "B", "C", "D") or re.match(r"[A-D][.)]", text):
        return text[0] == asked.answer
    return None


def by_json_or_any_letter(reply: str, asked: Asked) -> bool | None:
    """CG-Bench: `result` of fenced JSON; else right where the right letter is among all that stand alone in the reply."""
    start = reply.find("```json")
    end = reply.find("```", start + 7)
    if start != -1 and end != -1:
        content = re.sub(r"(?<=:\s)([A-Za-z_]\w*)", r'"\1"', reply[start + 7 : end].strip())
        try:
            return bool(json.loads(content)["result"] == asked.answer)
        except (ValueError, KeyError, TypeError):
            pass
    found = re.findall(r"\b[A-H]\b", reply)
    return asked.answer in found if found else None


def by_first_alphabetic(reply: str, asked: Asked) -> bool | None:
    """VideoEval-Pro: the first letter of the alphabet, of any case, behind "the answer is", "answer:" or "the option is"."""
    text = reply.lower()
    for mark in ("the answer is", "answer:", "the option is"):
        if mark in text:
            text = text.split(mark)[-1]
            break
    found = re.search(r"[^\W\d_]", text)
    return None if found is None else found[0] == asked.answer.lower()


def by_last_candidate(reply: str, asked: Asked) -> bool | None:
    """LongVideoBench (as MMMU): the option named last; where none is, one is drawn, here by the question's `key`."""
    text = reply
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    letters = list(asked.letters if asked.options else "ABCDE")
    for form, place in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        found = [one for one in letters if form.format(one) in text]
        if found:
            return _last(found, [text.rfind(place.format(one)) for one in found]) == asked.answer
    if len(text.split()) > 5:
        told = {LETTERS[k]: text.lower().rfind(option.lower()) for k, option in enumerate(asked.options)}
        found = [one for one, at in told.items() if at >= 0]
        if found:
            return _last(found, [told[one] for one in found]) == asked.answer
    return random.Random(asked.key).choice(letters) == asked.answer


def _last(found: list[str], places: list[int]) -> str:
    return found[max(range(len(found)), key=lambda k: places[k])]  # the first of equals, as numpy's argmax


def options_without_letters(values: Any) -> tuple[str, ...]:
    """Options as `Asked` has them: "A. red", "(A) red" and "A: red" become "red" where all of them begin with their letter."""
    texts = [str(value).strip() for value in values]
    cut = [re.sub(rf"^\(?{LETTERS[k]}[.):]\s*", "", text) for k, text in enumerate(texts[: len(LETTERS)])]
    lettered = all(one != two for one, two in zip(cut, texts, strict=True)) if texts else False
    return tuple(cut) if lettered else tuple(texts)
