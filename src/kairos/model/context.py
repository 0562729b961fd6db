"""The language model's context of a stream: one row for each standing query, in which user, stream and model take turns.

    [<system> words <end>] <user> words <end> <stream> tick tick ... <say> words <end> <stream> tick ...

A tick's tokens are the same in every row, so all rows go through the decoder as one batch. What was seen is never copied
(`cache.py`), no word is predicted on frames, and replies of many rows and ticks are made at once, beside one another in the
same slots, after which those are free again. In float32 it makes no difference how ticks are cut into chunks, which rows
share a batch, or what was rolled back (MMDuet, section 4.2: "remove previous responses" is a rollback).

With a `window` the stream has no end: when twice as many ticks are held, all but the last `window` are forgotten, and keys
are turned back so that positions stay small. What the user and the system said is kept. That is another function than to
remember everything: what the states of old ticks have passed on to newer ones stays.

Shapes: R rows, t ticks, M tokens a tick, E width, n tokens, N slots.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

from kairos.errors import InputError, OptionError
from kairos.model.cache import NEVER, Slots, Turn
from kairos.model.llama import SlotLlama
from kairos.model.words import END, SAY, SPECIAL, STREAM, SYSTEM, USER

if TYPE_CHECKING:
    from kairos.model.kairos import KairosModel

ROLES = {"system": SYSTEM, "user": USER, "assistant": SAY}
_FIRST, _STEP = 1024, 256  # slots to begin with, and at least as many more where a bounded context needs more

WordsOf = Callable[[Tensor, Tensor], Tensor]
"""States (n, 1, E) of the newest tokens, and of which replies they are (n,) -> log-probabilities (n, vocabulary)."""


def _grouped(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Fused attention (R, H, n, K) over key heads that several query heads share, without repeating keys and values."""
    rows, heads, n, _width = query.shape
    groups = heads // key.shape[1]
    if groups > 1:
        query = query.reshape(rows, key.shape[1], groups * n, -1)
        attention_mask = attention_mask if attention_mask is None else attention_mask.repeat(1, 1, groups, 1)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    return out.reshape(rows, heads, n, -1).transpose(1, 2).contiguous(), None


GROUPED = "kairos_grouped"
AttentionInterface.register(GROUPED, _grouped)


@dataclass
class _Row:
    """One conversation."""

    end: int  # slot after its last token
    born: int  # ticks of the stream before it
    length: int = 0  # its tokens, so the next one's position
    pinned: tuple[tuple[int, int], ...] = ()  # from slot to slot: what the user and the system said


@dataclass
class _Held:
    """All that is held at one time."""

    slots: Slots
    rows: list[_Row] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # first slot of each tick since ticks were last forgotten
    ticks: int = 0  # of the stream
    tail: int = 0  # slot after the last tick
    told: int = 0  # ticks before the last turn

    @property
    def used(self) -> int:
        """Slots in use."""
        return max((row.end for row in self.rows), default=0)

    def copy(self) -> _Held:
        return replace(self, rows=[replace(row) for row in self.rows])


@dataclass(eq=False)
class Mark:
    """A place to go back to, of one context."""

    held: _Held
    starts: int
    before: list[_Held]
    serial: int
    void: bool = False


