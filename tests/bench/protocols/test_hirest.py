"""HiREST: the moment that a prompt asks for, and the bounds of its steps."""

from __future__ import annotations

import pytest

from kairos.bench.protocols.scoring import match, score
from kairos.errors import AnnotationError

REFS = {
    "Make Tea": {
        "t.mp4": {
            "clip": True,
            "v_duration": 200.0,
            "bounds": [50, 100],
            "steps": [
                {"heading": "boil", "absolute_bounds": [50, 60]},
                {"heading": "pour", "absolute_bounds": [60, 100]},
            ],
        },
        "u.mp4": {"clip": False, "v_duration": 90, "bounds": [0, 0]},
    },
    "Make Ink": {"i.mp4": {"clip": True, "v_duration": 90, "bounds": [0, 40], "steps": []}},
}


def test_moments(put):
    pred = put(
        "p.json", {"Make Tea": {"t.mp4": {"bounds": [50, 75]}}, "Make Ink": {"i.mp4": {"bounds": [0, 40]}}}
    )
    found = score("hirest", pred, put("r.json", REFS), rounds=0)
    # At the very threshold the 1e-8 that the script adds makes a miss of what is a hit.
    assert (found.value("R@0.5"), found.value("R@0.5", way="strict")) == (0.5, 1.0)
    assert found.value("R@0.7") == 0.5


def test_steps(put):
    pred = put("p.json", {"t.mp4": {"bounds": [[50, 60], [50, 60], [90, 100]]}})
    found = score("hirest-steps", pred, put("r.json", REFS), rounds=0)
    assert found.value("recall@0.5") == 0.5
    assert found.value("precision@0.5") == pytest.approx(2 / 3)
    assert found.value("precision@0.5", way="strict") == 0.5  # the copy is none
    other = put("s.json", {"t.mp4": {"bounds": [[50, 60], [60, 100]]}})
    assert score("hirest-steps", pred, other, rounds=0).value("recall@0.5") == 0.5


def test_categories_beside_the_references(put):
    kinds = {"prompt_to_cat": {"Make Tea": "Food", "Make Ink": "Crafts"}, "video_to_cat": {"t.mp4": "Food"}}
    put("categories.json", kinds)
    ref = put("r.json", REFS)
    said = {"Make Tea": {"t.mp4": {"bounds": [0, 20]}}, "Make Ink": {"i.mp4": {"bounds": [0, 40]}}}
    found = score("hirest", put("p.json", said), ref, rounds=0)
    assert (found.value("R@0.5", "Food"), found.value("R@0.5", "Crafts")) == (0.0, 1.0)
    steps = put("s.json", {"t.mp4": {"bounds": [[50, 60]]}})
    assert score("hirest-steps", steps, ref, rounds=0).value("recall@0.5", "Food") == 0.5
    put("categories.json", {"prompt_to_cat": []})
    with pytest.raises(AnnotationError, match=r"categories\.json: prompt_to_cat: must be an object"):
        match("hirest", put("p.json", said), ref)


def test_the_real_file_against_itself(shared):
    import json
    import tempfile
    from pathlib import Path

    path = shared("annotations/hirest/all_data_val.json")
    steps = {
        video: {"bounds": [step["absolute_bounds"] for step in entry["steps"]]}
        for videos in json.loads(path.read_text()).values()
        for video, entry in videos.items()
        if entry.get("clip") and entry.get("steps")
    }
    assert score("hirest", path, path, missing="skip", rounds=0).value("R@0.7", way="strict") == 1.0
    with tempfile.TemporaryDirectory() as folder:
        pred = Path(folder) / "p.json"
        pred.write_text(json.dumps(steps))
        found = score("hirest-steps", pred, path, missing="skip", rounds=0)
    for name in ("recall@0.7", "precision@0.7"):  # a step that holds no time fits nothing
        assert found.value(name, way="strict") > 0.99


def test_wrong_entries(put):
    with pytest.raises(AnnotationError, match=r"Make Tea.t.mp4: bounds\[0\] is reversed"):
        match("hirest", put("p.json", {"Make Tea": {"t.mp4": {"bounds": [9, 1]}}}), put("r.json", REFS))
    with pytest.raises(AnnotationError, match="must be an object with bounds"):
        match("hirest", put("p.json", {"Make Tea": [1, 2]}), put("r.json", REFS))
