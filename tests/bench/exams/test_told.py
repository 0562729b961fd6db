"""What is told with its time, in the official formats."""

from __future__ import annotations

import json

import pytest
from duets import DuetModel

from kairos.errors import OptionError

TOLD = {
    "one": {
        "duration": 8.0,
        "timestamps": [[1, 3], [4, 6]],
        "sentences": ["the picture is red", "the picture is green"],
    }
}


def test_dense_captions(sit, write, tmp_path):
    report, lines = sit("dense-captions", write("val_1.json", TOLD))
    assert report.find("F1", "strict").value == 1.0
    said = json.loads((tmp_path / "out/predictions.json").read_text())["results"]["one"]
    assert said[0] == {"sentence": "the picture is red", "timestamp": [1.0, 3.0]}
    assert "the picture is green" in lines["one"]["raw_output"]


def test_steps_are_told_of_the_given_moment_alone(sit, write):
    steps = [{"index": 0, "heading": "red", "absolute_bounds": [1, 3]}]
    entry = {"relevant": True, "clip": True, "v_duration": 8.0, "bounds": [0, 3], "steps": steps}
    report, lines = sit("hirest-steps", write("all_data_val.json", {"Paint": {"one.mp4": entry}}))
    assert (
        report.find("recall@0.7", "official").value == report.find("precision@0.7", "official").value == 1.0
    )
    assert lines["one.mp4"]["frames"]["to_s"] == 3.0


def question(content):
    answers = [{"role": "assistant", "content": content, "reply_timespan": [1.0, 3.0]}]
    return [{"question_id": "q", "video": "one", "question": "red", "answers": answers}]


def test_standing_questions_are_answered_as_the_video_plays(sit, write):
    report, lines = sit("magqa", write("magqa.json", question("the red circle turns red")), model=DuetModel())
    assert report.find("told in their span", "strict").value == 1.0
    (said,) = lines["q"]["parsed_output"]["moments"]
    assert said["end"] == 1.5
    assert lines["q"]["query"] == "red"


def test_free_words_need_a_judge_before_anything_runs(sit, write, tmp_path):
    with pytest.raises(OptionError, match=r"magqa needs a judge here.*--judge"):
        sit("magqa", write("magqa.json", question("she pours the milk")), model=DuetModel())
    assert not (tmp_path / "out").exists()
    with pytest.raises(OptionError, match="dense-captions has no judge"):
        sit("dense-captions", write("val_1.json", TOLD), judge="http://localhost/v1#m")


PROACTIVE = [{"video_path": "./videos/one.mp4", "questions": [
    {"task_type": "Proactive Output", "question": "red", "time_stamp": "00:00:00",
     "ground_truth_time_stamp": "00:00:01", "ground_truth_output": "red"}]}]  # fmt: skip


def test_announcements_are_made_when_it_happens(sit, write):
    report, lines = sit(
        "streamingbench-proactive", write("questions_proactive.json", PROACTIVE), model=DuetModel()
    )
    assert report.find("time accuracy", "strict").value == 1.0
    assert lines["one-0"]["parsed_output"]["moments"][0]["end"] == 1.5
