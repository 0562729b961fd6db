"""What a vision encoder looks at while it learns: the frames that its features were made of, to the timestamp."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from painted import write_clip

from kairos.errors import OptionError, VideoError
from kairos.model.backbone import Settings
from kairos.train import encoding
from kairos.train.features import Features
from kairos.train.pictures import Pictures, source

SIDE = 8


def mean(frames: torch.Tensor) -> torch.Tensor:
    """Stands for an encoder: one patch, the mean colour."""
    return frames.float().mean((1, 2))[:, None] / 255


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """sub/a.mp4, red from 1 to 2.5 s of 4; b.jpg, red; moving/, four pictures, ever brighter."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("made") / "videos"
    (folder / "moving").mkdir(parents=True)
    (folder / "sub").mkdir()
    write_clip(folder / "sub" / "a.mp4", [(1.0, 2.5, "red")], duration=4.0)
    Image.new("RGB", (20, 10), "red").save(folder / "b.jpg")
    for k in range(4):
        Image.new("RGB", (6, 6), (60 * k, 0, 0)).save(folder / "moving" / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def features(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("features")
    settings = Settings(backbone="none", width=3, fps=6.0, clip_s=1 / 6)
    for names, rate in ((["a", "b"], None), (["moving"], 6.0)):
        found, _ = encoding.find(videos, names, rate=rate)
        assert not encoding.encode(mean, SIDE, found, out, settings, rate=rate).problems
    return Features(out)


@pytest.mark.parametrize("video", ["a", "sub/a.mp4", "b.jpg", "moving"])
@pytest.mark.parametrize(("count", "until"), [(99, None), (3, None), (2, 1.5), (2, 0.0)])
def test_what_is_looked_at_is_what_the_features_are_of(videos, features, video, count, until):
    pictures = Pictures(videos, features, SIDE, 1)
    seen, kept = pictures.frames(video, count, until), features.frames(video, count, until)
    assert seen.dtype == torch.uint8
    assert seen.shape == (len(kept), SIDE, SIDE, 3)
    torch.testing.assert_close(mean(seen).to(torch.bfloat16), kept)


def test_all_of_them_are_told_apart(videos, features):
    """The test above would fail for frames of other times."""
    moving = Pictures(videos, features, SIDE, 1).frames("moving", 99)
    assert moving[:, 0, 0, 0].tolist() == [0, 60, 120, 180]
    red = Pictures(videos, features, SIDE, 1).frames("a", 99)[..., 0].float().mean((1, 2)) > 100
    assert np.flatnonzero(red.numpy()).tolist() == list(range(6, 15))  # 1 to 2.5 s, six a second


def test_a_folder_that_is_a_video_itself(videos, tmp_path):
    found, _ = encoding.find(videos / "moving", rate=6.0)
    settings = Settings(backbone="none", width=3, fps=6.0, clip_s=1 / 6)
    encoding.encode(mean, SIDE, found, tmp_path, settings, rate=6.0)
    frames = Pictures(videos / "moving", Features(tmp_path), SIDE, 1).frames("moving", 99)
    assert frames[:, 0, 0, 0].tolist() == [0, 60, 120, 180]


def test_what_is_not_there(videos, features, tmp_path):
    with pytest.raises(OptionError, match="is no folder of videos"):
        source(tmp_path / "nowhere", features, "a")
    with pytest.raises(VideoError, match=r"sub/a\.mp4 does not exist, of which there are features"):
        source(tmp_path, features, "a")
    with pytest.raises(VideoError, match="no features of c"):
        source(videos, features, "c")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.mp4").write_bytes(b"junk")
    with pytest.raises(VideoError, match=r"a\.mp4"):
        Pictures(tmp_path, features, SIDE, 1).frames("a", 2)
    write_clip(tmp_path / "sub" / "a.mp4", [(1.0, 2.5, "red")], duration=3.0)
    with pytest.raises(VideoError, match="is 3 s long, and its features are of 4 s"):
        Pictures(tmp_path, features, SIDE, 1).frames("a", 2)
