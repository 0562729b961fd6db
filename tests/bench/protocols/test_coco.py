from __future__ import annotations

import json

import pytest
from official import shared

from kairos.bench.protocols.coco import NAMES
from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError

pytest.importorskip("pycocotools")


def test_published_values_to_the_last_digit():
    folder = shared("metrics/spatial_detection/coco")
    expected = json.loads((folder / "expected/published.json").read_text())
    found = score(
        "coco",
        folder / "predictions/sampled_bbox_results.json",
        folder / "ground_truth/sampled_gts_bbox_area.json",
        ways=("official",),
        rounds=0,
    )
    for name in NAMES:
        assert f"{found.value(name):.6f}" == f"{expected[name]:.6f}", name


def test_bad_boxes(tmp_path):
    ref, pred = tmp_path / "ref.json", tmp_path / "pred.json"
    box = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}
    ref.write_text(
        json.dumps({"images": [{"id": 1}], "annotations": [box, {"id": 2}], "categories": [{"id": 1}]})
    )
    pred.write_text(json.dumps([box, {**box, "score": "high"}, {**box, "bbox": [1], "score": 1}]))
    with pytest.raises(AnnotationError) as caught:
        score("coco", pred, ref)
    told = "\n".join(caught.value.errors)
    for part in ("annotations[1]: must be", "[0]: must be", "[1]: score must be", "[2]: bbox must be x"):
        assert part in told
