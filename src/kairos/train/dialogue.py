"""The dialogue stage: standing queries of the world as duets (MMDuet, section 5), for both kinds of heads.

For the track, a standing query is scored at every tick and one of its answers is said as of the tick where it is due. For
the language model's context, all of it is one sequence, words and ticks in turn:

    <user> query <end> <stream> ticks ... <say> reply <end> <stream> ticks ... <say> reply <end> <stream> ...

In half of the clips earlier replies are hidden from what comes after, as where they are not kept: the same model serves both.

Shapes: B clips, Q standing queries a clip, T ticks, L tokens of the longest sequence, A answers, W words of an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kairos.model.words import END, SAY, SPECIAL, STREAM, USER
from kairos.timeline import Moment
from kairos.train.duet import DuetSample, Labels, magqa
from kairos.world.standing import Standing

Words = Callable[[str], list[int]]
_ID = {name: SPECIAL.index(name) for name in (END, SAY, STREAM, USER)}


@dataclass
class Reply:
    """One answer: after which tick it is said, from which tick on it holds, and its words."""

    tick: int
    first: int
    words: list[int]


class Sequences:
    """Duets as token sequences, one a clip; `arrays` has them padded.

    Where `token` is -1 the place is a tick's token, number `place` of its clip (tick * M + m); else it is the word's id.
    `reply` is the number of the reply that a token belongs to, from 1 on where replies are hidden, else 0.
    """

    def __init__(self, clips: int, ticks: int, tokens: int, answers: int = 10, words: int = 12) -> None:
        self.tokens = tokens
        self.rows: list[dict[str, list[int]]] = [{} for _ in range(clips)]
        self.answer = np.zeros((clips, answers, words), np.int64)
        self.given = np.zeros(
            (clips, answers, words), np.int64
        )  # where each word of an answer is predicted from
        self.span = np.zeros((clips, answers, 2), np.int64)  # first and last tick of what it tells
        self.last = np.zeros((clips, ticks), np.int64)  # where each tick's last token stands

    def put(self, b: int, query: list[int], replies: list[Reply], asked: int, ticks: int, kept: bool) -> None:
        """One clip's duet, from the tick on before which it is asked; replies are in order of their ticks."""
        row: dict[str, list[int]] = {name: [] for name in ("token", "place", "position", "reply")}
        at = 0

        def add(token: int, place: int = 0, reply: int = 0) -> None:
            nonlocal at
            for name, value in (("token", token), ("place", place), ("position", at), ("reply", reply)):
                row[name].append(value)
            at += 1

        for word in (_ID[USER], *query, _ID[END], _ID[STREAM]):
            add(word)
        due = list(enumerate(replies[: self.answer.shape[1]]))
        for tick in range(asked, ticks):
            for m in range(self.tokens):
                add(-1, tick * self.tokens + m)
            self.last[b, tick] = len(row["token"]) - 1
            while due and due[0][1].tick == tick:
                n, reply = due.pop(0)
                words = [*reply.words[: self.answer.shape[2] - 1], _ID[END]]
                before = at
                self.answer[b, n, : len(words)] = words
                self.given[b, n, : len(words)] = len(row["token"]) + np.arange(len(words))
                self.span[b, n] = reply.first, reply.tick
                for word in (_ID[SAY], *words[:-1]):
                    add(word, reply=0 if kept else n + 1)
                if kept:
                    add(_ID[END])
                    add(_ID[STREAM])
                else:
                    at = before
        self.rows[b] = row

    def arrays(self) -> dict[str, Tensor]:
        longest = max(len(row["token"]) for row in self.rows)

        def padded(name: str, fill: int = 0) -> Tensor:
            out = np.full((len(self.rows), longest), fill, np.int64)
            for b, row in enumerate(self.rows):
                out[b, : len(row[name])] = row[name]
            return torch.as_tensor(out)

        return {
            "duet_token": padded("token"),
            "duet_place": padded("place"),
            "duet_position": padded("position"),
            "duet_reply": padded("reply"),
            "duet_answer": torch.as_tensor(self.answer),
            "duet_given": torch.as_tensor(self.given),
            "duet_last": torch.as_tensor(self.last),
            "duet_span": torch.as_tensor(self.span),
        }


def sampled(standing: Standing, duration: float, rng: np.random.Generator, **ways: str) -> DuetSample | None:
    """A standing query of the world as a duet sample, None where it has no answer; `ways` as in `duet.magqa`."""
    if not standing.answers:
        return None
    segments = [Moment(start, end, label=text) for (start, end), text in standing.answers]
    return magqa(standing.query, segments, duration, rng, relevance=True, **ways)


def due(sample: DuetSample, told: Labels, words: Words, fps: float) -> list[Reply]:
    """The replies of a sample on the grid of its labels; each holds from the last segment on that begins before it."""
    replies = []
    for turn in told.turns:
        if turn.role == "assistant":
            starts = [
                m.start
                for m in sample.segments
                if (m.label or "") in turn.text and m.start * fps < turn.after
            ]
            replies.append(Reply(turn.after - 1, int(max(starts) * fps), words(turn.text)))
    return replies


def visible(reply: Tensor) -> Tensor:
    """Who may look at whom (B, 1, L, L): back in order, and into a hidden reply only from within it."""
    order = torch.arange(reply.shape[1], device=reply.device)
    own = (reply[:, None, :] == 0) | (reply[:, None, :] == reply[:, :, None])
    return (own & (order[None, :] <= order[:, None]))[:, None]
