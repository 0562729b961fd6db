"""Sets of sentences with spans, each in its official format: what a model that is right writes has full marks."""

from __future__ import annotations

import json

import pytest

SENTENCES = {"timestamps": [[1.0, 3.0], [4.0, 6.0]], "sentences": ["red", "green"]}
CLIP_S, RED, GREEN = 8.0, [1.0, 3.0], [4.0, 6.0]
FULL = [[4, 4, 4]]


def _queries(**more):
    return [
        {"qid": 1, "query": "red", "vid": "one", "duration": CLIP_S, "relevant_windows": [RED], **more},
        {"qid": 2, "query": "green", "vid": "one", "duration": CLIP_S, "relevant_windows": [GREEN]},
    ]


NLQ = {
    "version": "1.0",
    "videos": [
        {
            "video_uid": "whole",
            "clips": [
                {
                    "clip_uid": "one",
                    "video_start_sec": 100.0,
                    "video_end_sec": 108.0,
                    "annotations": [
                        {
                            "annotation_uid": "a",
                            "language_queries": [
                                {"query": "red", "clip_start_sec": 1.0, "clip_end_sec": 3.0},
                                {"query": "green", "clip_start_sec": 4.0, "clip_end_sec": 6.0},
                            ],
                        }
                    ],
                }
            ],
        }
    ],
}

SETS = {
    "charades": ("charades.txt", "one 1.0 3.0##red\none 4.0 6.0##green\n", "R1@0.7"),
    "activitynet": ("val_1.json", {"one": {"duration": CLIP_S, **SENTENCES}}, "R1@0.7"),
    "tacos": (
        "test.json",
        {"one.avi": {"fps": 10, "num_frames": 80, "timestamps": [[10, 30], [40, 60]], "sentences": ["red", "green"]}},
        "R1@0.7",
    ),
    "tvgbench": (
        "tvgbench.json",
        [
            {"path": "x/one.mp4", "question": "red", "answer": "1.0-3.0", "duration": 8, "start": None, "end": None},
            {"path": "x/one.mp4", "question": "green", "answer": "0.5-2.5", "duration": 4, "start": 3.5, "end": 7.5},
        ],
        "R1@0.7",
    ),
    "charades-timechat": (
        "test.json",
        {
            "annotations": [
                {"image_id": "one.mp4", "caption": "red", "timestamp": RED, "duration": CLIP_S, "id": 0},
                {"image_id": "one.mp4", "caption": "green", "timestamp": GREEN, "duration": CLIP_S, "id": 1},
            ]
        },
        "R1@0.7",
    ),
    "charades-vtimellm": ("test.json", {"one": {"duration": CLIP_S, **SENTENCES}}, "R1@0.7"),
    "audio-moments": ("test.jsonl", _queries(), "MR-R1@0.7"),
    "ego4d-nlq": ("nlq_val.json", NLQ, "Rank@1 mIoU@0.5"),
    "tvr": (
        "tvr_val.jsonl",
        [
            {"vid_name": "one", "duration": CLIP_S, "ts": RED, "desc": "red", "type": "v", "desc_id": 90},
            {"vid_name": "one", "duration": CLIP_S, "ts": GREEN, "desc": "green", "type": "t", "desc_id": 91},
        ],
        "0.7-r1",
    ),
    "hirest": (
        "all_data_val.json",
        {
            prompt: {"one.mp4": {"relevant": True, "clip": True, "v_duration": CLIP_S, "bounds": bounds, "steps": []}}
            for prompt, bounds in (("red", [1, 3]), ("green", [4, 6]))
        },
        "R@0.7",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_what_is_found_is_written_officially_and_scored(name, sit, write):
    file, content, measure = SETS[name]
    report, lines = sit(name, write(file, content))
    assert report.find(measure, "official").value == report.find(measure, "strict").value == 1.0
    assert len(lines) == 2
    for line in lines.values():
        assert line["prompt"] in ("red", "green")
        assert json.loads(line["raw_output"])["spans"]
        assert line["scores"]
        assert line["strict"]


def test_queryd_keeps_its_times_beside(sit, write):
    write("times_captions.pkl", {"one": [RED, GREEN]})
    report, _ = sit("queryd", write("raw_captions.pkl", {"one": [["red"], ["green"]]}))
    assert report.find("R1@0.7", "official").value == 1.0


def test_highlights_are_the_relevance_of_each_clip(sit, write, tmp_path):
    rows = _queries(relevant_clip_ids=[0, 1], saliency_scores=[[3, 3, 3], [4, 4, 4]])
    rows[1] |= {"relevant_clip_ids": [2], "saliency_scores": FULL}
    report, _ = sit("qvhighlights", write("highlight_val_release.jsonl", rows))
    assert report.find("MR-R1@0.7", "official").value == 1.0
    assert {m.value for m in report.measures if m.name == "HL-Hit1" and m.group == "strict"} == {1.0}
    first = json.loads((tmp_path / "out/predictions.jsonl").read_text().splitlines()[0])
    assert (first["qid"], first["vid"], len(first["pred_saliency_scores"])) == (1, "one", 4)


def test_didemo_ranks_every_run_of_segments(sit, write, tmp_path):
    rows = [
        {
            "annotation_id": 7,
            "video": "one.mov",
            "description": "red",
            "num_segments": 6,
            "times": [[0, 0]] * 4,
        },
        {
            "annotation_id": 8,
            "video": "one.mov",
            "description": "blue",
            "num_segments": 6,
            "times": [[1, 1]] * 4,
        },
    ]
    report, _ = sit("didemo", write("val_data.json", rows))
    assert report.find("rank@1", "official").value == 0.5
    ranked = json.loads((tmp_path / "out/predictions.json").read_text())
    assert len(ranked["7"]) == 21
    assert ranked["7"][0] == [0, 0]
    assert ranked["8"] == []


def test_words_that_the_model_has_never_seen_are_told_and_count_as_nothing(sit, write):
    from fakes import ColourModel

    report, lines = sit(
        "charades", write("charades.txt", "one 1 3##red\none 4 6##a purple cow\n"), model=ColourModel()
    )
    assert report.find("R1@0.5", "strict").value == 0.5
    assert lines["one#1"]["unknown_words"] == ["a", "purple", "cow"]
    assert any("never seen" in note for note in report.notes)