class Context:
    """Conversations about one stream of ticks, in the decoder of a model. Not for several threads at once.

    `window` is how many ticks are remembered at least (None: all). `attention` is an implementation of `transformers`; by
    default all is as quick as it can be (`llama.py`, or fused attention for other decoders), with the same numbers up to
    float32 rounding. Weights must not change while a context is in use. Raises OptionError.
    """

    def __init__(
        self, model: KairosModel, *, window: int | None = None, attention: str | None = None
    ) -> None:
        if window is not None and window < 1:
            raise OptionError(f"a window of {window} ticks is impossible", option="window", value=window)
        decoder = model.speech.decoder
        self.window = window
        self._embed, self._lm_head = decoder.get_input_embeddings(), decoder.lm_head
        self._quick = SlotLlama.of(decoder.model) if attention is None else None
        self._decoder = decoder.model if self._quick else sharing(decoder.model, attention or GROUPED)
        self._turning = None if window is None else _Turning(self._decoder)
        layers = decoder.config.num_hidden_layers
        self._held = _Held(Slots(layers, 0, _FIRST, self._embed.weight))
        self._before: list[_Held] = []  # as it was each time that the last see() forgot ticks
        self._marks: WeakSet[Mark] = WeakSet()
        self._serial = 0
        self._tokens = 0  # a tick
        self._ramp = torch.zeros(0, 0)

    @property
    def rows(self) -> int:
        return len(self._held.rows)

    @property
    def ticks(self) -> int:
        """Ticks of the stream so far."""
        return self._held.ticks

    @property
    def size(self) -> int:
        """Slots that there is memory for, in each row and layer."""
        return self._held.slots.size

    # turns ---------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def open(self, words: Sequence[int], system: Sequence[int] = ()) -> int:
        """A new row for a standing query, from the next tick on; returns its number. Raises InputError where it is empty."""
        if not words:
            raise InputError("the query is empty; say in words what to look for")
        held = self._held
        held.slots = held.slots.resized(len(held.rows) + 1, held.slots.size, held.used)
        held.slots.lack(len(held.rows), 0, held.tail)
        held.rows.append(_Row(end=held.tail, born=held.ticks))
        opening = [*_turn("system", system), *_turn("user", words)] if system else _turn("user", words)
        self._tell(len(held.rows) - 1, [*opening, SPECIAL.index(STREAM)], pinned=True)
        return len(held.rows) - 1

    @torch.inference_mode()
    def tell(self, row: int, role: str, words: Sequence[int]) -> None:
        """Another turn in a row, of `system`, `user` or `assistant`; then it is the stream's again. Raises InputError."""
        if role not in ROLES:
            raise OptionError(f"a turn is of {', '.join(ROLES)}, not {role!r}", option="role", value=role)
        self._check_row(row)
        self._tell(row, [*_turn(role, words), SPECIAL.index(STREAM)], pinned=role != "assistant")

    def keep(self, row: int, words: Sequence[int]) -> None:
        """The model's own words stay in the row."""
        self.tell(row, "assistant", words)

    def _tell(self, row: int, ids: list[int], pinned: bool) -> None:
        self._reserve(self._held, self._held.rows[row].end + len(ids))
        held, of = self._held, self._held.rows[row]
        start, end = of.end, of.end + len(ids)
        held.slots.blank(slice(None), held.used, end)  # of the other rows
        position = torch.arange(of.length, of.length + len(ids), device=self._device)[None]
        inputs = self._embed(torch.tensor([ids], device=self._device))
        self._forward(held, slice(row, row + 1), start, inputs, position)
        of.end, of.length = end, of.length + len(ids)
        of.pinned += ((start, end),) if pinned else ()
        held.told = held.ticks

    # the stream ----------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def see(self, tokens: Tensor) -> Tensor:
        """The next ticks (1, t, M, E), the same for all rows -> decoder states at each tick's last token (R, t, E).

        Raises InputError where the shape does not fit.
        """
        width = self._embed.weight.shape[1]
        if tokens.ndim != 4 or tokens.shape[0] != 1 or not tokens.shape[2] or tokens.shape[3] != width:
            raise InputError(f"ticks are {tuple(tokens.shape)}; here they are (1, ticks, tokens, {width})")
        if self._tokens not in (0, tokens.shape[2]):
            raise InputError(f"a tick was {self._tokens} tokens and is now {tokens.shape[2]}")
        self._tokens = tokens.shape[2]
        self._before.clear()
        for r, row in enumerate(self._held.rows):  # ticks stand in the same slots of all rows
            self._held.slots.lack(r, row.end, self._held.used)
            row.end = self._held.used
        states = [tokens.new_zeros(self.rows, 0, width)]
        while tokens.shape[1]:
            most = tokens.shape[1] if self.window is None else 2 * self.window - len(self._held.starts)
            if not most:
                self._before.append(self._held)
                self._held = self._forgotten(self._held)
                continue
            states.append(self._see(tokens[:, :most]))
            tokens = tokens[:, most:]
        return states[-1] if len(states) == 2 else torch.cat(states, 1)

    def _see(self, tokens: Tensor) -> Tensor:
        held, m = self._held, self._tokens
        t, start = tokens.shape[1], held.used
        held.ticks += t
        if not held.rows:
            held.starts += [0] * t
            return tokens.new_zeros(0, t, tokens.shape[3])
        self._reserve(held, start + t * m)
        first = torch.tensor([[row.length] for row in held.rows], device=self._device)
        position = first + torch.arange(t * m, device=self._device)
        inputs = tokens.flatten(1, 2).expand(len(held.rows), -1, -1)
        states = self._forward(held, slice(None), start, inputs, position)
        held.starts += range(start, start + t * m, m)
        held.tail = start + t * m
        for row in held.rows:
            row.end, row.length = held.tail, row.length + t * m
        return states[:, m - 1 :: m]

    def _forgotten(self, held: _Held) -> _Held:
        """Only the last `window` ticks, behind what the user and the system said before them; `held` stays as it is."""
        assert self.window is not None
        assert self._turning is not None
        starts, cut, used = held.starts[-self.window :], held.starts[-self.window], held.used
        if not held.rows:
            return replace(held, rows=[], starts=starts)
        heads = [[s for a, b in row.pinned if b <= cut for s in range(a, b)] for row in held.rows]
        width, rest = max(map(len, heads)), list(range(cut, used))
        index = torch.tensor([head + [0] * (width - len(head)) + rest for head in heads], device=self._device)
        before = held.slots.absent[:, 0, 0]
        absent = before.gather(1, index)
        for r, head in enumerate(heads):
            absent[r, : len(head)], absent[r, len(head) : width] = 0.0, NEVER
        old = (before == 0).cumsum(1).gather(1, index)
        shift = (absent == 0).cumsum(1) - old
        back = width - cut
        rows = [
            replace(
                row,
                end=row.end + back,
                length=len(head) + int((absent[r, width:] == 0).sum()),
                pinned=(((0, len(head)),) if head else ())
                + tuple((a + back, b + back) for a, b in row.pinned if b > cut),
            )
            for r, (row, head) in enumerate(zip(held.rows, heads, strict=True))
        ]
        slots = held.slots.picked(index, absent, self._turning.by(shift))
        return replace(held, slots=slots, rows=rows, starts=[s + back for s in starts], tail=held.tail + back)

    # going back ----------------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """A place that `crop` goes back to; while it is held, so is what the context was."""
        self._serial += 1
        mark = Mark(self._held.copy(), len(self._held.starts), list(self._before), self._serial)
        self._marks.add(mark)
        return mark

    @torch.inference_mode()
    def crop(self, mark: Mark) -> None:
        """Everything since is as if it had not been, rows and turns too. Raises InputError where the mark is void."""
        if mark.void or mark not in self._marks:
            raise InputError("this mark is void: what it marks was rolled back, or is another context's")
        for other in self._marks:
            other.void |= other.serial > mark.serial
        self._held, self._before = mark.held.copy(), list(mark.before)
        del self._held.starts[mark.starts :]
        slots = self._held.slots
        for r, row in enumerate(self._held.rows):
            slots.absent[r, ..., row.end :] = 0.0
        slots.ragged = bool((slots.absent < 0).any())

    @torch.inference_mode()
    def crop_ticks(self, n: int) -> None:
        """The last n ticks were never seen. Raises InputError where a turn came after them, or where they are forgotten."""
        if not 0 <= n <= self.ticks - self._held.told:
            raise InputError(f"{self.ticks - self._held.told} ticks came after the last turn, not {n}")
        target = self.ticks - n
        held, n = self._as_of(n)
        if held is not self._held:
            while self._before.pop() is not held:
                pass
            self._held = held
        for mark in self._marks:
            mark.void |= mark.held.ticks > target
        if n:
            held.tail, held.ticks = held.starts[-n], target
            del held.starts[-n:]
            for row in held.rows:
                row.end, row.length = held.tail, row.length - n * self._tokens

    def _as_of(self, back: int) -> tuple[_Held, int]:
        """What was held `back` ticks ago, and how many ticks less that is than what it holds now."""
        target = self.ticks - back
        for held in [*self._before, self._held]:
            if target <= held.ticks:
                if held.ticks - target > len(held.starts):
                    break
                return held, held.ticks - target
        raise InputError(f"{back} ticks ago is forgotten; the window is {self.window} ticks")

    # the model's turn ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def reply(
        self, at: Sequence[tuple[int, int]], words_of: WordsOf | None = None, max_words: int = 16
    ) -> list[tuple[list[int], float]]:
        """What the model says, greedily: words and their mean probability, one for each (row, ticks ago) of `at`.

        All in one batch; each is as if the last so many ticks had not been seen, and nothing of it stays. `words_of` gives the
        next word's log-probabilities, by default those of the decoder. Raises InputError.
        """
        if max_words < 1:
            raise OptionError(f"a reply of {max_words} words is none", option="max_words", value=max_words)
        groups: dict[int, tuple[_Held, list[tuple[int, int, int]]]] = {}
        for i, (row, back) in enumerate(at):
            self._check_row(row)
            if not 0 <= back <= self.ticks - self._held.rows[row].born:
                raise InputError(f"row {row} has not seen {back} ticks")
            held, less = self._as_of(back)
            groups.setdefault(id(held), (held, []))[1].append((i, row, less))
        said: list[tuple[list[int], float]] = [([], 0.0)] * len(at)
        for held, entries in groups.values():
            for (i, *_), reply in zip(
                entries, self._speak(held, entries, words_of or self._words, max_words), strict=True
            ):
                said[i] = reply
        return said

    def _speak(
        self, held: _Held, entries: list[tuple[int, int, int]], words_of: WordsOf, max_words: int
    ) -> list[tuple[list[int], float]]:
        """Replies beside one another: the k-th of a row takes every k-th slot behind the row, and sees no other's."""
        low, high = min(row for _, row, _ in entries), max(row for _, row, _ in entries) + 1
        beside: list[int] = []
        for _, row, _ in entries:
            beside.append(sum(1 for _, r, _ in entries[: len(beside)] if r == row))
        n, used = max(beside) + 1, held.used
        self._reserve(held, used + n * (max_words + 1))
        slots, device = held.slots, self._device
        mask = slots.absent.new_full((high - low, 1, n, used + n * (max_words + 1)), NEVER)
        for k in range(n):
            mask[:, :, k, used + k :: n] = 0.0
        position = torch.zeros(high - low, n, dtype=torch.long, device=device)
        for (_, row, back), k in zip(entries, beside, strict=True):
            cut = held.starts[-back] if back else held.rows[row].end
            past = slots.absent[row, 0, 0, :cut]
            mask[row - low, 0, k, :cut] = past
            position[row - low, k] = (past == 0).sum()
        index = torch.tensor([e[0] for e in entries], device=device)
        where = torch.tensor([[row - low for _, row, _ in entries], beside], device=device)
        ids = torch.full((high - low, n), SPECIAL.index(SAY), device=device)
        said: list[list[int]] = [[] for _ in entries]
        logs: list[list[float]] = [[] for _ in entries]
        going = list(range(len(entries)))
        for step in range(max_words + 1):
            start = used + n * step
            hidden = self._forward(
                held, slice(low, high), start, self._embed(ids), position + step, mask[..., : start + n]
            )
            some = torch.tensor(going, device=device)
            log, best = words_of(hidden[where[0, some], where[1, some], None], index[some]).max(-1)
            ids[where[0, some], where[1, some]] = best
            still = []
            for e, p, word in zip(going, log.tolist(), best.tolist(), strict=True):
                logs[e].append(p)
                if word != SPECIAL.index(END) and step < max_words:
                    said[e].append(word)
                    still.append(e)
            going = still
            if not going:
                break
        return [(words, math.exp(sum(p) / len(p))) for words, p in zip(said, logs, strict=True)]

    def _words(self, hidden: Tensor, rows: Tensor) -> Tensor:
        return self._lm_head(hidden[:, 0]).float().log_softmax(-1)

    # the decoder ---------------------------------------------------------------------------------------------

    @property
    def _device(self) -> torch.device:
        return self._embed.weight.device

    def _forward(
        self,
        held: _Held,
        rows: slice,
        start: int,
        inputs: Tensor,
        position: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Decoder states of inputs (R, n, E) that go into the slots from `start` on, causal unless a mask is given."""
        n = inputs.shape[1]
        if self._quick is not None:
            return self._quick(inputs, position, held.slots.at(rows, start), mask)
        if mask is None:
            mask = self._causal(held.slots.size, start, n) if n > 1 else None
            if held.slots.ragged:
                absent = held.slots.absent[rows, ..., : start + n]
                mask = absent if mask is None else mask + absent
        out = self._decoder(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=position,
            past_key_values=held.slots.at(rows, start),
            use_cache=True,
        )
        return out.last_hidden_state

    def _causal(self, size: int, before: int, n: int) -> Tensor:
        """A view (1, 1, n, before + n): each token sees all before it."""
        most, width = self._ramp.shape
        if n > most or before > width - most:
            most, past = max(n, most), max(size, width - most)
            self._ramp = self._embed.weight.new_full((most, past + most), NEVER).triu_(past + 1)
            width = past + most
        past = width - most
        return self._ramp[None, None, :n, past - before : past + n]

    def _reserve(self, held: _Held, slots: int) -> None:
        """Memory for so many slots: twice as much each time, but no more than a bounded context needs."""
        size = held.slots.size
        if slots <= size:
            return
        more = max(slots, 2 * size)
        if self.window is not None:
            first = held.starts[0] if held.starts else held.used
            limit = first + 2 * self.window * self._tokens
            more = min(more, limit) if slots <= limit else -(-slots // _STEP) * _STEP
        held.slots = held.slots.resized(len(held.rows), more, held.used)

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise InputError(f"there is no row {row}; there are {self.rows}")


class _Turning:
    """Keys to earlier positions, by the decoder's own rotary embedding. Raises OptionError where that cannot be."""

    def __init__(self, decoder: nn.Module) -> None:
        self._rotary: Any = getattr(decoder, "rotary_emb", None)
        self._apply: Any = getattr(sys.modules[type(decoder).__module__], "apply_rotary_pos_emb", None)
        kind = getattr(self._rotary, "rope_type", None)
        if self._apply is None or kind in (None, "dynamic", "longrope"):
            raise OptionError(
                f"a {type(decoder).__name__} cannot forget ticks: its positions cannot be turned back",
                option="window",
                hint="leave out the window",
            )

    def by(self, shift: Tensor) -> Turn:
        """Turns by so many positions (R, n), negative ones back."""

        def turn(keys: Tensor) -> Tensor:
            cos, sin = (x / self._rotary.attention_scaling for x in self._rotary(keys, position_ids=shift))
            turned: Tensor = self._apply(keys, keys, cos, sin)[1]
            return turned

        return turn


def sharing(decoder: nn.Module, attention: str) -> Any:
    """A decoder of the same weights, the very same tensors, with an attention of its own."""
    same = {id(x): x for x in (*decoder.parameters(), *decoder.buffers())}
    own: Any = copy.deepcopy(decoder, same)
    own.config._attn_implementation = attention
    return own


def _turn(role: str, words: Sequence[int]) -> list[int]:
    return [SPECIAL.index(ROLES[role]), *words, SPECIAL.index(END)]
