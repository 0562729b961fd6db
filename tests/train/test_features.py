"""Features on disk: what is asked for comes back, and what is wrong is told."""

from __future__ import annotations

import pytest
import torch

from kairos.errors import OptionError, VideoError
from kairos.train.features import Facts, Features, write

FRAMES = torch.arange(10.0)[:, None, None].expand(10, 2, 3)


def test_frames_are_evenly_spread_to_the_last_one(tmp_path):
    write(tmp_path, "sub/a.mp4", FRAMES, fps=2.0)
    features = Features(tmp_path)

    def seen(*asked):
        return features.frames("sub/a.mp4", *asked)[:, 0, 0].tolist()

    assert seen(20) == list(range(10))
    assert seen(4) == [0, 3, 6, 9]
    assert seen(1) == [9]  # the last seen
    assert seen(20, 1.6) == [0, 1, 2, 3]  # frame 3 is shown from 1.5 to 2 s
    assert seen(2, 1.5) == [0, 3]
    assert seen(20, 0.0) == [0]
    assert seen(2, 99.0) == [0, 9]


def test_what_the_header_says(tmp_path):
    clips = torch.ones(5, 4)
    path = write(tmp_path, "a", FRAMES, fps=2, clips=clips, clip_s=2, duration=9.5, size=(20, 40))
    assert path == tmp_path / "a.safetensors"
    assert Features(tmp_path).facts("a") == Facts(2.0, 2.0, 9.5, (20, 40), width=3, clips=5)
    torch.testing.assert_close(Features(tmp_path).clips("a"), clips)
    write(tmp_path, "b", FRAMES, fps=2)
    assert Features(tmp_path).facts("b") == Facts(2.0, 1.0, None, None, width=3, clips=0)
    with pytest.raises(VideoError, match="no clips"):
        Features(tmp_path).clips("b")


def test_a_video_is_found_as_annotations_name_it(tmp_path):
    for video in ("train/v_1.0_2.5.mp4", "a.mp4", "b/a.webm"):
        write(tmp_path, video, FRAMES, fps=1)
    features = Features(tmp_path)
    for name in ("train/v_1.0_2.5.mp4", "v_1.0_2.5", "v_1.0_2.5.avi", "elsewhere/v_1.0_2.5.mp4"):
        assert features.path(name) == tmp_path / "train/v_1.0_2.5.mp4.safetensors", name
    assert features.path("a.mp4") == tmp_path / "a.mp4.safetensors"
    with pytest.raises(VideoError, match=r"a\.mp4\.safetensors and a\.webm\.safetensors may be meant"):
        features.path("a")


def test_frames_at_their_own_times(tmp_path):
    """A clip of variable rate: what counts is when each was shown."""
    write(
        tmp_path,
        "a",
        FRAMES,
        fps=2,
        times=torch.tensor([0.0, 0.1, 0.2, 3, 4, 5, 6, 7, 8, 9], dtype=torch.float64),
    )
    assert len(Features(tmp_path).frames("a", 99, 2.9)) == 3
    assert len(Features(tmp_path).frames("a", 99, 3.0)) == 4
    with pytest.raises(OptionError, match="10 frames have as many times"):
        write(tmp_path, "b", FRAMES, fps=2, times=torch.zeros(9))


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "", "a/../../b", "..\\b"])
def test_names_stay_within_the_folder(tmp_path, name):
    with pytest.raises(VideoError, match="not a name within"):
        Features(tmp_path).frames(name, 3)
    with pytest.raises(VideoError, match="not a name within"):
        write(tmp_path / "x", name, FRAMES, fps=1)


def test_what_is_not_there_or_is_damaged(tmp_path):
    with pytest.raises(OptionError, match="no folder of features"):
        Features(tmp_path / "nowhere")
    with pytest.raises(VideoError, match=r"no features of c\.mp4"):
        Features(tmp_path).frames("c.mp4", 3)
    (tmp_path / "d.safetensors").write_bytes(b"junk")
    with pytest.raises(VideoError, match=r"d\.safetensors"):
        Features(tmp_path).frames("d", 3)
    with pytest.raises(VideoError, match="not a file of features"):
        Features(tmp_path).facts("d")
    from safetensors.torch import save_file

    save_file({"frames": torch.ones(2, 3)}, str(tmp_path / "e.safetensors"))
    with pytest.raises(VideoError, match=r"frames of shape \(2, 3\)"):
        Features(tmp_path).frames("e", 3)
    save_file({"frames": torch.ones(2, 3, 4)}, str(tmp_path / "f.safetensors"))
    with pytest.raises(VideoError, match="not a file of features: 'fps'"):
        Features(tmp_path).facts("f")


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": torch.ones(2, 3)},
        {"frames": torch.ones(0, 2, 3)},
        {"clips": torch.ones(2)},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"clip_s": -1.0},
        {"duration": float("inf")},
    ],
)
def test_absurd_features_are_not_written(tmp_path, wrong):
    given = {"frames": FRAMES, "fps": 1.0} | wrong
    with pytest.raises(OptionError):
        write(tmp_path, "a", given.pop("frames"), **given)
    assert not (tmp_path / "a.safetensors").exists()
