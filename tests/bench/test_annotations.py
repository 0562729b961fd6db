"""Readers of official annotation files: small files of each format, every way to be wrong, and the real ones if at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from official import shared

from kairos.bench.annotations import FORMATS, read
from kairos.errors import AnnotationError, TimelineError
from kairos.timeline import Answer, Moment

ANET = {
    "v_a": {
        "duration": 20.0,
        "timestamps": [[0, 8.5], [6, 20.01]],
        "sentences": ["A man sits.", " He leaves. "],
    },
    "v_b": {"duration": 5, "timestamps": [[1, 2]], "sentences": ["Rain."]},
}
TACOS = {"s1.avi": {"fps": 25.0, "num_frames": 1000, "timestamps": [[50, 125]], "sentences": ["She cuts."]}}
CHARADES = (
    "3MSZA 24.3 30.4##person turn a light on.\nAMT7R 4.3 12.5##a person waits.\n\n3MSZA 0.0 2##he sits\n"
)
DIDEMO = [
    {
        "num_segments": 6,
        "description": "bird flys by",
        "times": [[4, 4], [2, 2], [4, 5], [4, 4]],
        "video": "b.m4v",
        "annotation_id": 7,
    }
]
STEPS = [{"index": 0, "heading": "add salt ", "absolute_bounds": [60, 80]}]
HIREST = {
    "Make Tea": {
        "t.mp4": {"relevant": True, "clip": True, "v_duration": 207.08, "bounds": [50, 121], "steps": STEPS}
    },
    "Make Ink": {"i.mp4": {"relevant": True, "clip": False, "v_duration": 90, "bounds": [0, 0], "steps": []}},
}
WINDOWS = [
    {
        "qid": 1,
        "query": "a man eats",
        "duration": 150,
        "vid": "j_0.0",
        "relevant_windows": [[72, 82], [84, 94]],
    },
    {"qid": 2, "query": "nothing", "duration": 150, "vid": "j_0.0", "relevant_windows": []},
    {"qid": 3, "query": "a test query", "duration": 150, "vid": "k", "relevant_windows": None},
]
TVR = [
    {"vid_name": "f_1", "duration": 61.4, "ts": [16.4, 33.8], "desc": "She nods.", "type": "v", "desc_id": 90}
]
TVGBENCH = [
    {
        "path": "./v/K.mp4",
        "question": "he sat",
        "answer": "3.4-8.1",
        "start": None,
        "end": None,
        "duration": 30.1,
    },
    {
        "path": "./v/K.mp4",
        "question": "he ate",
        "answer": "1-8",
        "start": 10.0,
        "end": 20.0,
        "duration": 10.0,
    },
]
OWN = [
    {"kind": "world", "name": "test-0", "duration": 12.5},
    {"kind": "watch", "query": "what happens ?", "moments": [{"start": 1, "end": 2, "label": "it blinks"}]},
]


def lines(rows: list) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def only(path: Path) -> dict:
    return {timeline.video: timeline for timeline in read(path).timelines}


def test_sentences_with_timestamps(tmp_path):
    path = write(tmp_path, "val_1.json", ANET)
    assert read(path).format == "activitynet"
    found = only(path)
    assert list(found) == ["v_a", "v_b"]
    assert found["v_a"].duration == 20.0
    assert found["v_a"].moments == (
        Moment(0, 8.5, label="A man sits."),
        Moment(6, 20.01, label="He leaves."),
    )


def test_times_in_frames_become_seconds(tmp_path):
    (timeline,) = read(write(tmp_path, "test.json", TACOS)).timelines
    assert timeline.duration == 40.0
    assert timeline.moments == (Moment(2.0, 5.0, label="She cuts."),)


def test_charades_with_lengths_where_the_table_lies_beside(tmp_path):
    path = write(tmp_path, "charades_sta_test.txt", CHARADES)
    found = only(path)
    assert [len(t) for t in found.values()] == [2, 1]
    assert found["3MSZA"].moments[1] == Moment(0, 2, label="he sits")
    assert found["3MSZA"].duration is None
    write(tmp_path, "Charades_v1_test.csv", 'id,script,length\n3MSZA,"a, ""b""\nc",31.5\nAMT7R,x,\n')
    assert [t.duration for t in only(path).values()] == [31.5, None]


def test_didemo_takes_the_moment_on_which_people_agree(tmp_path):
    (timeline,) = read(write(tmp_path, "val_data.json", DIDEMO)).timelines
    (answer,) = timeline.answers
    assert (timeline.video, timeline.duration) == ("b.m4v", 30.0)
    assert (answer.kind, answer.query, answer.id) == ("ground", "bird flys by", "7")
    assert answer.moments[0].span == (20.0, 25.0)
    assert answer.moments[0].score == pytest.approx((1 + 0 + 0.5 + 1) / 4)


def test_hirest_prompts_are_grounded_and_steps_are_captions(tmp_path):
    (timeline,) = read(write(tmp_path, "all_data_val.json", HIREST)).timelines
    ground, caption = timeline.answers
    assert (ground.kind, ground.query, ground.span) == ("ground", "Make Tea", (50, 121))
    assert (caption.kind, caption.text, caption.span) == ("caption", "add salt", (60, 80))


def test_queries_with_windows(tmp_path):
    (timeline,) = read(write(tmp_path, "val.jsonl", lines(WINDOWS))).timelines
    first, absent = timeline.answers
    assert [m.span for m in first.moments] == [(72, 82), (84, 94)]
    assert first.id == "1"
    assert absent == Answer("ground", "nothing", abstained=True, id="2")
    (timeline,) = read(write(tmp_path, "tvr.jsonl", lines(TVR))).timelines
    assert timeline.answers == (
        Answer("ground", "She nods.", moments=(Moment(16.4, 33.8),), id="90", tags=("v",)),
    )


def test_a_part_of_a_video_is_a_video(tmp_path):
    found = only(write(tmp_path, "tvgbench.json", TVGBENCH))
    assert {name: t.duration for name, t in found.items()} == {"K.mp4": 30.1, "K.mp4#t=10.0,20.0": 10.0}
    assert found["K.mp4"].answers[0].span == (3.4, 8.1)


def test_kairos_reads_its_own(tmp_path):
    (timeline,) = read(write(tmp_path, "a.timeline.jsonl", lines(OWN))).timelines
    assert (timeline.video, timeline.duration) == ("test-0", 12.5)
    assert timeline.answers[0].moments[0].label == "it blinks"
    header = {"kairos": "timeline", "version": 1, "video": "b.mp4", "duration": 3}
    (timeline,) = read(write(tmp_path, "b.jsonl", lines([header, OWN[1]]))).timelines
    assert (timeline.video, timeline.duration) == ("b.mp4", 3.0)


def test_every_problem_of_a_file_is_told_at_once_with_its_place(tmp_path):
    bad = {
        "v_ok": {"duration": 9.0, "timestamps": [[1, 2]], "sentences": ["Fine."]},
        "v_span": {
            "duration": 9.0,
            "timestamps": [[2, 1], [3, 3], [-1, 2], [9.5, 10], [1], ["a", 2], [1, 2]],
            "sentences": [*"abcdef", "kept"],
        },
        "v_words": {"duration": 9.0, "timestamps": [[1, 2], [3, 4]], "sentences": ["  ", 5]},
        "v_count": {"duration": 9.0, "timestamps": [[1, 2]], "sentences": []},
        "v_length": {"timestamps": [[1, 2]], "sentences": ["a"]},
        "v_zero": {"duration": 0, "timestamps": [[1, 2]], "sentences": ["a"]},
        "v_list": [],
    }
    path = write(tmp_path, "bad.json", bad)
    with pytest.raises(AnnotationError) as caught:
        read(path)
    errors = caught.value.errors
    assert len(errors) == 12
    assert str(caught.value).startswith("12 problems: ")
    assert "and 4 more" in str(caught.value)
    assert caught.value.exit_code == 2
    for place, reason in (
        ("v_span.timestamps[0]", "reversed"),
        ("v_span.timestamps[1]", "holds no time"),
        ("v_span.timestamps[2]", "begins before"),
        ("v_span.timestamps[3]", "begins after the video's 9 s"),
        ("v_span.timestamps[4]", "pair of seconds"),
        ("v_span.timestamps[5]", "must be a number"),
        ("v_words.sentences[0]", "blank"),
        ("v_words.sentences[1]", "must be a string"),
        ("v_count", "one length"),
        ("v_length.duration", "must be a number"),
        ("v_zero.duration", "cannot last 0 s"),
        ("v_list", "an object"),
    ):
        assert any(f"{path}: {place}: " in error and reason in error for error in errors), (place, errors)
    found = read(path, leave_out=True)
    assert found.problems == errors
    assert [(t.video, len(t)) for t in found.timelines] == [("v_ok", 1), ("v_span", 1)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", lines([WINDOWS[0]]) + "{broken\n", ":2: not JSON"),
        ("a.jsonl", lines([WINDOWS[0]]) + "[1]\n", ":2: a line must hold one JSON object"),
        ("a.jsonl", lines([WINDOWS[0]]) + '{"vid": "x", "duration": NaN}\n', ":2: not JSON: NaN"),
        ("a.jsonl", "[" * 100_000 + "\n", ":1: not JSON: nested too deeply"),
        (
            "a.jsonl",
            lines([WINDOWS[0], {**WINDOWS[0], "duration": 90}]),
            ":2: j_0.0 lasts 90 s here and 150 s",
        ),
        ("a.jsonl", lines([{**WINDOWS[0], "relevant_windows": "all"}]), ":1: relevant_windows must be"),
        ("a.jsonl", lines([{**WINDOWS[0], "vid": 5}]), ":1: the video's name"),
        ("a.jsonl", lines([{**WINDOWS[0], "query": None}]), ":1: the query must be a string"),
        ("a.jsonl", lines([{**WINDOWS[0], "duration": True}]), ":1: duration must be a number"),
        ("a.txt", "3MSZA 24.3 30.4##on\nno span here\n", ":2: a line must read"),
        ("a.txt", "3MSZA 24.3 30.4##on\nX one 2##b\n", ":2: one and 2 are not seconds"),
        ("a.txt", "X 1 2##  \n", ":1: the sentence is blank"),
        ("a.txt", "X nan 2##b\n", ":1: start must be finite"),
        ("a.txt", "X 8.0 7.0##b\n", ":1: the span [8, 7) is reversed"),
        ("a.json", [{**DIDEMO[0], "times": []}], "[0].times: must be a list"),
        ("a.json", [{**DIDEMO[0], "times": [[0, 1.5]]}], "[0].times[0]: must be a pair of segments"),
        ("a.json", [{**DIDEMO[0], "times": [[6, 6]]}], "begins after"),
        ("a.json", [{**DIDEMO[0]}, 3], "[1]: must be an object"),
        (
            "a.json",
            {"Make Tea": {"t.mp4": {"clip": True, "bounds": [5, 1], "v_duration": 9}}},
            "bounds: the span",
        ),
        ("a.json", {**HIREST, "Make Mud": 3}, "Make Mud: must be"),
        ("a.json", [{**TVGBENCH[0], "answer": "soon"}], "[0].answer: must read"),
        ("a.jsonl", lines([*OWN, {"kind": "monent"}]), ":3: unknown kind"),
        ("a.jsonl", lines([OWN[1], {"kind": "world", "duration": -1}]), "cannot last -1 s"),
    ],
)
def test_problems(tmp_path, name, content, reason):
    path = write(tmp_path, name, content)
    with pytest.raises(AnnotationError) as caught:
        read(path)
    (error,) = caught.value.errors
    assert error.startswith(str(path))
    assert reason in error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", "{}", "holds no annotations"),
        ("a.json", "[]", "holds no annotations"),
        ("a.jsonl", "", "holds no annotations"),
        ("a.json", '{"a": 1}', "no known annotation format"),
        ("a.json", "3", "no known annotation format"),
        ("a.jsonl", '{"vid": "a", "relevant_windows": null}\n', "no known annotation format"),
        ("a.csv", CHARADES, "no known annotation format"),
        ("a.txt", "hello\n", "no known annotation format"),
    ],
)
def test_files_of_no_known_format(tmp_path, name, content, reason):
    with pytest.raises(AnnotationError, match=reason) as caught:
        read(write(tmp_path, name, content))
    assert all(known in caught.value.hint for known in FORMATS)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(TimelineError, match="cannot be read"):
        read(tmp_path / "missing.json")
    with pytest.raises(TimelineError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{\n"\xe9": 1}')
    with pytest.raises(TimelineError, match=r"latin.json:2: not UTF-8"):
        read(tmp_path / "latin.json")
    with pytest.raises(TimelineError, match=r"cut.json:2: not JSON"):
        read(write(tmp_path, "cut.json", '{"a":\n'))
    with pytest.raises(TimelineError, match=r"nan.json:3: not JSON: -Infinity is not a number"):
        read(write(tmp_path, "nan.json", '{"v_a": {\n"sentences": ["NaN"],\n"x": -Infinity}}'))


def test_reading_needs_nothing_heavy():
    code = (
        "import sys, kairos.bench.annotations; "
        "print(sorted({'torch', 'av', 'pydantic', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


OFFICIAL = [  # file, format, videos, records, entries with problems
    ("activitynet_captions/val_1.json", "activitynet", 4917, 17505, 0),
    ("activitynet_captions/val_2.json", "activitynet", 4885, 17031, 0),
    ("youcook2/yc2_val.json", "activitynet", 457, 3492, 0),
    ("tacos/test.json", "activitynet", 25, 4001, 0),
    ("charades_sta/charades_sta_test.txt", "charades", 1334, 3720, 0),
    ("charades_sta/charades_sta_train.txt", "charades", 5336, 12404, 4),
    ("didemo/val_data.json", "didemo", 1094, 4180, 0),
    ("hirest/all_data_val.json", "hirest", 193, 796, 3),
    ("qvhighlights/highlight_train_release.jsonl", "moments", 7100, 7218, 0),
    ("qvhighlights/highlight_val_release.jsonl", "moments", 1519, 1550, 0),
    ("audio_moment/castella_test_release.jsonl", "moments", 565, 1345, 4),
    ("audio_moment/clotho_moment_val_release.jsonl", "moments", 4107, 4918, 0),
    ("audio_moment/unav100-subset_test_release.jsonl", "moments", 77, 100, 0),
    ("tvr/tvr_val_release.jsonl", "moments", 2179, 10895, 0),
    ("tvgbench/tvgbench.json", "tvgbench", 529, 789, 11),
]


@pytest.mark.parametrize(("name", "form", "videos", "records", "problems"), OFFICIAL)
def test_official_files(name, form, videos, records, problems):
    path = shared(f"annotations/{name}")
    found = read(path, leave_out=True)
    assert found.format == form
    assert (len(found.timelines), sum(map(len, found.timelines))) == (videos, records)
    assert len(found.problems) == problems
