from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from official import shared

from kairos.bench.protocols.scoring import match, score
from kairos.errors import AnnotationError
from kairos.score import java


@pytest.fixture
def without_java(monkeypatch):
    monkeypatch.setattr(java, "available", lambda: False)


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


REF = {
    "a": {
        "duration": 30,
        "timestamps": [[0, 10], [10, 20]],
        "sentences": ["cut the red onion", "fry it in oil"],
    },
    "b": {"duration": 30, "timestamps": [[0, 10]], "sentences": ["wash the green leaves"]},
}
PRED = {
    "a": [
        {"timestamp": [0, 10], "caption": "Cut the red onion."},
        {"timestamp": [25, 30], "caption": "Serve."},
    ],
    "b": [{"timestamp": [0, 5], "caption": "wash the green leaves"}],
}


def test_what_the_official_protocol_averages(tmp_path, without_java):
    found = score(
        "dense-captions", write(tmp_path / "p.json", PRED), write(tmp_path / "r.json", REF), rounds=0
    )
    assert found.value("Precision") == pytest.approx((0.5 + 1 / 4) / 2)  # an IoU of 0.5 is not above 0.5
    assert found.value("Recall", way="strict") == pytest.approx((0.5 + 2 / 4) / 2)
    assert found.value("F1") == pytest.approx((0.5 + 1 / 4) / 2)
    assert found.value("CIDEr", way="strict") > found.value("CIDEr")  # of one video alone, words tell little
    notes = found.report().notes
    assert any("without METEOR" in note and "captions" in note for note in notes)
    with pytest.raises(KeyError):
        found.value("METEOR")


java_wanted = pytest.mark.skipif(
    "KAIROS_JAVA" not in os.environ or not java.available(),
    reason=f"METEOR takes half a minute to start: set KAIROS_JAVA=1; {java.WAY_OUT}",
)


@java_wanted
def test_the_published_meteor_of_mdvc():
    folder = shared("metrics/dvc_activitynet_gtseg")
    wanted = json.loads((folder / "expected/published_mdvc_val_1.json").read_text())["val_1"]
    found = score(
        "dense-captions",
        folder / "predictions/mdvc_results_val_1_e30.json",
        folder / "ground_truth/val_1.json",
        ways=("official",),
        missing="zero",
        rounds=0,
    )
    assert f"{100 * found.value('METEOR'):.4f}" == f"{wanted:.4f}"


@java_wanted
def test_meteor_and_soda_where_java_is(tmp_path):
    same = {
        v: [{"timestamp": s, "sentence": c} for s, c in zip(r["timestamps"], r["sentences"], strict=True)]
        for v, r in REF.items()
    }
    found = score(
        "dense-captions",
        write(tmp_path / "p.json", {"results": same}),
        write(tmp_path / "r.json", REF),
        rounds=0,
    )
    assert found.value("SODA_c") == pytest.approx(1.0, abs=1e-3)
    assert found.value("METEOR") == pytest.approx(1.0, abs=1e-3)
    assert found.value("F1") == 1.0


def test_letters_beyond_ascii_are_blanks_officially(tmp_path, without_java):
    ref = {
        "a": {"timestamps": [[0, 1]], "sentences": ["a cat (grey) sits in the caf\u00e9"]},
        "b": {"timestamps": [[0, 1]], "sentences": ["two dogs run over green grass"]},
    }
    values = []
    for words in (
        "a cat (grey) sits in the caf\u00e9",
        "a cat (grey) sits in the caf",
        "a cat grey sits in the caf\u00e9",
    ):
        pred = {
            "a": [{"timestamp": [0, 1], "caption": words}],
            "b": [{"timestamp": [1, 0], "caption": REF["b"]["sentences"][0]}],
        }
        found = score(
            "dense-captions", write(tmp_path / "p.json", pred), write(tmp_path / "r.json", ref), rounds=0
        )
        values.append((found.value("CIDEr"), found.value("CIDEr", way="strict")))
    assert values[0][0] == values[1][0]
    assert values[0][1] == values[2][1] > values[1][1]  # strictly brackets say nothing
    assert any("1 predicted spans end before they start" in note for note in found.report().notes)


def test_timechat_files_and_several_annotators(tmp_path, without_java):
    entry = {
        "image_id": ["x", "a.mp4"][-1],
        "segments": [[0, 10], [10, 20]],
        "pure_cap": "cut it. fry it",
    }
    ref = write(tmp_path / "r.json", {"annotations": [entry]})
    pred = write(tmp_path / "p.json", {"a.mp4": [{"timestamp": [0, 10], "caption": "cut it."}]})
    assert score("dense-captions", pred, ref, rounds=0).value("Precision") == 1.0
    (tmp_path / "both").mkdir()
    for k, start in enumerate((0, 20)):
        write(
            tmp_path / f"both/val_{k}.json",
            {"a": {"timestamps": [[start, start + 10]], "sentences": ["cut it"]}},
        )
    found = score("dense-captions", pred, tmp_path / "both", rounds=0)
    assert (found.value("Precision"), found.value("Recall")) == (1.0, 1.0)  # the better annotator counts


def test_bad_files(tmp_path, without_java):
    ref = write(
        tmp_path / "r.json",
        {
            "a": {"timestamps": [[0, 1]], "sentences": []},
            "b": {"timestamps": [["x", 1]], "sentences": ["w"]},
            "c": {"timestamps": [[0, 1]], "sentences": [7]},
            "d": {"timestamps": [[0, 1]], "sentences": ["w"]},
        },
    )
    with pytest.raises(AnnotationError) as caught:
        score("dense-captions", write(tmp_path / "p.json", {"d": "no list"}), ref)
    told = "\n".join(caught.value.errors)
    for part in ("a: needs as many", "b: spans must be", "c[0]: a sentence must be", "d: must be a list"):
        assert part in told


def test_youcook2_files_are_read_whole():
    folder = shared("metrics/dvc_youcook2_timechat")
    found = match(
        "dense-captions",
        folder / "predictions/example_pred_file.json",
        folder / "ground_truth/example_gt_file.json",
        missing="zero",
    )
    assert found.problems == ()
    assert len(found.pairs) == 415
