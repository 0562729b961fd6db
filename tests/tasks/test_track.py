"""Boxes and masks through a video: from a box onwards, by words both ways; what hides, what is not there, what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from fakes import PaintedVideo, SquareModel
from painted import square_at, write_square

import kairos
from kairos.errors import InputError, ModelError, OptionError, VideoError
from kairos.tasks import ask, segment, track
from kairos.tasks.places import asks_outline
from kairos.world.instructions import HELD_OUT_TEMPLATES, TEMPLATES

SIZE = (128, 96)


@pytest.fixture
def model():
    return SquareModel()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A square that hides from 1 s to 2 s."""
    return write_square(tmp_path_factory.mktemp("track") / "clip.mp4", hidden=(1.0, 2.0))


def box_at(time):
    return tuple(round(side) for side in square_at(time))


def drawn(time):
    """Where the clip, ten frames a second, has the square at a time."""
    return square_at(int(time * 10 + 1e-6) / 10)


class TestFromABox:
    def test_it_is_followed_onwards_at_the_followers_rate(self, model, clip):
        answer = track(model, clip, box=box_at(0.5), at=0.5)
        assert answer.track.times.tolist() == [0.5 + k / 8 for k in range(28)]
        found = answer.track
        for time, box, visible in zip(found.times, found.boxes, found.visible, strict=True):
            assert visible == (not 1.0 <= time < 2.0)
            if visible:
                assert box == pytest.approx(drawn(time), abs=2.5)
        assert answer.mask_track is None
        assert answer.query == ""
        assert model.sessions == [], "a box needs no words"

    def test_from_the_beginning_unless_told_otherwise(self, model, clip):
        assert track(model, clip, box=box_at(0.0)).track.times[0] == 0.0
        assert track(model, clip, box=box_at(2.5), start=2.5).track.times[0] == 2.5

    def test_rate_and_end(self, model, clip):
        answer = track(model, clip, box=box_at(0.0), rate=4, end=2.0)
        assert answer.track.times.tolist() == [k / 4 for k in range(8)]

    def test_while_it_hides_its_box_stays_and_the_moments_leave_it_out(self, model, clip):
        answer = track(model, clip, box=box_at(0.0))
        hidden = ~answer.track.visible
        assert hidden.sum() == 8
        assert np.ptp(answer.track.boxes[hidden], axis=0).max() == 0
        assert [(m.start, m.end) for m in answer.moments] == [(0.0, 1.0), (2.0, pytest.approx(4.0, abs=0.11))]
        assert answer.text.startswith("seen from 0.0 s to 1.0 s, from 2.0 s to ")
        assert answer.curve.name == "visible"
        assert answer.curve.at(1.5) < 0.5 < answer.curve.at(0.5)

    def test_the_first_picture_is_the_one_shown_then_to_the_timestamp(self, model, tmp_path):
        stamps = [0, 1, 2, 30, 31, 100, 101, 180]
        path = write_square(tmp_path / "a.mp4", stamps, Fraction(1, 50), gop=4)
        for stamp in (2, 31, 101):
            answer = track(model, path, box=box_at(stamp / 50), at=stamp / 50)
            assert answer.track.boxes[0] == pytest.approx(square_at(stamp / 50), abs=2.5)

    def test_the_end_itself_is_one_picture(self, model, clip):
        with kairos.open(clip) as video:
            answer = track(model, video, box=box_at(3.9), at=video.duration)
        assert len(answer.track) == 1

    def test_a_box_that_reaches_out_is_cut_and_that_is_said(self, model, clip):
        x1, y1, x2, y2 = box_at(0.0)
        answer = track(model, clip, box=(x1 - 500, y1, x2, y2))
        assert answer.notes == ("the box was cut to the picture",)
        assert model.pursuits[-1].begun[0][0] == 0.0

    def test_a_box_may_be_words(self, model, clip):
        words = ",".join(map(str, box_at(0.0)))
        assert track(model, clip, box=words).track == track(model, clip, box=box_at(0.0)).track

    @pytest.mark.parametrize("size", [(96, 128), (160, 60)])
    def test_other_shapes(self, model, tmp_path, size):
        path = write_square(tmp_path / "a.mp4", size=size, rotate=90 if size[1] > size[0] else 0)
        answer = track(model, path, box=tuple(map(round, square_at(0.0, size))))
        assert answer.track.boxes[16] == pytest.approx(square_at(2.0, size), abs=max(size) / 64 + 0.5)


