"""Two loops over one stream and one standing query, that are to say the same: the published one, and the duet's.

    plain    MMDuet's Listing 1 as it is written: one tick a forward, keys and values that grow by joining, the head over words
             on every token, replies word by word and cropped away after
    duet     chunks of ticks, slots in place, no head on ticks, all replies of a chunk in one batch

Shapes: T ticks, M tokens a tick, E width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache

from kairos.model.context import Context, sharing
from kairos.model.words import END, SAY, SPECIAL, STREAM, USER

if TYPE_CHECKING:
    from kairos.model.kairos import KairosModel

__all__ = ["ATTENTION", "Heard", "Plain", "duet", "plain", "plain_decoder", "race"]

ATTENTION = "sdpa"
"""Of the plain loop: what `transformers` takes by itself."""


@dataclass(frozen=True)
class Heard:
    """What a loop came to: decoder states at each tick's last token (T, E), and what was said at ticks that were to speak."""

    states: Tensor
    said: list[list[int]]


class Plain:
    """The published loop, one tick at a time, in a causal language model of `transformers`."""

    def __init__(self, decoder: Any, words: Sequence[int]) -> None:
        self._decoder = decoder
        self._past = DynamicCache()
        self._read([SPECIAL.index(USER), *words, SPECIAL.index(END), SPECIAL.index(STREAM)])

    def see(self, tokens: Tensor) -> Tensor:
        """One tick (1, 1, M, E) -> the state at its last token (E,)."""
        return self._forward(tokens[:, 0])[0][0, -1]

    def reply(self, most: int) -> list[int]:
        """At most so many words, which are then removed from the context."""
        before = self._past.get_seq_length()
        said = [SPECIAL.index(SAY)]
        while True:
            word = int(self._read(said[-1:])[0, -1].argmax())
            if word == SPECIAL.index(END) or len(said) > most:
                break
            said.append(word)
        self._past.crop(before - self._past.get_seq_length())
        return said[1:]

    def _read(self, ids: list[int]) -> Tensor:
        return self._forward(self._decoder.get_input_embeddings()(torch.tensor([ids])))[1]

    def _forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        out = self._decoder.model(inputs_embeds=inputs, past_key_values=self._past, use_cache=True)
        return out.last_hidden_state, self._decoder.lm_head(out.last_hidden_state)


def plain_decoder(model: KairosModel) -> Any:
    """The model's language model as the plain loop calls it."""
    return sharing(model.speech.decoder, ATTENTION)


@torch.inference_mode()
def plain(decoder: Any, words: Sequence[int], ticks: Tensor, speaking: set[int], most: int) -> Heard:
    """The published loop over ticks (1, T, M, E), that speaks after those of `speaking`."""
    loop, states, said = Plain(decoder, words), [], []
    for k in range(ticks.shape[1]):
        states.append(loop.see(ticks[:, k : k + 1]))
        if k in speaking:
            said.append(loop.reply(most))
    return Heard(torch.stack(states), said)


@torch.inference_mode()
def duet(
    model: KairosModel, words: Sequence[int], ticks: Tensor, speaking: set[int], most: int, chunk: int
) -> Heard:
    """The same in chunks; live streams have chunks of one."""
    context, states, said = Context(model), [], []
    row = context.open(words)
    for a in range(0, ticks.shape[1], chunk):
        states.append(context.see(ticks[:, a : a + chunk])[row])
        end = a + len(states[-1])
        if at := [(row, end - 1 - k) for k in range(a, end) if k in speaking]:
            said += [reply for reply, _ in context.reply(at, max_words=most)]
    return Heard(torch.cat(states), said)


def race(
    one: Callable[[], object], other: Callable[[], object], rounds: int, tell: Callable[[], None]
) -> list[tuple[float, float]]:
    """Seconds of both, so many times in turns, each first as often as the other."""
    taken = []
    for k in range(rounds):
        seconds = {}
        for work in (one, other) if k % 2 == 0 else (other, one):
            began = time.perf_counter()
            work()
            seconds[work] = time.perf_counter() - began
        taken.append((seconds[one], seconds[other]))
        tell()
    return taken
