"""`kairos watch`: what it prints, on which stream, and what is left when it ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import queue
import re
import select
import signal
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from duets import DuetModel
from painted import write_clip
from refused import refused

import kairos
from kairos.cli import main, questions
from kairos.model.trigger import PRESETS
from kairos.timeline import Timeline

ROOT = Path(__file__).resolve().parents[2]

# A process whose model sees colours, a step every now and then, and says so on stderr.
COMMAND = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.path.insert(0, {tests!r})
import kairos
import duets
see = duets.ColourDuet.see

def slowly(self, frames, audio):
    time.sleep({pause})
    return see(self, frames, audio)

duets.ColourDuet.see = slowly
kairos.load = lambda *_: duets.DuetModel()
from kairos.tasks import watching
watching.CHUNK_TICKS = 1
from kairos.cli import main, questions
main(sys.argv[1:])
"""


@pytest.fixture
def loaded(monkeypatch):
    """As in conftest, with a model that can be watched with."""
    paths = []

    def load(path=None, device="cpu"):
        paths.append(path)
        return DuetModel()

    monkeypatch.setitem(kairos.__dict__, "load", load)
    return paths


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Two minutes, red for a second every five."""
    paint = [(t, t + 1.0, "red") for t in range(2, 120, 5)]
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", paint, 120.0, sound=False)


def process(*arguments, pause=0.02, **options):
    code = COMMAND.format(tests=str(ROOT / "tests"), pause=pause)
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **options)


def events(shown):
    return [json.loads(line) for line in shown.out.splitlines()]


# what is printed ---------------------------------------------------------------------------------------------


def test_turns_are_printed_with_their_times(cli, clip):
    shown = cli("watch", clip, "when is it red ?")
    assert shown.code == 0
    assert shown.out == "   3.5 s  the picture is red\n"
    assert re.fullmatch(r"watched .*clip\.mp4: 8\.0 s, [\d.]+ times real time, 1 turn\n", shown.err)


def test_the_query_is_named_where_there_are_several(cli, clip):
    shown = cli("watch", clip, "red", "green", "--quiet")
    assert shown.out.splitlines() == [
        "   3.5 s  the picture is red  [red]",
        "   6.5 s  the picture is green  [green]",
    ]
    assert shown.err == ""


def test_json_is_one_event_a_line(cli, clip):
    shown = cli("watch", clip, "red", "--json", "--threshold", "1.5", "--window", "4")
    assert shown.err == ""
    documents = events(shown)
    assert all((document["kairos"], document["version"]) == ("watch", 1) for document in documents)
    assert documents[0]["event"] == "start"
    assert documents[0]["source"] == str(clip)
    turns = [document for document in documents if document["event"] == "turn"]
    assert [(turn["role"], turn["time"]) for turn in turns] == [("user", 0.0), ("assistant", 3.5)]
    assert turns[1]["query"] == "red"
    times = [time for document in documents if document["event"] == "scores" for time in document["times"]]
    assert times[-1] == 8.0
    assert documents[-1]["event"] == "end"
    assert (documents[-1]["ticks"], documents[-1]["turns"], documents[-1]["reason"]) == (16, 1, "end")


def test_the_command_line_agrees_with_python(cli, clip):
    from kairos.tasks import watch

    shown = cli("watch", clip, "red", "what is it ?", "--json")
    turns = [
        document for document in events(shown) if document["event"] == "turn" and document["role"] != "user"
    ]
    assert [(turn["time"], turn["text"], turn["query"]) for turn in turns] == [
        (turn.time, turn.text, turn.query) for turn in watch(DuetModel(), clip, "red", "what is it ?")
    ]


def test_unknown_words_are_named(cli, clip):
    shown = cli("watch", clip, "the dragon")
    assert shown.code == 0
    assert shown.out.startswith('   0.0 s  this model does not know "dragon"')
    assert "0 frames" not in shown.err
    assert "damaged" not in shown.err  # nothing was watched, so nothing is known of the file


def test_grounding_ends_in_an_answer(cli, clip):
    shown = cli("watch", clip, "red", "--preset", "ground", "--threshold", "0.2")
    assert shown.out.startswith("   3.5 s  the picture is red\n")
    assert re.search(r"1\s+\d\.\d s - \d\.\d s", shown.out)


def test_captions_as_they_come_and_their_steps_at_the_end(cli, clip, tmp_path, monkeypatch):
    preset = PRESETS["caption"]
    monkeypatch.setitem(PRESETS, "caption", replace(preset, total=0.5))  # one that is new is enough
    path = tmp_path / "a.vtt"
    shown = cli("caption", clip, "--live", "--save", path, "--quiet")
    assert shown.code == 0
    assert shown.out.splitlines()[:2] == ["   3.5 s  the picture is red", "   6.5 s  the picture is green"]
    assert f"saved: {path}" in shown.out
    assert [(round(cue.start, 1), round(cue.end, 1), cue.text) for cue in Timeline.from_vtt(path)] == [
        (0.0, 3.5, "the picture is red"),
        (3.5, 6.5, "the picture is green"),
    ]


def test_a_picture_for_each_query(cli, clip, tmp_path):
    shown = cli("watch", clip, "red", "green", "--plot", tmp_path / "a.png")
    assert shown.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.png", "a-2.png"]


def test_a_folder_of_images_plays_at_the_rate_that_is_given(cli, tmp_path):
    from matplotlib.image import imsave

    for name in range(1, 13):
        colour = (220, 20, 20) if name in (7, 8) else (0, 0, 0)
        imsave(tmp_path / f"{name}.png", np.full((48, 64, 3), colour, np.uint8))
    shown = cli("watch", tmp_path, "red", "--rate", "4")
    assert shown.out == "   2.0 s  the picture is red\n"
    assert ": 3.0 s, " in shown.err


def test_a_damaged_file_is_told(cli, tmp_path):
    whole = write_clip(tmp_path / "whole.mp4", [(1.0, 2.0, "red")], movflags="faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    shown = cli("watch", cut, "red")
    assert shown.out == "   1.5 s  the picture is red\n"
    assert re.search(r"note: the file is damaged: [\d.]+ s - 8\.0 s could not be decoded\n", shown.err)


# what is saved -----------------------------------------------------------------------------------------------


def test_save_is_the_whole_timeline_at_the_end(cli, clip, tmp_path):
    path = tmp_path / "a.jsonl"
    shown = cli("watch", clip, "red", "--save", path)
    assert f"saved: {path}" in shown.out
    saved = Timeline.from_jsonl(path)
    assert (saved.video, saved.duration) == (str(clip), pytest.approx(8.0, abs=0.2))
    assert [turn.time for turn in saved.filter("turn")] == [0.0, 3.5]
    (answer,) = saved.answers
    assert (answer.kind, answer.query, len(answer.curve)) == ("watch", "red", 16)


def test_kill_9_leaves_every_turn_that_was_printed(long_clip, tmp_path):
    path = tmp_path / "a.jsonl"
    with process(
        "watch", long_clip, "red", "--threshold", "1.5", "--save", path, "--quiet", text=True
    ) as running:
        printed = [running.stdout.readline() for _ in range(3)]
        running.send_signal(signal.SIGKILL)
        printed += running.stdout.read().splitlines(keepends=True)
    assert running.returncode == -signal.SIGKILL
    turns = [turn for turn in Timeline.from_jsonl(path) if turn.role == "assistant"]
    assert len(turns) >= len([line for line in printed if line.endswith("\n")]) >= 3
    assert turns[0].time == 2.5


def test_ctrl_c_ends_with_a_summary_and_a_finished_timeline(long_clip, tmp_path):
    path = tmp_path / "a.jsonl"
    with process("watch", long_clip, "red", "--threshold", "1.5", "--save", path, text=True) as running:
        printed = [running.stdout.readline() for _ in range(2)]
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in errors
    summary, last = errors.splitlines()
    assert re.fullmatch(r"watched .*long\.mp4: [\d.:]+ s?, [\d.]+ times real time, \d+ turns", summary)
    assert last == "kairos: interrupted"
    assert output.splitlines()[-1] == f"saved: {path}"
    saved = Timeline.from_jsonl(path)
    assert saved.answers, "it was finished"
    turns = [turn for turn in saved.filter("turn") if turn.role == "assistant"]
    assert len(turns) == len([*printed, *output.splitlines()]) - 1


def test_ctrl_c_ends_json_with_an_end(cli, clip, monkeypatch):
    def interrupted(self, frames, audio):
        raise KeyboardInterrupt

    monkeypatch.setattr("duets.ColourDuet.see", interrupted)
    shown = cli("watch", clip, "red", "--json")
    assert shown.code == 130
    assert shown.err == "kairos: interrupted\n"
    assert events(shown)[-1]["reason"] == "interrupted"


def test_a_reader_that_leaves_is_no_error(long_clip, tmp_path):
    path = tmp_path / "a.jsonl"
    with process(
        "watch", long_clip, "red", "--threshold", "1.5", "--save", path, "--quiet", pause=0.005, text=True
    ) as running:
        running.stdout.readline()
        running.stdout.close()
        errors = running.stderr.read()
    assert (running.returncode, errors) == (0, "")
    assert Timeline.from_jsonl(path).answers


# questions ---------------------------------------------------------------------------------------------------


def test_a_question_may_be_typed_while_it_runs(long_clip):
    with process("watch", long_clip, "green", stdin=subprocess.PIPE, text=True) as running:
        running.stdin.write("when is it red ?\n\nwhat is the dragon ?\n")
        running.stdin.flush()
        lines = [running.stdout.readline() for _ in range(4)]
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    asked = [line for line in lines if "> " in line]
    assert [line.split("> ")[1].strip() for line in asked] == ["when is it red ?", "what is the dragon ?"][
        : len(asked)
    ]
    assert any("the picture is red  [when is it red ?]" in line for line in lines)
    assert any('this model does not know "dragon"' in line for line in lines)


def test_stdin_is_read_only_where_it_is_the_users(tmp_path, monkeypatch):
    (tmp_path / "list").write_text("red\n")
    read, write = os.pipe()
    with open(read) as pipe, open(write, "w"), open(tmp_path / "list") as loop, open(os.devnull) as nothing:
        for stdin, expected in ((pipe, True), (loop, False), (nothing, False), (None, False)):
            monkeypatch.setattr("sys.stdin", stdin)
            assert questions.asks("a.mp4") is expected
        monkeypatch.setattr("sys.stdin", pipe)
        assert not questions.asks("-")
    assert not questions.asks("a.mp4"), "closed"


def test_lines_are_asked_as_they_come_and_the_last_needs_no_end(monkeypatch):
    read, write = os.pipe()
    with open(read) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        heard: queue.Queue[str] = queue.Queue()
        questions.listen(heard.put)
        for part in (b"when is", b" it red ?\n\xff\nand", b" green ?"):
            os.write(write, part)
        assert heard.get(timeout=5) == "when is it red ?"
        os.close(write)
        assert [heard.get(timeout=5), heard.get(timeout=5)] == ["\ufffd", "and green ?"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_on_a_terminal_a_status_stands_below_the_turns(long_clip):
    here, there = pty.openpty()
    with process(
        "watch",
        long_clip,
        "red",
        "--threshold",
        "1.5",
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(there, termios.TIOCSCTTY, 0),
    ) as running:
        os.close(there)
        shown = b""
        until = time.monotonic() + 20
        asked = False
        while time.monotonic() < until and b"[what is red ?]" not in shown:
            if select.select([here], [], [], 0.2)[0]:
                shown += os.read(here, 4096)
            if not asked and b"real time" in shown:
                os.write(here, b"what is red ?\n")
                asked = True
        os.write(here, b"\x03")
        while True:
            try:
                shown += (read := os.read(here, 4096))
            except OSError:
                break
            if not read:
                break
        running.wait(20)
    os.close(here)
    text = shown.decode()
    assert running.returncode == 130
    assert re.search(r"\r[\d.:]+ s, [\d.]+ times real time +> ", text), text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]", "", text)
    assert re.search(r"\r +[\d.]+ s  > what is red \?\r\n", plain)
    assert re.search(r"\r +[\d.]+ s  the picture is red  \[what is red \?\]\r\n", plain)


# what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["watch needs a query"]),
        (["  "], ["a query is empty"]),
        (["red", "--preset", "talk"], ["--preset talk", "magqa"]),
        (["red", "--threshold", "-1"], ["--threshold -1"]),
        (["red", "--threshold", "high"], ["--threshold"]),
        (["red", "--heads", "hydra"], ["--heads hydra", "track or context"]),
        (["red", "--window", "0"], ["--window 0"]),
        (["red", "--keep-replies"], ["--keep-replies needs --heads context"]),
        (["red", "--save", "a.json"], ["--save a.json", ".jsonl"]),
        (["red", "--save", "none/a.jsonl"], ["--save none/a.jsonl", "mkdir -p"]),
        (["red", "--plot", "a.gif"], ["--plot a.gif", ".png"]),
        (["red", "--fps", "3"], ["--fps"]),
    ],
)
def test_it_refuses(cli, clip, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    shown = cli("watch", clip, *arguments)
    refused(shown, *words)
    assert shown.loaded == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["watch", "red"], ["caption", "--live"]])
@pytest.mark.parametrize("wrong", ["missing", "empty", "noise"])
def test_a_file_that_is_no_video(cli, tmp_path, command, wrong):
    path = tmp_path / f"{wrong}.mp4"
    if wrong != "missing":
        path.write_bytes(b"" if wrong == "empty" else bytes(i * 7919 % 251 for i in range(50_000)))
    name, *rest = command
    shown = cli(name, path, *rest, "--save", tmp_path / "a.jsonl")
    refused(shown, path.name)
    assert shown.loaded == []
    assert not (tmp_path / "a.jsonl").exists()


def test_a_picture_of_what_is_live_is_refused(cli):
    shown = cli("watch", "rtsp://127.0.0.1:9/a", "red", "--plot", "a.png")
    refused(shown, "--plot needs a file")
    assert shown.loaded == []


@pytest.mark.parametrize("source", ["rtsp://127.0.0.1:9/a", "-", "/dev/video77"])
def test_captions_of_what_is_live_need_to_be_live(cli, source):
    shown = cli("caption", source)
    refused(shown, f"{source} is no file", "--live")
    assert shown.loaded == []


def test_a_camera_that_is_not_there(cli):
    shown = cli("watch", "/dev/video77", "red")
    refused(shown, "no camera /dev/video77")
    assert shown.loaded == []


@pytest.mark.parametrize("option", ["--start", "--end", "--fps"])
def test_captions_live_take_no_part_of_a_video(cli, clip, option):
    refused(cli("caption", clip, "--live", option, "1"), f"{option} does not go with --live")


def test_a_model_that_breaks_tells_so_once_and_keeps_what_was_said(cli, clip, tmp_path, monkeypatch):
    from duets import ColourDuet

    see = ColourDuet.see
    monkeypatch.setattr("kairos.tasks.watching.CHUNK_TICKS", 4)

    def breaks(self, frames, audio):
        if self.ticks >= 8:
            raise RuntimeError("the disk\nis on fire")
        return see(self, frames, audio)

    monkeypatch.setattr(ColourDuet, "see", breaks)
    path = tmp_path / "a.jsonl"
    shown = cli("watch", clip, "red", "--save", path)
    assert shown.code == 1
    assert shown.out == "   3.5 s  the picture is red\n"
    assert shown.err.count("the disk is on fire") == 1
    assert [turn.time for turn in Timeline.from_jsonl(path).filter("turn")] == [0.0, 3.5]


def test_help_and_the_debug_traceback(cli, clip, loaded):
    assert "SOURCE" in cli("watch", "--help").out
    with pytest.raises(kairos.KairosError):
        main(["watch", str(clip), "--debug"])
