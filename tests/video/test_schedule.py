"""The schedule against brute force: whatever is wanted is decoded, whatever the frames' order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kairos.video.schedule import plan

pts = st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True)


@given(pts, st.lists(st.integers(-20, 450), max_size=12), st.data())
def test_every_shown_frame_is_scheduled(numbers: list[int], asked: list[int], data: Any) -> None:
    split = data.draw(st.integers(1, len(numbers)))
    group, after = [n / 10 for n in numbers[:split]], [n / 10 for n in numbers[split:]]
    wanted = sorted(t / 10 for t in asked)
    schedule = plan([], group, after, wanted, closed=False)
    times = sorted(group + after)
    for t in wanted:
        shown = max((time for time in times if time <= t), default=times[0])
        if shown in group:
            assert schedule.shown[group.index(shown)]
    assert schedule.stop == len(group)


def test_only_what_is_shown() -> None:
    group = [0.0, 0.3, 0.1, 0.2, 0.6, 0.4, 0.5]
    schedule = plan([], group, [0.7], [0.25, 0.41], closed=True)
    assert [time for time, shown in zip(group, schedule.shown, strict=True) if shown] == [0.2, 0.4]
    assert schedule.stop == 6  # the frame of 0.5 is not needed, the one of 0.6 is: it comes before


def test_a_group_that_nobody_wants() -> None:
    assert plan([], [1.0, 1.2, 1.1], [2.0, 2.1], [2.0, 3.0], closed=True).stop == 0
    assert plan([0.9], [1.0, 1.2, 1.1], [2.0, 2.1], [0.1], closed=True).stop == 0


def test_leading_frames_of_the_next_group_need_this_one() -> None:
    """An open group: 1.8 and 1.9 precede the key frame of 2.0 in presentation, and refer to both sides."""
    assert plan([0.9], [1.0, 1.2, 1.1], [2.0, 1.8, 1.9], [1.85], closed=True).stop == 3
    assert plan([0.9], [1.0, 1.2, 1.1], [2.0, 1.8, 1.9], [2.05], closed=True).stop == 0


def test_before_the_first_frame_the_first() -> None:
    assert plan([], [5.0, 5.1], [6.0], [0.2], closed=True).shown == [True, False]
