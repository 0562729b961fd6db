"""StreamingBench's proactive questions: said in time, and the right words."""

from __future__ import annotations

import json

import pytest

from kairos.bench.protocols.scoring import match, score
from kairos.errors import AnnotationError

DUE_S = 29


def entry(number=1, output="3", **result):
    question = {
        "task_type": "Proactive Output",
        "question": f'When the scoreboard shows 3 points, output "{output}".',
        "time_stamp": "00:00:20",
        "ground_truth_time_stamp": "00:00:29",
        "ground_truth_output": output,
        **result,
    }
    return {"questions": [question], "video_path": f"./videos/sample_{number}_proactive.mp4"}


def dialog(*turns, answered):
    history = [{"role": "assistant", "content": words, "time": at, "cost": 1.0} for at, words in turns]
    return {"answered": answered, "dialog_history": history}


def test_official_results(put):
    said = [
        dialog((28, "no"), (29, "yes"), (29, "The score is 13."), answered=29),
        dialog((31, "yes"), (31, "3"), answered=31),
        dialog((32, "yes"), (32, "3"), answered=32),  # too late
        dialog(*((at, "no") for at in range(21, 32)), answered=False),  # broken off two seconds after
    ]
    pred = put("results.json", [entry(k, MODEL=one) for k, one in enumerate(said)])
    found = score("streamingbench-proactive", pred, rounds=0)
    assert found.value("time accuracy") == 0.75  # the last "no" came in time
    assert found.value("time accuracy", way="strict") == 0.5
    assert found.value("answer accuracy") == 0.5
    assert found.value("answer accuracy", way="strict") == 0.25  # "13" is not "3"
    assert found.value("said") == 0.75
    assert found.value("delay") == pytest.approx((0 + 2 + 3) / 3)


def test_lines(put):
    ref = put("ref.json", [entry(k, output="Break point") for k in range(3)])
    lines = [
        {"id": "sample_0_proactive-0", "time": 28.5, "response": "break point!"},
        {"id": "sample_1_proactive-0", "time": None},
        {"id": "sample_2_proactive-0", "time": 26.9, "response": "Break point"},  # too early
    ]
    found = score("streamingbench-proactive", put("said.jsonl", lines), ref, rounds=0)
    assert found.value("time accuracy") == pytest.approx(1 / 3)
    assert (found.value("answer accuracy"), found.value("answer accuracy", way="strict")) == (
        0.0,
        pytest.approx(1 / 3),
    )
    some = put("some.jsonl", lines[:1])
    assert score("streamingbench-proactive", some, ref, missing="zero", rounds=0).value(
        "said"
    ) == pytest.approx(1 / 3)


def test_the_official_questions(shared):
    path = shared("annotations/streamingbench/questions_proactive_50.json")
    document = json.loads(path.read_text())
    names = [f"{e['video_path'].split('/')[-1].removesuffix('.mp4')}" for e in document]
    assert len(set(names)) <= len(document)
    with pytest.raises(AnnotationError, match="51 problems"):  # questions alone say nothing
        match("streamingbench-proactive", path, path)


def test_every_problem_is_told(put):
    lines = [
        {"id": "sample_1_proactive-0", "time": "soon", "response": "3"},
        {"id": "x", "response": "3"},
        {"time": 1},
    ]
    broken = entry(2)
    broken["questions"][0]["time_stamp"] = "noon"
    with pytest.raises(AnnotationError) as caught:
        match("streamingbench-proactive", put("p.jsonl", lines), put("r.json", [entry(1), broken]))
    told = "\n".join(caught.value.errors)
    for part in (
        "p.jsonl:1: time must be a number",
        "p.jsonl:2: needs time",
        "p.jsonl:3: an id must be",
        "needs time_stamp and ground_truth_time_stamp",
    ):
        assert part in told
    nothing = put("n.json", [entry(1, MODEL={"answered": 3, "dialog_history": []})])
    with pytest.raises(AnnotationError, match="dialog_history must be a list"):
        match("streamingbench-proactive", nothing)
