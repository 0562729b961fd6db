"""`kairos features`: from a folder of videos and an encoder's folder to features, and every way to ask for the impossible."""

from __future__ import annotations

import json

import pytest
from backbone import vision

from kairos.train.examples import Example, write
from kairos.train.features import Features


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return vision(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def videos(tmp_path, clip):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "clip.mp4").symlink_to(clip)
    (folder / "bad.mp4").write_bytes(b"junk")
    return folder


def asked(*videos: str) -> list[Example]:
    turns = (("user", "what is this ?"), ("assistant", "a clip"))
    return [Example(video=video, turns=turns) for video in videos]


def test_features_of_a_folder(cli, videos, encoder, tmp_path):
    given = [
        "features",
        videos,
        "--backbone",
        encoder,
        "--out",
        tmp_path / "out",
        "--grid",
        "2",
        "--device",
        "cpu",
    ]
    shown = cli(*given)
    assert shown.out == f"1 videos, 4 features of 8 a frame, in {tmp_path / 'out'}\n"
    assert "left out:" in shown.err
    assert "bad.mp4 is not a video" in shown.err
    document = json.loads(cli(*given, "--json").out)
    assert (document["kairos"], document["version"]) == ("features", 1)
    assert (document["written"], document["kept"]) == ([], ["clip.mp4"])
    assert (document["width"], document["patches"], len(document["problems"])) == (8, 4, 1)
    assert Features(tmp_path / "out").frames("clip", 16).shape == (8, 4, 8)
    refused = cli(*given, "--fps", "2")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "other settings: fps 1.0" in refused.err


def test_only_what_examples_are_about(cli, videos, encoder, tmp_path):
    write(tmp_path / "a.jsonl", asked("clip", "clip", "gone"))
    given = [
        "features",
        videos,
        "--backbone",
        encoder,
        "--out",
        tmp_path / "out",
        "--for",
        tmp_path / "a.jsonl",
    ]
    document = json.loads(cli(*given, "--json").out)
    assert document["written"] == ["clip.mp4"]
    assert document["problems"] == [f"gone: not in {videos}"]
    write(tmp_path / "a.jsonl", asked("gone"))
    shown = cli(*given)
    assert shown.code == 2
    assert "no videos and no pictures of the 1 that the examples are about" in shown.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fps", "0"], ["--fps 0", "above 0"]),
        (["--clip", "nan"], ["--clip nan"]),
        (["--most", "0"], ["--most 0"]),
        (["--grid", "9"], ["--grid 9 is not from 1 to 4"]),
        (["--rate", "-1"], ["--rate -1"]),
        (["--device", "tpu"], ["--device tpu is none"]),
        (["--backbone", "nowhere"], ["nowhere: no encoder of pictures"]),
        (["--for", "nowhere.jsonl"], ["nowhere.jsonl"]),
    ],
)
def test_what_cannot_be(cli, videos, encoder, tmp_path, options, words):
    given = {"--backbone": encoder, "--out": tmp_path / "out", "--device": "cpu"} | {options[0]: options[1]}
    shown = cli("features", videos, *(part for pair in given.items() for part in pair))
    assert shown.code == 2, shown
    assert shown.err.count("\n") == 1
    for word in words:
        assert word in shown.err, shown.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_videos(cli, encoder, tmp_path):
    for folder, words in (
        (tmp_path, "no videos and no pictures"),
        (tmp_path / "x", "is no folder of videos"),
    ):
        shown = cli("features", folder, "--backbone", encoder, "--out", tmp_path / "out")
        assert (shown.code, words in shown.err) == (2, True), shown
