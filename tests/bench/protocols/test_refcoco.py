from __future__ import annotations

import json
from pathlib import Path

import pytest

from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError


def lines(path: Path, rows: list[object]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_refcoco_reads_boxes_of_either_kind(tmp_path):
    ref = lines(
        tmp_path / "ref.jsonl", [{"sent_id": k, "image_id": 7, "bbox": [10, 10, 20, 20]} for k in range(4)]
    )
    pred = lines(
        tmp_path / "pred.jsonl",
        [
            {"id": 0, "box": [10, 10, 30, 30]},
            {"id": 1, "bbox": [10, 10, 20, 20]},
            {"id": 2, "box": None},
            {"id": 3, "box": [10, 10, 30, 20]},  # an IoU of exactly 0.5 is a miss
        ],
    )
    found = score("refcoco", pred, ref, rounds=0)
    assert found.value("Acc@0.5") == 0.5
    assert found.value("mIoU") == pytest.approx(2.5 / 4)
    assert found.value("no box") == 0.25


def test_bad_boxes(tmp_path):
    bad = [
        {"id": 0, "image": "a", "bbox": [1, 2, 3]},
        {"id": 1, "image": "a", "bbox": [1, 2, -3, 4]},
        {"id": 2, "image": "a"},
        {"id": 3, "bbox": [1, 2, 3, 4]},
        {"id": 4, "image": "a", "box": ["x", 2, 3, 4]},
    ]
    ref = lines(tmp_path / "ref.jsonl", bad)
    with pytest.raises(AnnotationError) as caught:
        score("refcoco", lines(tmp_path / "pred.jsonl", [{"id": 9, "box": [1, 2, 3, 4]}]), ref)
    told = "\n".join(caught.value.errors)
    for part in (
        ":1: bbox must be four",
        ":2: bbox is turned",
        ":3: needs box",
        ":4: needs image",
        ":5: box must hold",
    ):
        assert part in told
