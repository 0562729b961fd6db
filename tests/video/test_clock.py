"""One time from timestamps that start anywhere, go back or leap; picture and sound stay together."""

from __future__ import annotations

from fractions import Fraction

from kairos.video.clock import Clock

STEP = Fraction(1, 10)


def times(clock: Clock, index: int, stamps: list[float], leap_s: float = 10.0) -> list[float]:
    return [round(clock.at(index, Fraction(s).limit_denominator(1000), STEP, leap_s).time, 6) for s in stamps]


def test_an_anchor_is_exact() -> None:
    clock = Clock()
    clock.anchor(Fraction(100_000, 90_000), 0.0)
    assert clock.at(0, Fraction(100_000 + 22_500, 90_000), STEP, 10.0).time == 0.25


def test_going_back_goes_on_from_where_it_was() -> None:
    clock = Clock()
    assert times(clock, 0, [5.0, 5.1, 5.2]) == [5.0, 5.1, 5.2]
    told = clock.at(0, Fraction(0), STEP, 10.0)
    assert (told.time, told.fresh, round(told.leap, 6)) == (5.3, True, -5.2)
    assert times(clock, 0, [0.1, 0.2]) == [5.4, 5.5]


def test_a_small_step_back_is_no_new_run() -> None:
    clock = Clock()
    assert times(clock, 0, [5.0, 4.6, 5.1]) == [5.0, 4.6, 5.1]


def test_a_leap_ahead_depends_on_how_much_is_believed() -> None:
    assert times(Clock(), 0, [1.0, 90.0], leap_s=10.0) == [1.0, 1.1]
    assert times(Clock(), 0, [1.0, 90.0], leap_s=1000.0) == [1.0, 90.0]


def test_the_other_stream_follows_by_the_same_shift() -> None:
    clock = Clock()
    times(clock, 0, [9.8, 9.9])
    times(clock, 1, [9.7, 9.8])
    assert clock.at(0, Fraction(0), STEP, 10.0).fresh  # picture 0.0 stands at 10.0
    assert times(clock, 1, [9.9]) == [9.9]  # sound of the old run, late
    follower = clock.at(1, Fraction(1, 20), STEP, 10.0)
    assert (follower.time, follower.fresh) == (10.05, False)


def test_frames_without_a_timestamp_follow_each_other() -> None:
    clock = Clock()
    clock.anchor(Fraction(3), 2.0)
    assert times(clock, 0, [4.0]) == [3.0]
    assert clock.at(0, None, STEP, 10.0).time == 3.1
    assert clock.at(0, None, STEP, 10.0).time == 3.2
    assert clock.at(1, None, STEP, 10.0).time == -1.0


def test_a_delay_shifts_everything_and_is_no_leap() -> None:
    clock = Clock()
    times(clock, 0, [1.0])
    clock.delay(50.0)
    told = clock.at(0, Fraction(11, 10), STEP, 10.0)
    assert (told.time, told.fresh) == (51.1, False)
    assert clock.at(0, None, STEP, 10.0).time == 51.2


def test_a_new_connection_forgets_the_old_one() -> None:
    clock = Clock()
    times(clock, 0, [500.0])
    clock.anchor(Fraction(2), 7.0)
    told = clock.at(0, Fraction(2), STEP, 10.0)
    assert (told.time, told.fresh) == (7.0, False)
