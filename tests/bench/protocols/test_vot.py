from __future__ import annotations

import json
from pathlib import Path

import pytest
from official import shared

from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError

TRUE = [10, 10, 20, 20]
HIT, MISS = "10,10,20,20", "10,20,20,20"  # an IoU of 1, and of a third


def files(folder: Path, said: list[str], **sequence: object) -> tuple[Path, Path]:
    entry = {"gt_rect": [TRUE] * len(said), "width": 100, "height": 80, **sequence}
    ref = folder / "VOT.json"
    ref.write_text(json.dumps({"ants": entry}))
    (folder / "mine/baseline/ants").mkdir(parents=True, exist_ok=True)
    (folder / "mine/baseline/ants/ants_001.txt").write_text("\n".join(said) + "\n")
    return folder / "mine", ref


def test_published_values_to_the_last_digit():
    folder = shared("metrics/tracking_vot")
    wanted = json.loads((folder / "expected/published_open.json").read_text())["SiamCAR VOT2018"]
    found = score(
        "vot2018", folder / "predictions", folder / "ground_truth/VOT2018.json", ways=("official",), rounds=0
    )
    assert f"{found.value('Accuracy'):.3f}" == f"{wanted['Accuracy']:.3f}"
    assert f"{found.value('Robustness'):.3f}" == f"{wanted['Robustness']:.3f}"
    assert f"{found.value('EAO'):.3f}" == f"{wanted['EAO']:.3f}"
    assert found.value("Lost Number") == wanted["LostNumber"]


def test_the_first_ten_frames_after_a_start_say_nothing_about_accuracy(tmp_path):
    said = ["1", *[HIT] * 9, MISS, MISS, "2", *["0"] * 4, "1", *[HIT] * 9, HIT]
    found = score("vot2018", *files(tmp_path, said), rounds=0)
    assert found.value("Accuracy", way="strict") == pytest.approx((1 / 3 + 1 / 3 + 1) / 3)
    assert found.value("Robustness", way="strict") == pytest.approx(100 / len(said))
    assert found.value("Lost Number") == 1.0
    assert found.value("Accuracy") > found.value("Accuracy", way="strict")  # pixels with both ends


def test_what_goes_beyond_the_picture_does_not_count(tmp_path):
    said = ["1", *["90,10,20,20"] * 12]
    found = score("vot2018", *files(tmp_path, said, gt_rect=[[90, 10, 10, 20]] * len(said)), rounds=0)
    assert found.value("Accuracy", way="strict") == pytest.approx(1.0)


def test_every_problem_is_told(tmp_path):
    said = ["1", "3", "1,2", "x", "10,10,20,20"]
    with pytest.raises(AnnotationError) as caught:
        score("vot2018", *files(tmp_path, said))
    told = "\n".join(caught.value.errors)
    for number in (2, 3, 4):
        assert f"ants_001.txt:{number}: must " in told
    with pytest.raises(AnnotationError, match="has 1 regions for 2 frames"):
        score("vot2018", *files(tmp_path, ["1"], gt_rect=[TRUE] * 2))
    for broken, why in (
        ({"gt_rect": [[1, 2, 3]]}, "must be a list of boxes"),
        ({"width": 0}, "needs the width"),
    ):
        with pytest.raises(AnnotationError, match=why):
            score("vot2018", *files(tmp_path, ["1", HIT], **broken))
    _, ref = files(tmp_path, ["1", HIT])
    (tmp_path / "yours/ants").mkdir(parents=True)
    (tmp_path / "yours/ants/ants_001.txt").write_text("1\n" + HIT)
    with pytest.raises(AnnotationError, match="several trackers"):
        score("vot2018", tmp_path, ref)
    (tmp_path / "yours/ants/ants_001.txt").unlink()
    bow_tie = "10,10,30,30,30,10,10,30"
    with pytest.raises(AnnotationError, match="no convex polygon"):
        score("vot2018", *files(tmp_path, ["1", bow_tie]), ways=("strict",))


def test_a_tracker_that_says_nothing_fails_at_once(tmp_path):
    pred, ref = files(tmp_path, ["1", *[HIT] * 119])
    (pred / "baseline/ants/ants_001.txt").rename(pred / "none.txt")
    found = score("vot2018", pred, ref, missing="zero", rounds=0)
    assert found.value("EAO") == 0.0
    assert found.value("Accuracy") is None
    assert found.value("Lost Number") == 1.0
