"""A conversation as the tokens of a pretrained language model: what is shown, what is asked, and what the model shall say.

    user       <video> where is the clock ?
    assistant  <box_begin> <boxes>

The model's own chat template lays out the turns where it has one. Turns are put into it as marks and filled in after, so that
it is exact which tokens are whose. A task is answered by its head's pair of tokens (TPO, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kairos.errors import OptionError
from kairos.model.words import BOX, BOX_TOKEN, TIME, TIME_TOKEN, TRACK, TRACK_BOX, TRACK_TOKEN

__all__ = ["FRAMES", "TASK_WORDS", "Script", "Spoken"]

FRAMES = "<video>"
"""Stands for one feature of one frame."""
TASK_WORDS = (TIME, TIME_TOKEN, BOX, BOX_TOKEN, TRACK, TRACK_TOKEN)

_MARK = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class Spoken:
    """One conversation: `ids`, which of them the model learns to say (`taught`), and which are words of the last question."""

    ids: tuple[int, ...]
    taught: tuple[bool, ...]
    asked: tuple[bool, ...]


class Script:
    """Lays out conversations for a tokenizer, which learns the task words. Raises OptionError for one without offsets."""

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise OptionError(
                "a fast tokenizer is needed: it tells where its tokens stand", option="language"
            )
        from tokenizers import AddedToken

        self.tokenizer = tokenizer
        known = set(tokenizer.get_vocab())
        self.new = tuple(word for word in (*TASK_WORDS, TRACK_BOX, FRAMES) if word not in known)
        new = [AddedToken(word, special=True, normalized=False) for word in self.new]
        tokenizer.add_tokens(new, special_tokens=True)
        self.frames, self.track_box = self.id(FRAMES), self.id(TRACK_BOX)

    def id(self, word: str) -> int:
        """The id of one of the words of this module."""
        return int(self.tokenizer.convert_tokens_to_ids(word))

    def spoken(self, turns: Sequence[tuple[str, str]], pair: tuple[str, str] | None, shown: int) -> Spoken:
        """The conversation, in which `shown` frame features stand before the first question.

        With a head's `pair` of task words the model's last turn is that pair, and only that is taught of it; else all of the
        model's turns are, with the token that ends each.
        """
        said = [list(turn) for turn in turns]
        first = next(k for k, (role, _) in enumerate(said) if role == "user")
        if shown:
            said[first][1] = f"{FRAMES}\n{said[first][1]}"
        if pair is not None:
            said.append(["assistant", "".join(pair)])
        text, places = self._text([role for role, _ in said], [words for _, words in said])
        made = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        last = max(k for k, (role, _) in enumerate(said) if role == "user")
        ids: list[int] = []
        taught: list[bool] = []
        asked: list[bool] = []
        before: int | None = None  # whose the token before was
        for token, (start, end) in zip(made["input_ids"], made["offset_mapping"], strict=True):
            turn = next((k for k, (a, b) in enumerate(places) if start < b and end > a), None)
            speaker = before if turn is None else turn  # the one token behind a turn ends it
            learned = speaker is not None and said[speaker][0] == "assistant"
            if pair is not None:
                learned = turn == len(said) - 1
            copies = shown if token == self.frames else 1
            ids += [token] * copies
            taught += [learned] * copies
            asked += [turn == last and token != self.frames] * copies
            before = turn
        return Spoken(tuple(ids), tuple(taught), tuple(asked))

    def _text(self, roles: Sequence[str], words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
        """The laid out text, and where in it each turn's words stand."""
        marks = [f"\ue000{k}\ue001" for k in range(len(words))]
        template, places, text, at = self._template(roles, marks), [(0, 0)] * len(words), "", 0
        for mark in _MARK.finditer(template):
            k = int(mark[1])
            text += template[at : mark.start()]
            places[k] = (len(text), len(text) + len(words[k]))
            text += words[k]
            at = mark.end()
        return text + template[at:], places

    def _template(self, roles: Sequence[str], marks: Sequence[str]) -> str:
        """The turns laid out, each mark once and in order: turns are given to a chat template as text, or else as parts."""
        from jinja2 import TemplateError

        if not getattr(self.tokenizer, "chat_template", None):
            end = self.tokenizer.eos_token or ""
            ends = [end if role == "assistant" else "\n" for role in roles]
            rows = zip(roles, marks, ends, strict=True)
            return "".join(f"{role.upper()}: {mark}{end}" for role, mark, end in rows)
        parts = [[{"type": "text", "text": mark}] for mark in marks]
        for contents in (marks, parts):
            turns = zip(roles, contents, strict=True)
            messages = [{"role": role, "content": content} for role, content in turns]
            try:
                text: str = self.tokenizer.apply_chat_template(messages, tokenize=False)
            except (TemplateError, TypeError):
                continue
            if [mark[0] for mark in _MARK.finditer(text)] == [*marks]:
                return text
        raise OptionError(
            "the model's chat template leaves out turns, or turns them round", option="language"
        )
