"""What locate, track, segment and ask with a place print, save and draw on a real file; what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import SquareModel
from painted import square_at, write_square
from refused import refused

import kairos
from kairos.timeline import Timeline

BOX = ",".join(str(round(side)) for side in square_at(0.0))


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A red square on its way, which hides from 1 s to 2 s."""
    return write_square(tmp_path_factory.mktemp("places") / "clip.mp4", hidden=(1.0, 2.0), sound="aac")


@pytest.fixture
def loaded(monkeypatch):
    paths = []

    def load(path=None, device="cpu"):
        paths.append(path)
        return SquareModel()

    monkeypatch.setitem(kairos.__dict__, "load", load)
    return paths


def test_locate_prints_a_box_that_track_takes(cli, clip):
    shown = cli("locate", clip, "the red square", "--at", 0)
    assert shown.code == 0
    first = shown.out.splitlines()[0]
    assert first.startswith("at 0.0 s in the box ")
    box = first.rsplit(" ", 1)[1]
    document = json.loads(cli("track", clip, "--box", box, "--json").out)
    assert document["track"]["boxes"][0] == pytest.approx(square_at(0.0), abs=2.5)


def test_what_was_not_looked_at_is_left_empty(cli, clip):
    lines = cli("locate", clip, "the red square", "--at", 0.75).out.splitlines()
    curve = next(line for line in lines if "█" in line)  # the clip lasts 4 s, of which 1 s was looked at
    assert 0.2 < len(curve.rstrip()) / len(lines[lines.index(curve) + 1]) < 0.5


def test_json_holds_boxes_and_masks(cli, clip):
    document = json.loads(cli("segment", clip, "--box", BOX, "--rate", 4, "--json", "-q").out)
    track, masks = document["track"], document["mask_track"]
    assert (document["kairos"], document["version"], document["kind"]) == ("answer", 1, "segment")
    assert track["times"] == masks["times"] == [k / 4 for k in range(len(track["times"]))]
    assert set(track) == {"label", "score", "times", "boxes", "visible"}
    assert masks["size"] == [96, 128]
    assert isinstance(masks["masks"][0]["counts"], str)
    assert track["visible"][:8] == [True] * 4 + [False] * 4
    assert document["moments"][0] == {"start": 0.0, "end": 1.0, "score": 0.95, "label": None}


def test_a_timeline_is_saved(cli, clip, tmp_path):
    path = tmp_path / "a.jsonl"
    shown = cli("segment", clip, "the red square", "--save", path, "-q")
    assert f"saved: {path}" in shown.out
    (answer,) = Timeline.from_jsonl(path)
    assert answer.kind == "segment"
    assert len(answer.track) == len(answer.mask_track) > 20
    assert answer.mask_track.mask(0).any()


def test_progress_is_told_once_for_all_parts_of_the_work(cli, clip):
    shown = cli("track", clip, "the red square")
    (line,) = shown.err.splitlines()
    assert line.startswith("watching clip.mp4: 4.")
    assert "seen from 0.0 s to 1.0 s, from 2.0 s to 4." in shown.out


def test_overlay_and_plot(cli, clip, tmp_path):
    import matplotlib.image

    shown = cli(
        "ask", clip, "track the red square", "--overlay", tmp_path / "o.mp4", "--plot", tmp_path / "p.png"
    )
    assert f"overlay: {tmp_path / 'o.mp4'}" in shown.out
    assert "drawing on clip.mp4: 4." in shown.err
    with kairos.open(tmp_path / "o.mp4") as video:
        assert video.has_audio
        assert np.abs(video.frames([0.5]).images[0].astype(int) - (255, 204, 51)).max(-1).min() < 70
    assert matplotlib.image.imread(tmp_path / "p.png").shape[1] == 1800


@pytest.mark.parametrize("task", ["locate", "track", "segment", "ask"])
def test_what_is_not_there_is_an_answer_without_an_overlay(cli, clip, tmp_path, task):
    query = "where is the blue square ?" if task == "ask" else "the blue square"
    shown = cli(task, clip, query, "--overlay", tmp_path / "o.mp4", "-q")
    assert shown.code == 0
    assert "not in this video" in shown.out
    assert "o.mp4 was not written: there is no place to be drawn" in shown.err
    assert list(tmp_path.iterdir()) == []


def test_unknown_words_name_the_way_to_another_model(cli, clip):
    assert 'does not know "dragon"' in cli("track", clip, "the dragon").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["locate", "red", "--at", "99"], ["--at 99 is past the end", "the video ends at 4."]),
        (["locate", "red", "--at", "-1"], ["--at -1"]),
        (["locate", "red", "--at", "soon"], ["--at", "kairos locate --help"]),
        (["locate"], ["QUERY", "kairos locate --help"]),
        (["track"], ["neither words nor a box", "--box x1,y1,x2,y2"]),
        (["track", "red", "--box", BOX], ["both words and a box"]),
        (["track", "--box", "9,9,9,30"], ["--box 9,9,9,30 is no box"]),
        (["track", "--box", "9,9,30"], ["--box 9,9,30 is no box"]),
        (["segment", "--box", "500,9,600,30"], ["--box 500,9,600,30 is outside of the picture", "128 x 96"]),
        (["segment", "--box", BOX, "--at", "99"], ["--at 99 is past the end"]),
        (["segment", "--box", BOX, "--rate", "0"], ["--rate 0"]),
        (["track", "red", "--overlay", "o.avi"], ["--overlay o.avi", "end the name in .mp4"]),
        (["track", "red", "--save", "o.mp3"], ["--save o.mp3", ".jsonl"]),
    ],
)
def test_what_is_refused_before_the_model_loads(cli, clip, arguments, words):
    task, *rest = arguments
    shown = cli(task, clip, *rest)
    refused(shown, *words)
    assert shown.loaded == []


def test_the_video_itself_is_never_written_over(cli, clip):
    before = clip.read_bytes()
    shown = cli("track", clip, "red", "--overlay", clip)
    refused(shown, "--overlay", "is the video itself", "another file")
    assert clip.read_bytes() == before
    assert shown.loaded == []