class TestByWords:
    def test_it_is_followed_both_ways_from_where_it_is_seen_best(self, model, clip):
        answer = track(model, clip, "the red square")
        times = answer.track.times
        assert len(model.pursuits) == 2
        assert (
            model.pursuits[0].begun == model.pursuits[1].begun == (None, ("prompt", "track the red square"))
        )
        assert np.diff(times) == pytest.approx(1 / 8)
        assert times[0] < 1 / 8
        assert times[-1] > 3.8
        for time, box, visible in zip(times, answer.track.boxes, answer.track.visible, strict=True):
            if visible:
                assert box == pytest.approx(drawn(time), abs=2.5)
        assert answer.confidence == answer.track.score == 0.875
        assert answer.track.label == answer.query == "the red square"

    def test_from_a_time_that_is_given(self, model, clip):
        answer = track(model, clip, "the red square", at=2.25)
        assert 2.25 in answer.track.times
        assert answer.track.times[0] == 0.0
        np.testing.assert_array_equal(
            model.sessions[-1].pictures[-1], kairos.open(clip).frames([2.25], size=64).images[0]
        )

    def test_a_part(self, model, clip):
        answer = track(model, clip, "the red square", start=2.0, end=3.0)
        assert 2.0 <= answer.track.times[0] < 2.125
        assert 2.875 <= answer.track.times[-1] < 3.0

    def test_without_a_prompt_its_box_is_what_is_followed(self, model, clip, monkeypatch):
        monkeypatch.setattr("fakes.SquareSession.prompt", lambda self, tick=None: None)
        track(model, clip, "the red square")
        box, prompt = model.pursuits[0].begun
        assert prompt is None
        assert 0 <= box[0] < box[2] <= 1

    def test_what_is_not_there(self, model, clip):
        answer = track(model, clip, "the blue square")
        assert answer.abstained
        assert answer.track is None
        assert answer.text == "not in this video: the blue square"
        assert track(model, clip, "the red square", at=1.5).text == "not to be seen at 1.5 s: the red square"
        assert model.pursuits == []

    def test_unknown_words(self, model, clip):
        assert track(model, clip, "the dragon").unknown_words == ("dragon",)

    def test_progress_grows_to_the_videos_length(self, model, clip):
        told = []
        track(model, clip, "the red square", progress=lambda done, total: told.append((done, total)))
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert len({total for _, total in told}) == 1
        assert told[-1][0] == pytest.approx(told[-1][1]) == pytest.approx(4.0, abs=0.11)
        assert len(told) > 4


class TestSegment:
    def test_masks_are_in_source_pixels_and_empty_while_it_hides(self, model, clip):
        answer = segment(model, clip, "the red square")
        found = answer.mask_track
        assert found.size == (96, 128)
        np.testing.assert_array_equal(found.times, answer.track.times)
        for index, time in enumerate(found.times):
            mask = found.mask(index)
            assert mask.any() == answer.track.visible[index]
            if mask.any():
                x1, y1, x2, y2 = np.round(drawn(time)).astype(int)
                truth = np.zeros((96, 128), bool)
                truth[y1:y2, x1:x2] = True
                assert (mask & truth).sum() / (mask | truth).sum() > 0.8

    def test_masks_are_cocos(self, model, clip):
        coco = pytest.importorskip("pycocotools.mask")
        answer = segment(model, clip, box=box_at(0.0))
        for index in (0, 10):
            rle = answer.mask_track.masks[index].to_dict()
            assert isinstance(rle["counts"], str)
            assert coco.area(rle) == answer.mask_track.mask(index).sum()

    def test_a_name_is_asked_for_as_a_mask(self, model, clip):
        segment(model, clip, "the red square")
        assert model.sessions[-1].said == ["the red square", "segment the red square"]


