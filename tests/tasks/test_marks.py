"""What is drawn at which time, and where."""

from __future__ import annotations

import numpy as np
import pytest

from kairos.tasks.marks import COLOUR, Marks
from kairos.timeline import Answer, MaskTrack, Rle, Track

SIZE = (200, 160)


def grey(size=SIZE):
    return np.full((size[1], size[0], 3), 90, np.uint8)


def lines(image):
    """Rows and columns that hold the colour of marks."""
    marked = (image == COLOUR).all(-1)
    return marked, np.flatnonzero(marked.any(1)), np.flatnonzero(marked.any(0))


def tracked(boxes, times, visible=None, query=""):
    return Answer("track", query, track=Track(query, times, boxes, visible=visible))


def mask_track(*areas):
    masks = []
    for x1, y1, x2, y2 in areas:
        mask = np.zeros(SIZE[::-1], bool)
        mask[y1:y2, x1:x2] = True
        masks.append(Rle.encode(mask))
    return Answer(
        "segment", mask_track=MaskTrack("it", SIZE[::-1], np.arange(len(areas)) / 1.0, tuple(masks))
    )


def test_a_box_is_a_line_around_its_pixels():
    image = Marks(tracked([[50, 40, 120, 100]], [1.0]), SIZE).on(grey(), 1.0)
    marked, rows, columns = lines(image)
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (40, 99, 50, 119)
    assert (image[60:80, 70:100] == 90).all(), "its inside is left alone"
    assert marked[41, 50:120].all()


def test_between_two_times_it_moves_in_a_straight_line():
    marks = Marks(tracked([[0, 0, 40, 40], [80, 40, 120, 80]], [1.0, 2.0]), SIZE)
    _, rows, columns = lines(marks.on(grey(), 1.25))
    assert (rows[0], columns[0]) == (10, 20)


@pytest.mark.parametrize(("time", "drawn"), [(0.99, False), (1.0, True), (1.4, True), (1.51, False)])
def test_a_single_place_is_shown_for_half_a_second(time, drawn):
    image = grey()
    result = Marks(tracked([[50, 40, 120, 100]], [1.0]), SIZE).on(image, time)
    assert (result is not image) == drawn
    assert (image == 90).all(), "the picture that was given is not drawn on"


def test_a_hole_in_what_is_known_is_not_bridged():
    marks = Marks(tracked([[0, 0, 40, 40]] * 4, [0.0, 0.5, 1.0, 3.0]), SIZE)
    image = grey()
    assert marks.on(image, 1.2) is not image
    assert marks.on(image, 2.0) is image
    assert marks.on(image, 3.1) is not image


def test_what_hides_is_dashed():
    seen, hidden = (
        lines(Marks(tracked([[50, 40, 120, 100]], [0.0], [visible]), SIZE).on(grey(), 0.0))[0].sum()
        for visible in (True, False)
    )
    assert 0.3 * seen < hidden < 0.7 * seen


def test_a_mask_is_tinted_within_its_edge_and_nowhere_else():
    image = Marks(mask_track((50, 40, 120, 100)), SIZE).on(grey(), 0.0)
    marked, rows, columns = lines(image)
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (40, 99, 50, 119)
    assert not marked[60:80, 70:100].any()
    assert (image[60:80, 70:100, 0] > 120).all()
    outside = np.ones(SIZE[::-1], bool)
    outside[40:100, 50:120] = False
    assert (image[outside] == 90).all()


def test_of_masks_the_nearer_one():
    marks = Marks(mask_track((0, 0, 40, 40), (100, 100, 140, 140)), SIZE)
    assert lines(marks.on(grey(), 0.4))[1][0] == 0
    assert lines(marks.on(grey(), 0.6))[1][0] == 100


def test_an_empty_mask_is_not_drawn():
    image = grey()
    assert Marks(mask_track((0, 0, 0, 0)), SIZE).on(image, 0.0) is image


def test_a_picture_of_another_size():
    image = Marks(tracked([[50, 40, 120, 100]], [1.0]), SIZE).on(grey((400, 320)), 1.0)
    _, rows, columns = lines(image)
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (80, 199, 100, 239)


@pytest.mark.parametrize(
    "box", [[-50, -40, 30, 30], [190, 150, 300, 300], [0, 0, 200, 160], [20, 20, 20, 20]]
)
@pytest.mark.parametrize("visible", [True, False])
def test_boxes_at_and_over_the_edge(box, visible):
    answer = tracked([box], [0.0], [visible], query="a thing with a $name$ that is long, and goes on, and on")
    image = Marks(answer, SIZE).on(grey(), 0.0)
    assert image.shape == grey().shape
    tiny = Marks(answer, SIZE).on(grey((16, 12)), 0.0)
    assert tiny.shape == (12, 16, 3)


def test_the_words_stand_over_the_box_or_inside_of_it():
    for y1, above in ((60, True), (2, False)):
        image = Marks(tracked([[20, y1, 180, 150]], [0.0], query="the ring"), SIZE).on(grey(), 0.0)
        marked = lines(image)[0]
        assert marked[y1 - 8 : y1 - 2, 22:40].any() == above
        assert marked[y1 + 6 : y1 + 9, 22:40].any() != above


def test_the_words_are_its_name_and_not_the_question():
    asked = tracked([[20, 60, 180, 150]], [0.0], query="it")
    image = Marks(asked, SIZE).on(grey(), 0.0)
    np.testing.assert_array_equal(
        Marks(asked.replace(query="which cup hides it ?"), SIZE).on(grey(), 0.0), image
    )
    assert (Marks(asked.replace(query=""), SIZE).on(grey(), 0.0) != image).any()
