"""Keys and values of a conversation, in place: slots that are there before they are needed, for rows of several lengths.

A `Cache` of `transformers` for any decoder. What a forward adds is written into the next slots, and attention reads a view of
all slots until then: nothing is joined or copied. Where a row has nothing in a slot, `absent` is very low, an additive mask,
and the slot holds some number. The order of slots means nothing to attention, as positions are in the keys.

Shapes: R rows, H key heads, N slots, K head width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

NEVER = -1e4  # exp() of what is so much lower than anything else is zero exactly

Turn = Callable[[Tensor], Tensor]
"""Turns keys (R, H, n, K) to other positions."""


class Place:
    """Where the next forward's keys and values go: which rows, and from which slot on."""

    rows: slice = slice(None)
    start: int = 0


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, each (R, H, N, K) in one piece."""

    is_sliding = False
    is_croppable = False
    keys: Any  # a Tensor, None until the first forward
    values: Any

    def __init__(self, place: Place, rows: int, size: int) -> None:
        super().__init__()
        self.place, self.rows, self.size = place, rows, size

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Memory that is not touched before it is needed, which is most of the price of a new piece."""
        self.keys, self.values = (
            x.new_empty(self.rows, x.shape[1], self.size, x.shape[3]) for x in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, start = self.place.rows, self.place.start
        end = start + key_states.shape[2]
        keys, values = self.keys[rows, :, :end], self.values[rows, :, :end]
        keys[:, :, start:] = key_states
        values[:, :, start:] = value_states
        return keys, values

    def get_seq_length(self) -> int:
        return self.place.start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.place.start + query_length, 0

    def get_max_length(self) -> int:
        return -1


class Slots(Cache):
    """All layers' slots, and which of them a row has nothing in: `absent` (R, 1, 1, N), zero or NEVER."""

    layers: list[Any]  # of SlotLayer

    def __init__(self, layers: int, rows: int, size: int, like: Tensor) -> None:
        """Empty slots; `like` gives the type and the device of the mask."""
        self.place = Place()
        super().__init__(layers=[SlotLayer(self.place, rows, size) for _ in range(layers)])
        self.rows, self.size = rows, size
        self.absent = like.new_zeros(rows, 1, 1, size)
        self.ragged = False  # whether any row lacks anything

    def at(self, rows: slice, start: int) -> Slots:
        """Itself, ready for a forward of `rows` whose first token goes into the slot `start`."""
        self.place.rows, self.place.start = rows, start
        return self

    def lack(self, row: int, start: int, end: int) -> None:
        """The row has nothing from one slot up to another."""
        if end > start:
            self.absent[row, ..., start:end] = NEVER
            self.ragged = True

    def blank(self, rows: slice, start: int, end: int) -> None:
        """Zeros from one slot up to another: no weight times what is not a number would not be zero."""
        for layer in self.layers:
            if layer.is_initialized:
                layer.keys[rows, :, start:end] = 0.0
                layer.values[rows, :, start:end] = 0.0

    def resized(self, rows: int, size: int, used: int) -> Slots:
        """More rows and slots, of which `used` slots are taken over; this one stays as it is."""
        new = Slots(len(self.layers), rows, size, self.absent)
        new.absent[: self.rows, ..., :used] = self.absent[..., :used]
        new.ragged = self.ragged
        for old, layer in zip(self.layers, new.layers, strict=True):
            if old.is_initialized:
                layer.lazy_initialization(old.keys, old.values)
                layer.keys[: self.rows, :, :used] = old.keys[:, :, :used]
                layer.values[: self.rows, :, :used] = old.values[:, :, :used]
        new.blank(slice(self.rows, rows), 0, used)
        return new

    def picked(self, index: Tensor, absent: Tensor, turn: Turn) -> Slots:
        """Of each row the slots `index` (R, n), which are then its first ones, lacking what `absent` (R, n) says; this one
        stays as it is.
        """
        new = Slots(len(self.layers), self.rows, self.size, self.absent)
        n = index.shape[1]
        new.absent[:, 0, 0, :n] = absent
        new.ragged = bool((absent < 0).any())
        for old, layer in zip(self.layers, new.layers, strict=True):
            if old.is_initialized:
                layer.lazy_initialization(old.keys, old.values)
                layer.keys[:, :, :n] = turn(_gather(old.keys, index))
                layer.values[:, :, :n] = _gather(old.values, index)
        return new


def _gather(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(2, index[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
