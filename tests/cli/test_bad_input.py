"""Every entrance refuses what is wrong: one line that names it and the way out, exit code 2, nothing left behind."""

from __future__ import annotations

import json

import pytest
from refused import refused

from kairos.errors import KairosError

QUERIES = {"ask": ["what is red ?"], "ground": ["red"], "highlight": [], "caption": []}


@pytest.fixture(params=["missing", "folder", "empty", "text", "noise"])
def wrong_file(request, tmp_path):
    path = tmp_path / f"{request.param}.mp4"
    if request.param == "folder":
        path.mkdir()
    elif request.param == "empty":
        path.touch()
    elif request.param == "text":
        path.write_text("a video, honestly\n" * 400)
    elif request.param == "noise":
        path.write_bytes(bytes(i * 7919 % 251 for i in range(50_000)))
    return path


@pytest.mark.parametrize("task", QUERIES)
def test_a_file_that_is_no_video(cli, wrong_file, tmp_path, task):
    before = sorted(tmp_path.iterdir())
    shown = cli(task, wrong_file, *QUERIES[task], "--plot", tmp_path / "a.png", "--save", tmp_path / "a.json")
    refused(shown, wrong_file.name)
    assert sorted(tmp_path.iterdir()) == before
    assert shown.loaded == [], "the model was loaded before the file was looked at"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--fps", "-3"),
        ("--fps", "nan"),
        ("--fps", "inf"),
        ("--fps", "0"),
        ("--fps", "fast"),
        ("--start", "-1"),
        ("--start", "nan"),
        ("--end", "-inf"),
        ("--top", "0"),
        ("--top", "1.5"),
        ("--max-words", "99999"),
    ],
)
def test_an_absurd_option(cli, clip, option, value):
    shown = cli("ask", clip, "what is red ?", option, value)
    refused(shown, option)
    assert "give a" in shown.err or "kairos ask --help" in shown.err
    assert shown.loaded == []


def test_a_rate_above_the_models(cli, clip):
    refused(cli("ask", clip, "what is red ?", "--fps", "30"), "--fps 30", "trained on 2 frames a second")


def test_an_end_before_the_start_and_a_start_after_the_end_of_the_video(cli, clip):
    refused(cli("ground", clip, "red", "--start", "5", "--end", "2"), "--end 2", "--start 5")
    refused(cli("ground", clip, "red", "--start", "500"), "--start 500", "8.0 s")


@pytest.mark.parametrize(
    ("option", "name", "way_out"),
    [
        ("--plot", "a.gif", ".png"),
        ("--plot", "noending", ".png"),
        ("--save", "a.txt", ".json or .vtt or .srt"),
        ("--save", "nowhere/a.json", "mkdir -p"),
        ("--save", "folder.json", "name of a file"),
    ],
)
def test_a_name_that_cannot_be_written(cli, clip, tmp_path, option, name, way_out):
    (tmp_path / "folder.json").mkdir()
    shown = cli("ask", clip, "what is red ?", option, tmp_path / name)
    refused(shown, option, name, way_out)
    assert shown.loaded == []


def test_a_missing_query(cli, clip):
    refused(cli("ask", clip, "  "), "ask needs a query")
    refused(cli("ground", clip), "QUERY", "kairos ground --help")


def test_words_that_are_not_wanted(cli, clip):
    refused(cli("caption", clip, "red"), "red")


def test_an_unknown_option_names_the_nearest(cli, clip):
    refused(cli("ask", clip, "what is red ?", "--fsp", "2"), "--fsp", "--fps")


def test_an_unknown_command(cli):
    refused(cli("aks"), "aks", "kairos --help")


def break_down(*_, **__):
    raise RuntimeError("the disk\nis on fire")


def test_a_failure_while_watching_leaves_no_file(cli, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("fakes.ColourSession.see", break_down)
    shown = cli(
        "ask", clip, "what is red ?", "--plot", tmp_path / "a.png", "--save", tmp_path / "a.json", "-q"
    )
    refused(shown, "RuntimeError", "the disk is on fire", "--debug", code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_drawing_loses_no_answer(cli, clip, tmp_path, monkeypatch):
    monkeypatch.setattr("kairos.tasks.picture._draw_curve", break_down)
    shown = cli(
        "ask", clip, "what is red ?", "--plot", tmp_path / "a.png", "--save", tmp_path / "a.json", "-q"
    )
    assert shown.code == 1
    assert shown.out.startswith("it is what is red ?\n")
    assert "RuntimeError: the disk is on fire" in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["moments"]


def test_debug_shows_the_traceback(clip, loaded):
    from kairos.cli import main

    with pytest.raises(KairosError):
        main(["ask", str(clip), "what is red ?", "--fps", "-3", "--debug"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "0"], ["--count 0"]),
        (["--count", "many"], ["--count"]),
        (["--seed", "-1"], ["--seed -1"]),
        (["--split", "tset"], ["tset"]),
    ],
)
def test_world_render_refuses(cli, tmp_path, arguments, words):
    refused(cli("world", "render", "--out", tmp_path / "out", *arguments), *words)
    assert not (tmp_path / "out").exists()


def test_world_render_refuses_a_file_for_a_folder(cli, tmp_path):
    (tmp_path / "out").write_text("mine")
    refused(cli("world", "render", "--out", tmp_path / "out", "--count", "1"), "--out", "give a folder")
    assert (tmp_path / "out").read_text() == "mine"


def test_train_refuses_a_recipe_that_is_not_there(cli, tmp_path):
    refused(cli("train", tmp_path / "none.yaml"), "none.yaml", "does not exist")
    refused(cli("train", tmp_path), "is a folder")


def test_bench_refuses_absurd_counts(cli):
    refused(cli("bench", "embedded", "--count", "-1"), "--count -1")


def test_errors_do_not_mix_with_json(cli, tmp_path):
    shown = cli("ask", tmp_path / "none.mp4", "what is red ?", "--json")
    refused(shown, "none.mp4")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(shown.out)
