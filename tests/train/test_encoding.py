"""From videos and pictures to features: exact times, clips that tile, and what is told of files that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from backbone import vision
from painted import write_clip

from kairos.errors import InputError, ModelError, OptionError
from kairos.model.backbone import Backbone, Settings
from kairos.train import encoding
from kairos.train.features import Features

SIDE = 8
MADE = Settings(backbone="none", width=1)


class Redness:
    """Stands for an encoder: two patches, each how red the picture is."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        self.seen += len(frames)
        red = (frames[..., 0].float() - frames[..., 2].float()).mean((1, 2)) / 255
        return red[:, None, None].expand(-1, 2, 1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """a.mp4, 4.5 s, red from 1 to 2.5 s; sub/b.jpg; sub/moving/, four pictures; broken.mp4; words.txt."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "a.mp4", [(1.0, 2.5, "red")], duration=4.5)
    (folder / "sub" / "moving").mkdir(parents=True)
    Image.new("RGB", (20, 10), "red").save(folder / "sub" / "b.jpg")
    for k in range(4):
        Image.new("RGB", (6, 6), "red" if k == 2 else "black").save(folder / "sub" / "moving" / f"{k}.png")
    (folder / "broken.mp4").write_bytes(b"junk")
    (folder / "words.txt").write_text("no video")
    return folder


def encode(videos, out, settings=MADE, names=None, rate=None, encoder=None):
    found, _ = encoding.find(videos, names, rate=rate)
    return encoding.encode(encoder or Redness(), SIDE, found, out, settings, rate=rate)


def test_what_is_found(videos):
    found, _ = encoding.find(videos)
    pictures = [f"sub/moving/{k}.png" for k in range(4)]
    assert list(found) == ["a.mp4", "broken.mp4", "sub/b.jpg", *pictures]
    assert list(encoding.find(videos, rate=4.0)[0]) == ["a.mp4", "broken.mp4", "sub", "sub/moving"]
    found, missing = encoding.find(videos, ["a", "else/b.jpg", "a.avi", "c", "a"])
    assert (list(found), missing) == (["a.mp4", "sub/b.jpg"], ["c"])
    with pytest.raises(InputError, match="no folder of videos"):
        encoding.find(videos / "a.mp4")


def test_clips_tile_a_video_and_frames_stand_at_their_true_times(videos, tmp_path):
    encode(videos, tmp_path, Settings(backbone="none", width=1, fps=4.0, clip_s=0.5), ["a"])
    features = Features(tmp_path)
    facts = features.facts("a")
    assert facts.duration == pytest.approx(4.5)
    assert (facts.clip_s, facts.fps, facts.size) == (pytest.approx(0.5), pytest.approx(4.0), (48, 64))
    clips = features.clips("a")[:, 0].float()
    assert clips.shape == (9,)
    assert np.flatnonzero(clips.numpy() > 0.5).tolist() == [2, 3, 4]  # 1 to 2.5 s
    assert features.frames("a", 99).shape == (18, 2, 1)
    assert len(features.frames("a", 99, until=1.0)) == 4  # shown from 0.1, 0.3, 0.6, 0.8 s


def test_a_length_that_is_no_whole_number_of_clips(videos, tmp_path):
    """4.5 s in clips of about one second are four of 1.125 s: the last one ends with the video."""
    encode(videos, tmp_path, names=["a"])
    facts, clips = Features(tmp_path).facts("a"), Features(tmp_path).clips("a")
    assert len(clips) * facts.clip_s == pytest.approx(facts.duration)
    assert clips[:, 0].float().round().tolist() == [0, 1, 0, 0]  # looked at in the middles: 0.56, 1.69, ... s


def test_a_picture_and_a_folder_of_pictures(videos, tmp_path):
    encode(videos, tmp_path / "a", names=["b"])
    features = Features(tmp_path / "a")
    assert features.facts("sub/b.jpg").size == (10, 20)
    assert features.frames("b.jpg", 16).shape == (1, 2, 1)
    encode(videos, tmp_path / "b", names=["moving"], rate=1.0)
    features = Features(tmp_path / "b")
    assert features.facts("moving").duration == 4.0
    assert features.clips("moving")[:, 0].float().round().tolist() == [0, 0, 1, 0]
    assert len(features.frames("moving", 16, until=1.5)) == 2


def test_the_most_that_are_kept_and_all_are_looked_at(videos, tmp_path):
    encode(videos, tmp_path, Settings(backbone="none", width=1, fps=4.0, clip_s=0.5, most=3), ["a"])
    assert Features(tmp_path).frames("a", 99).shape == (3, 2, 1)
    assert len(Features(tmp_path).clips("a")) == 9


def test_files_that_cannot_be_used_are_told_and_left_out(videos, tmp_path):
    whole = (videos / "a.mp4").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "c.mp4").write_bytes(whole[: len(whole) // 2])
    result = encode(tmp_path / "cut", tmp_path / "out")
    assert not result.written
    assert "c.mp4" in result.problems[0]
    result = encode(videos, tmp_path / "out")
    assert "a.mp4" in result.written
    assert [problem.split(" is ")[0] for problem in result.problems] == [str(videos / "broken.mp4")]


class Killed(BaseException):
    pass


def test_killed_work_goes_on_and_does_nothing_twice(videos, tmp_path):
    class Dies(Redness):
        def __call__(self, frames):
            if self.seen:
                raise Killed
            return super().__call__(frames)

    with pytest.raises(Killed):
        encode(videos, tmp_path, encoder=Dies())
    assert [path.name for path in tmp_path.rglob("*.safetensors")] == ["a.mp4.safetensors"]
    again = Redness()
    result = encode(videos, tmp_path, encoder=again)
    assert (result.kept, again.seen) == (["a.mp4"], 5)
    with pytest.raises(OptionError, match=r"other settings: fps 1\.0"):
        encode(videos, tmp_path, Settings(backbone="none", width=1, fps=2.0))
    assert Features(tmp_path).settings == MADE


@pytest.fixture(scope="module")
def clip_model(tmp_path_factory):
    return vision(tmp_path_factory.mktemp("vision"))


def test_an_encoder_gives_its_patches_row_by_row(clip_model):
    from transformers import CLIPVisionModel

    frames = torch.randint(
        0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    encoder = Backbone.load(clip_model)
    assert (encoder.size, encoder.patches, encoder.width) == (32, 16, 8)
    features = encoder(frames)
    pixels = (frames / 255 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.2, 0.3, 0.4])
    states = CLIPVisionModel.from_pretrained(clip_model)(pixel_values=pixels.permute(0, 3, 1, 2))
    torch.testing.assert_close(features, states.last_hidden_state[:, 1:], atol=1e-5, rtol=1e-4)
    quarters = Backbone.load(clip_model, grid=2)(frames)
    assert quarters.shape == (2, 4, 8)
    torch.testing.assert_close(quarters[:, 0], features[:, [0, 1, 4, 5]].mean(1), atol=1e-5, rtol=1e-4)


def test_what_is_no_encoder(clip_model, tmp_path):
    with pytest.raises(OptionError, match="grid 5 is not from 1 to 4"):
        Backbone.load(clip_model, grid=5)
    with pytest.raises(ModelError, match=r"no preprocessor_config\.json"):
        Backbone.load(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}')
    with pytest.raises(ModelError, match="no encoder of pictures"):
        Backbone.load(tmp_path)
    (tmp_path / "config.json").write_bytes((clip_model / "config.json").read_bytes())
    with pytest.raises(ModelError, match="safetensors"):
        Backbone.load(tmp_path)


def test_weights_that_are_missing_are_not_made_up(clip_model, tmp_path):
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((clip_model / name).read_bytes())
    kept = load_file(str(clip_model / "model.safetensors"))
    (lost,) = (name for name in kept if "patch_embedding" in name)
    del kept[lost]
    save_file(kept, str(tmp_path / "model.safetensors"), {"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing, .*patch_embedding"):
        Backbone.load(tmp_path)
