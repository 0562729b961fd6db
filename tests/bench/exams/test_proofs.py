"""Answers with the moment that proves them, in the official formats."""

from __future__ import annotations

import json

import pytest

from kairos.errors import AnnotationError

TABLE = (
    "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    "one,80,64,48,red,red,1,CW,blue,red,green,white,black\n"
    "one,80,64,48,blue,green,2,CW,white,black,green,grey,pink\n"
)


def test_next_gqa_takes_its_questions_from_the_table_beside(sit, write, tmp_path):
    write("val.csv", TABLE)
    located = {"one": {"duration": 8, "location": {"1": [[1.0, 3.0]], "2": [[4.0, 6.0]]}, "fps": 10}}
    report, lines = sit("nextgqa", write("gsub_val.json", located))
    assert (
        report.find("Acc@QA", "official").value == 1.0
    )  # blue is nowhere; of what is named green is all there is
    assert report.find("Acc@GQA", "official").value == 0.5
    assert report.find("TIoU@0.5", "strict").value == 0.5
    assert lines["one_1"]["options"][1] == "red"
    assert json.loads((tmp_path / "out/ground.json").read_text()) == {"one_1": [1.0, 3.0], "one_2": None}
    assert json.loads((tmp_path / "out/answers.json").read_text())["one_2"] == {"answer": 2, "prediction": 2}


def test_next_gqa_without_its_table_says_what_is_missing(sit, write):
    located = {"one": {"duration": 8, "location": {"1": [[1.0, 3.0]]}, "fps": 10}}
    with pytest.raises(AnnotationError, match=r"1 grounded questions have no words: one_1.*test\.csv"):
        sit("nextgqa", write("gsub_test.json", located))


def test_rextime(sit, write, tmp_path):
    row = {"qid": 4, "vid": "one", "duration": 8.0, "question": "red", "options": ["blue", "red"], "ans": "B",
           "relevant_windows": [[1.0, 3.0]]}  # fmt: skip
    report, _ = sit("rextime", write("rextime_val.jsonl", [row]))
    assert report.find("VQA,mIoU@0.5", "official").value == 1.0
    said = json.loads((tmp_path / "out/predictions.jsonl").read_text())
    assert (said["qid"], said["ans"]) == (4, "B")
