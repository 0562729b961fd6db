"""A picture of every kind of answer, however odd: it is written whole and keeps its size."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pytest
from fakes import PaintedVideo

from kairos.errors import InputError
from kairos.tasks.marks import COLOUR
from kairos.tasks.picture import MOST_LANES, draw
from kairos.timeline import Answer, Curve, MaskTrack, Moment, Rle, Track

CURVE = Curve("relevance", np.arange(1, 21) / 2, np.linspace(0, 1, 20))


@pytest.fixture
def video():
    return PaintedVideo(10.0, [(3.0, 5.0, "red")])


def drawn(answer, video, path, **options):
    assert draw(answer, video, path, **options) == path
    assert [file.name for file in path.parent.iterdir()] == [path.name], "something else was left behind"
    return matplotlib.image.imread(path)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(
            "ask", "what ?", "red", (Moment(3, 5, 0.9), Moment(9.99, 10, 0.2)), confidence=0.5, curve=CURVE
        ),
        Answer("ask", "costs $5 and $6, {x}^2 \\frac", "a $formula$ that is none", notes=("a_b $c$ ^",)),
        Answer("ask", "a very long question " * 40, "and a long answer " * 60),
        Answer("ask", "word" * 300, "w" * 900),
        Answer("ground", "\u4f55\u304c \U0001f534", "\u8d64"),
        Answer("highlight", moments=tuple(Moment(k, k + 2, 0.5) for k in range(8)), curve=CURVE),
        Answer("ground", "red", abstained=True, text="not in this video: red"),
        Answer("ground", "red", moments=(Moment(4.0, 4.0), Moment(50.0, 60.0))),
        Answer("ground", "red", curve=Curve("relevance", np.zeros(0), np.zeros(0))),
    ],
    ids=["usual", "formula", "long", "one word", "no letters", "crowded", "absent", "outside", "no scores"],
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_answer_can_be_drawn(answer, video, tmp_path):
    image = drawn(answer, video, tmp_path / "a.png")
    assert image.shape[1] == 1800
    assert 450 < image.shape[0] < 1000


def test_moments_with_words_get_lanes_but_not_without_end(video, tmp_path):
    few = Answer("caption", moments=tuple(Moment(3 * k, 3 * k + 1, label="red") for k in range(3)))
    many = Answer("caption", moments=tuple(Moment(1, 9, label=f"event {k}") for k in range(200)))
    more = Answer("caption", moments=many.moments[: MOST_LANES + 1])
    heights = [drawn(answer, video, tmp_path / "a.png").shape[0] for answer in (few, more, many)]
    assert heights[0] < heights[1] == heights[2]


@pytest.mark.parametrize("size", [(16, 4000), (4000, 16), (48, 64), (64, 64)])
def test_odd_shapes(video, tmp_path, size):
    video.size = size
    image = drawn(Answer("ask", "what ?", "red"), video, tmp_path / "a.png")
    assert image.shape[1] == 1800
    assert image.shape[0] < 1000


def test_a_part_and_a_video_of_no_length(video, tmp_path):
    drawn(Answer("ask", "what ?", "red", curve=CURVE), video, tmp_path / "a.png", start=3.0, end=5.0)
    drawn(Answer("ask", "what ?", "red"), PaintedVideo(0.0, []), tmp_path / "a.png")


def test_a_folder_that_is_not_there(video, tmp_path):
    with pytest.raises(InputError, match="folder does not exist"):
        draw(Answer("ask", "what ?", "red"), video, tmp_path / "nowhere" / "a.png")


def followed(count=20, visible=True, masks=False):
    times = np.arange(count) / 2
    boxes = np.tile([10.0, 10.0, 30.0, 30.0], (count, 1))
    inside = np.zeros((48, 64), bool)
    inside[10:30, 10:30] = True
    return Answer(
        "segment" if masks else "track",
        "the red square",
        "seen",
        track=Track("it", times, boxes, visible=np.full(count, visible)),
        mask_track=MaskTrack("it", (48, 64), times, (Rle.encode(inside),) * count) if masks else None,
    )


def marks(image):
    return (np.abs(image[..., :3] * 255 - COLOUR).max(-1) < 2).sum()


@pytest.mark.parametrize(("count", "masks"), [(1, False), (2, True), (20, True)])
def test_a_place_is_drawn_on_a_contact_sheet(video, tmp_path, count, masks):
    image = drawn(followed(count, masks=masks), video, tmp_path / "a.png")
    assert image.shape[1] == 1800
    assert 600 < image.shape[0] < 2200
    assert marks(image) > 200


@pytest.mark.parametrize("size", [(16, 4000), (4000, 16)])
def test_contact_sheets_of_odd_shapes(video, tmp_path, size):
    video.size = size
    assert drawn(followed(), video, tmp_path / "a.png").shape[0] < 2200


def test_a_sheet_of_a_part_and_of_a_part_where_nothing_is_known(video, tmp_path):
    drawn(followed(4), video, tmp_path / "a.png", start=0.6, end=5.0)
    drawn(followed(1), video, tmp_path / "a.png", start=5.0, end=6.0)


def test_a_track_without_boxes_is_drawn_as_any_answer(video, tmp_path):
    empty = Answer("track", "it", track=Track("it", np.zeros(0), np.zeros((0, 4))))
    assert drawn(empty, video, tmp_path / "a.png").shape[0] < 1000


def test_no_curve_is_drawn_where_nothing_was_looked_at(video, tmp_path):
    short = Curve("relevance", np.arange(1, 9) / 2, np.ones(8))  # 4 of 10 s
    image = drawn(Answer("locate", "red", curve=short), video, tmp_path / "a.png")[-400:, :, :3] * 255
    columns = np.flatnonzero((np.abs(image - (47, 111, 222)).max(-1) < 40).any(0))
    left, wide = 0.62 * 150, (12 - 1.1) * 150
    assert columns.min() == pytest.approx(left, abs=4)
    assert columns.max() == pytest.approx(left + 0.45 * wide, abs=4)
