"""A folder of images as a video."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kairos.errors import OptionError, VideoError
from kairos.video import Video
from kairos.video.slides import Slides


@pytest.fixture
def folder(tmp_path):
    """Ten grey images; the k-th is 20 k bright."""
    for k in range(10):
        Image.new("RGB", (32, 24), (20 * k,) * 3).save(tmp_path / f"{k}.png")
    return tmp_path


def shown(image):
    return round(float(image.mean()) / 20)


def test_it_is_a_video(folder):
    with Slides(folder, 5.0) as video:
        assert isinstance(video, Video)
        assert (video.size, video.duration, video.rate, video.has_audio) == ((32, 24), 2.0, 5.0, False)
        assert video.name == folder.name
        assert not video.audio(0.0, 1.0).any()
        assert [len(block) for block in video.audio_blocks(16000, 0.5, 0.0, 1.2)] == [8000] * 3


def test_images_stand_until_the_next(folder):
    video = Slides(folder, 5.0)
    found = video.frames([0.0, 0.19, 0.2, 1.99, 9.0], size=8)
    assert [shown(image) for image in found.images] == [0, 0, 1, 9, 9]
    assert found.images.shape == (5, 8, 8, 3)
    np.testing.assert_allclose(found.times, [0.0, 0.0, 0.2, 1.8, 1.8])
    assert [shown(frame.image) for frame in video.sample(2.5, phase=0.5)] == [1, 3, 5, 7, 9]
    assert [shown(frame.image) for frame in video.sample(start=0.4, end=1.0)] == [2, 3, 4]


def test_identity_is_of_the_images_and_the_rate(folder):
    one = Slides(folder, 5.0).id
    assert Slides(folder, 5.0).id == one != Slides(folder, 6.0).id
    Image.new("RGB", (32, 24), (9, 200, 9)).save(folder / "9.png")
    assert Slides(folder, 5.0).id != one


def test_what_cannot_be_read_is_a_gap(folder):
    (folder / "3.png").write_bytes(b"no image")
    video = Slides(folder, 5.0)
    assert [shown(frame.image) for frame in video.sample()] == [0, 1, 2, 2, 4, 5, 6, 7, 8, 9]
    assert [gap.span for gap in video.gaps] == [pytest.approx((0.6, 0.8))]


def test_one_image_is_a_video_too(folder):
    video = Slides(folder / "7.png", 1.0)
    assert (video.duration, video.name) == (1.0, "7.png")
    assert [shown(frame.image) for frame in video.sample(2.0, phase=0.5)] == [7, 7]


def test_bad_input(folder, tmp_path_factory):
    with pytest.raises(VideoError, match="holds no images"):
        Slides(tmp_path_factory.mktemp("empty"), 5.0)
    with pytest.raises(OptionError, match="rate"):
        Slides(folder, 0.0)
    with pytest.raises(OptionError, match="start"):
        Slides(folder, 5.0).sample(start=3.0)
    (folder / "0.png").write_bytes(b"")
    with pytest.raises(VideoError, match=r"0\.png is no image"):
        Slides(folder, 5.0)
