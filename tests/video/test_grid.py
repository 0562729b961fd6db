"""Ticks from pictures and sound: the picture at each middle, the interval's sound, holes held, then counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.video.grid import FAR_S, Grid, Tape


class Numbered:
    """A painter that paints the number it is given, and counts."""

    def __init__(self) -> None:
        self.painted: list[int] = []

    def paint(self, frame: Any) -> np.ndarray:
        self.painted.append(frame)
        return np.full((1, 1, 3), frame, np.uint8)


def grid_of(rate: int | None = None, **options: float) -> Grid:
    return Grid(2.0, Numbered(), rate, **{"hold_s": 10.0, "patience_s": 1.0, **options})  # type: ignore[arg-type]


def shown(ticks: list) -> list[tuple[float, int]]:
    return [(tick.time, int(tick.image[0, 0, 0])) for tick in ticks]


def test_a_tick_shows_the_picture_at_its_middle() -> None:
    grid = grid_of()
    assert grid.picture(0.0, 1) == []
    assert grid.picture(0.25, 2) == []  # exactly at the middle: it may be shown
    assert shown(grid.picture(0.26, 3)) == [(0.0, 2)]
    assert shown(grid.picture(1.3, 4)) == [(0.5, 3), (1.0, 3)]
    assert shown(grid.end(1.8)) == [(1.5, 4)]
    assert grid._painter.painted == [2, 3, 4]  # type: ignore[attr-defined]  # each once, and only what is shown


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(0, 300))
def test_it_shows_what_the_rule_says(steps: list[int], first: int) -> None:
    times = (np.cumsum([first, *steps]) / 100).tolist()
    grid, ticks = grid_of(hold_s=1000.0), []
    for number, time in enumerate(times):
        ticks += grid.picture(time, number)
    ticks += grid.end(times[-1] + 0.1)
    middles = [(k + 0.5) / 2 for k in range(1000) if (k + 0.5) / 2 < times[-1] + 0.1 - 1e-9] or [0.25]
    rule = [max(0, int(np.searchsorted(times, m, side="right")) - 1) for m in middles]
    assert shown(ticks) == [(k / 2, number) for k, number in enumerate(rule)]


def test_a_picture_that_is_not_later_is_left_out() -> None:
    grid = grid_of()
    grid.picture(0.2, 1)
    assert grid.picture(0.1, 2) == grid.picture(0.2, 3) == []
    assert shown(grid.picture(0.3, 4)) == [(0.0, 1)]


def test_before_the_first_picture_the_first_is_shown() -> None:
    assert shown(grid_of().picture(1.6, 7)) == [(0.0, 7), (0.5, 7), (1.0, 7)]


def test_a_hole_is_held_for_so_long_and_then_counted() -> None:
    grid = grid_of(hold_s=2.0)
    grid.picture(0.0, 1)
    ticks = grid.picture(10.0, 2)
    assert shown(ticks) == [(0.0, 1), (0.5, 1), (1.0, 1), (1.5, 1)]
    assert [tick.dropped for tick in ticks] == [0, 0, 0, 0]
    ticks = grid.picture(10.3, 3)
    assert shown(ticks) == [(10.0, 2)]
    assert ticks[0].dropped == 16


def test_a_first_picture_far_behind_the_start_is_not_held_back_for_ever() -> None:
    ticks = grid_of(hold_s=2.0).picture(100.0, 1)
    assert shown(ticks) == [(98.0, 1), (98.5, 1), (99.0, 1), (99.5, 1)]
    assert ticks[0].dropped == 196


def test_holding_gives_the_ticks_that_have_ended() -> None:
    grid = grid_of(hold_s=2.0)
    assert grid.hold(5.0) == []  # nothing to hold yet
    grid.picture(0.0, 1)
    assert shown(grid.hold(1.2)) == [(0.0, 1), (0.5, 1)]
    assert grid.time == 1.0
    assert shown(grid.hold(9.0)) == [(1.0, 1), (1.5, 1)]  # no longer than hold_s
    assert grid.hold(9.0) == []
    ticks = grid.picture(4.1, 2) + grid.picture(4.3, 3)
    assert [(tick.time, tick.dropped) for tick in ticks] == [(4.0, 4)]


def test_a_late_picture_changes_no_tick_that_was_given() -> None:
    grid = grid_of()
    grid.picture(0.0, 1)
    grid.hold(3.0)
    assert grid.picture(0.5, 2) == []
    assert shown(grid.hold(3.5)) == [(3.0, 2)]  # the newest there is


def test_a_tick_waits_for_its_sound() -> None:
    grid = grid_of(rate=100)
    grid.picture(0.0, 1)
    assert grid.picture(0.6, 2) == []
    assert grid.sound(0.0, np.full(49, 0.5, np.float32)) == []
    (tick,) = grid.sound(0.49, np.full(10, 0.25, np.float32))
    np.testing.assert_array_equal(tick.audio, [0.5] * 49 + [0.25])
    assert grid.given == grid.time == 0.5


def test_sound_that_never_comes_is_silence_after_a_while() -> None:
    grid = grid_of(rate=100, patience_s=1.0)
    grid.picture(0.0, 1)
    assert grid.picture(1.4, 2) == []
    assert grid.given == 0.0 < grid.time
    (tick,) = grid.picture(1.5, 3)
    np.testing.assert_array_equal(tick.audio, np.zeros(50))
    assert tick.audio.dtype == np.float32


def test_the_end_gives_everything_and_at_least_one_tick() -> None:
    grid = grid_of(rate=100)
    grid.picture(0.0, 1)
    grid.sound(0.0, np.ones(10, np.float32))
    (tick,) = grid.end(0.1)
    np.testing.assert_array_equal(tick.audio, [1.0] * 10 + [0.0] * 40)
    assert grid_of().end(5.0) == []


def test_sound_from_another_world_is_not_believed() -> None:
    grid = grid_of(rate=100)
    grid.sound(FAR_S + 1.0, np.ones(10, np.float32))
    grid.picture(0.0, 1)
    grid.picture(0.6, 2)
    (tick,) = grid.sound(0.0, np.full(50, 0.5, np.float32))
    np.testing.assert_array_equal(tick.audio, [0.5] * 50)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=30),
    st.sampled_from([(2.0, 100), (3.0, 100), (30.0, 1000)]),
)
def test_tape_gives_back_what_was_written(sizes: list[int], rates: tuple[float, int]) -> None:
    fps, rate = rates
    wave = (np.arange(sum(sizes)) % 97 / 97).astype(np.float32)
    tape, at = Tape(rate, fps), 0
    for size in sizes:
        tape.write(at / rate, wave[at : at + size])
        at += size
    length = round(rate / fps)
    for k in range(int(len(wave) / rate * fps) + 2):
        first = round(k * (1.0 / fps) * rate)
        expected = np.zeros(length, np.float32)
        inside = wave[first : first + length]
        expected[: len(inside)] = inside
        np.testing.assert_array_equal(tape.read(k), expected)


def test_tape_keeps_what_was_there_first_and_clips() -> None:
    tape = Tape(10, 1.0)
    tape.write(0.0, np.full(5, 3.0, np.float32))
    tape.write(0.3, np.full(4, 0.5, np.float32))
    tape.write(-9.0, np.full(4, 0.5, np.float32))
    np.testing.assert_allclose(tape.read(0), [1.0] * 5 + [0.5] * 2 + [0.0] * 3)
    tape.write(0.8, np.full(4, 0.25, np.float32))  # partly too late
    np.testing.assert_allclose(tape.read(1), [0.25] * 2 + [0.0] * 8)


@pytest.mark.parametrize("seconds", [0, 600])
def test_a_tape_forgets(seconds: int) -> None:
    tape = Tape(10, 1.0)
    for k in range(seconds):
        tape.write(float(k), np.ones(10, np.float32))
        tape.read(k)
    assert len(tape._pieces) <= 1
