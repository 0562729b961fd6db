"""Questions with options, CG-Bench's clues, and VideoZeroBench's levels."""

from __future__ import annotations

import json

import pytest

OPTIONS = ["blue", "red", "green"]

SETS = {
    "video-mme": [{"videoID": "one", "question_id": "001-1", "question": "red", "options": ["A. blue", "B. red"], "answer": "B", "duration": "short"}],
    "mvbench": [{"video": "one.mp4", "question": "red", "candidates": OPTIONS, "answer": "red"}],
    "mlvu": [{"video": "one.mp4", "duration": 8, "question": "red", "candidates": OPTIONS, "answer": "red", "question_type": "plotQA"}],
    "longvideobench": [{"video_id": "one", "id": "a", "question": "red", "candidates": OPTIONS, "correct_choice": 1, "duration_group": 15}],
    "lvbench": [{"key": "one", "qa": [{"uid": "1", "question": "red\n(A) blue\n(B) red", "answer": "B", "question_type": ["entity recognition"]}]}],
    "ovo-bench": [{"id": 0, "task": "EPM", "video": "one.mp4", "question": "red", "options": OPTIONS, "gt": 1, "realtime": 3.5}],
    "streamingbench": [{"video_path": "./one.mp4", "questions": [{"task_type": "t", "question": "red", "time_stamp": "00:00:03", "answer": "B", "options": OPTIONS}]}],
    "videoeval-pro": [{"video": "one.mp4", "question": "red", "options": ["A. blue", "B. red"], "answer": "B", "answer_text": "red", "qa_type": "LP"}],
    "tempcompass": {"one": {"attribute_change": [{"question": "red\nA. blue\nB. red", "answer": "B. red"}]}},
    "egoschema": [{"q_uid": "one", "question": "red", **{f"option {k}": name for k, name in enumerate([*OPTIONS, "w", "x"])}, "answer": "1"}],
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_each_set_is_asked_and_scored(name, sit, write):
    content = SETS[name]
    if name == "lvbench":
        path = write("lvbench.jsonl", content)
    elif name == "videoeval-pro":
        path = write("videoeval_pro.jsonl", content)
    elif name == "egoschema":
        content[0]["answer"] = 1
        path = write("egoschema.json", content)
    else:
        path = write("questions.json", content)
    report, lines = sit(name, path)
    (line,) = lines.values()
    assert line["raw_output"] == line["parsed_output"] == line["answer"] == "B"
    first = next(m for m in report.measures if m.name != "unread")
    assert first.value == 1.0


def test_cg_bench_asks_of_the_whole_of_the_clues_and_where_they_are(sit, write, tmp_path):
    clued = {"qid": 14, "video_uid": "one", "question": "green", "answer": "green", "choices": ["red", "green"], "right_answer": "B",
             "clue_intervals": [[4.5, 5.5], [6, 6.5]], "sub_category": "k", "duration": 8}  # fmt: skip
    report, lines = sit("cg-bench", write("cgbench_mini.json", [clued]))
    steps = lines["14"]["steps"]
    assert steps["long"]["parsed_output"] == "A"  # as much red as green, red first
    assert steps["clue"]["parsed_output"] == "B"
    assert steps["clue"]["frames"]["to_s"] == 1.5
    said = json.loads((tmp_path / "out/predictions.jsonl").read_text())
    assert said == {"qid": "14", "long": "A", "clue": "B", "intervals": [[4.0, 6.0]]}
    assert report.find("clue_acc", "strict").value == 1.0
    assert report.find("mIoU", "official").value == pytest.approx(1.0 / 2.5)


def test_five_levels(sit, write, tmp_path):
    row = {"question_id": 3, "video": "one.mp4", "question": "red", "answer": "red",
           "evidence_windows": [{"start": 1.0, "end": 3.0}],
           "evidence_boxes": [{"time": 2.0, "box": [0.0, 0.0, 1.0, 1.0]}]}  # fmt: skip
    report, lines = sit("videozerobench", write("videozero.json", [row]))
    assert {m.name: m.value for m in report.measures if m.group == "strict"}["Level-5_score"] == 1.0
    steps = lines["3"]["steps"]
    assert "from 1 to 3 s" in steps["level-1"]["prompt"]
    assert "[0, 0, 1000, 1000]" in steps["level-1"]["prompt"]
    assert "from 1 to 3 s" not in steps["level-3"]["prompt"]
    said = json.loads((tmp_path / "out/predictions.jsonl").read_text())["prediction"]
    assert said["level-4"] == "from 1.00 to 3.00"
    assert json.loads(said["level-5"]) == [{"time": 2.0, "bbox_2d": [0, 0, 1000, 1000]}]