class TestAskChooses:
    @pytest.mark.parametrize(("verb", "masks"), [("track", False), ("segment", True)])
    def test_a_path_or_a_mask(self, model, clip, verb, masks):
        answer = ask(model, clip, f"{verb} the red square")
        assert answer.kind == "ask"
        assert len(answer.track) > 20
        assert (answer.mask_track is not None) == masks
        assert len(model.sessions) == 1, "the video is watched once"

    def test_where_one_head_gives_both_words_tell_which_is_meant(self, model, clip, monkeypatch):
        monkeypatch.setattr("fakes.SquareSession.ROUTES", {"track": "segment", "segment": "segment"})
        assert ask(model, clip, "track the red square").mask_track is None
        assert ask(model, clip, "segment the red square").mask_track is not None

    @pytest.mark.parametrize("templates", [TEMPLATES, HELD_OUT_TEMPLATES])
    def test_every_template_says_whether_it_means_masks(self, templates):
        for task in ("track", "segment"):
            for form in templates[task]:
                assert asks_outline(form.format("the red ring")) == (task == "segment"), form

    def test_a_time(self, model, clip):
        answer = ask(model, clip, "find the moment when it is red")
        assert answer.track is None
        assert answer.text.startswith("from ")
        assert answer.moments[0].start == 0.0

    def test_words(self, model, clip):
        answer = ask(model, clip, "what is red ?")
        assert answer.text == "it is what is red ?"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("box", "words"),
        [
            (
                (128, 0, 200, 50),
                r"--box 128,0,200,50 is outside of the picture \(clip.mp4 is 128 x 96 pixels",
            ),
            ((-9, -9, 0, 0), "outside of the picture"),
            ((10, 10, 10, 20), r"--box 10,10,10,20 is no box \(give x1,y1,x2,y2"),
            ((10, 10, 20, 10), "is no box"),
            ((20, 20, 10, 10), "is no box"),
            ((0, 0, float("nan"), 9), "is no box"),
            ((0, 0, float("inf"), 9), "is no box"),
            ((1, 2, 3), "is no box"),
            ("1,2,3,x", "--box 1,2,3,x is no box"),
            ("", "is no box"),
            (7, "is no box"),
        ],
    )
    def test_absurd_boxes(self, model, clip, box, words):
        with pytest.raises(OptionError, match=words) as caught:
            track(model, clip, box=box)
        assert caught.value.option == "box"
        assert model.pursuits == []

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"at": 50.0}, "--at 50 is past the end"),
            ({"at": 1.0, "start": 2.0}, "--at 1 is not between --start and --end"),
            ({"at": 3.0, "end": 3.0}, "--at 3 is not between --start and --end"),
            ({"rate": 0}, "--rate 0 is out of range"),
            ({"rate": 1e9}, "--rate 1e"),
        ],
    )
    def test_absurd_options(self, model, clip, options, words):
        with pytest.raises(OptionError, match=words):
            segment(model, clip, box=box_at(0.0), **options)

    @pytest.mark.parametrize("task", [track, segment])
    def test_neither_or_both(self, model, clip, task):
        with pytest.raises(InputError, match="neither words nor a box say what to follow"):
            task(model, clip)
        with pytest.raises(InputError, match="both words and a box say what to follow"):
            task(model, clip, "the red square", box=box_at(0.0))

    def test_a_model_that_cannot_follow(self, model, clip):
        model.follower = None
        for given in ({"query": "the red square"}, {"box": box_at(0.0)}):
            with pytest.raises(ModelError, match=r"squares cannot follow anything .*--model PATH"):
                track(model, clip, **given)
        assert model.sessions == []

    def test_a_picture_that_a_cut_file_does_not_reach(self, model):
        video = PaintedVideo(8.0, [(0.0, 8.0, "red")], watermark=4.0)
        with pytest.raises(VideoError, match=r"shows at 6.0 s cannot be decoded"):
            track(model, video, box=(0, 0, 64, 48), at=6.0)
        answer = track(model, video, box=(0, 0, 64, 48))
        assert answer.track.times[-1] < 4.0
        assert answer.notes == ("the file is damaged: 4.0 s - 8.0 s could not be decoded",)
