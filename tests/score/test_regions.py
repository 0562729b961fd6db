from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.errors import TimelineError
from kairos.score.regions import corners, exactly, on_pixels

PICTURE = (200.0, 100.0)
sides = st.integers(1, 60)
boxes = st.tuples(st.integers(0, 90), st.integers(0, 40), sides, sides)


def both(one, two):
    pred, true = corners([one]), corners([two])
    return float(exactly(pred, true, PICTURE)[0]), float(on_pixels(pred, true, PICTURE)[0])


@given(boxes, boxes)
@settings(max_examples=60, deadline=None)
def test_areas_are_those_of_boxes_and_pixels_those_with_both_ends(one, two):
    def iou(grown):
        (ax, ay, aw, ah), (bx, by, bw, bh) = one, two
        wide = max(0, min(ax + aw, bx + bw) - max(ax, bx) + grown) * (min(ax + aw, bx + bw) >= max(ax, bx))
        high = max(0, min(ay + ah, by + bh) - max(ay, by) + grown) * (min(ay + ah, by + bh) >= max(ay, by))
        total = (aw + grown) * (ah + grown) + (bw + grown) * (bh + grown) - wide * high
        return wide * high / total

    exact, drawn = both(one, two)
    assert exact == pytest.approx(iou(0))
    touching = exact == 0.0
    assert drawn == (0.0 if touching else pytest.approx(iou(1), rel=1e-6))


def test_turned_regions():
    diamond, box = (20, 10, 30, 20, 20, 30, 10, 20), (10, 10, 20, 20)
    exact, drawn = both(diamond, box)
    assert exact == pytest.approx(0.5)
    assert drawn == pytest.approx(219 / 441, abs=0.01)
    assert both(box, diamond) == (exact, drawn)


def test_what_is_outside_of_the_picture_is_cut_off():
    assert both((190, 0, 20, 50), (190, 0, 10, 50))[0] == pytest.approx(1.0)
    assert both((300, 0, 20, 50), (190, 0, 10, 50)) == (0.0, 0.0)


def test_no_area_and_no_region():
    assert both((10, 10, 0, 20), (10, 10, 20, 20)) == (0.0, 0.0)
    assert len(on_pixels(np.zeros((0, 4, 2)), np.zeros((0, 4, 2)), PICTURE)) == 0
    assert corners([(0, 0, 2, 2), (0, 0, 4, 0, 4, 4)]).shape == (2, 4, 2)
    for region in [(1.0,), (1.0, 2.0, 3.0), (1.0,) * 7]:
        with pytest.raises(TimelineError, match="a box or a polygon"):
            corners([region])
    for bent in [(10, 10, 30, 30, 30, 10, 10, 30), (10, 10, 30, 10, 15, 15, 10, 30)]:
        with pytest.raises(TimelineError, match="no convex polygon"):
            both(bent, (10, 10, 20, 20))
