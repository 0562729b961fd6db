from __future__ import annotations

from pathlib import Path

import pytest

from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError


def sequence(folder: Path, boxes: str, **more: str) -> None:
    folder.mkdir(parents=True)
    (folder / "groundtruth.txt").write_text(boxes)
    for name, text in more.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_lasot_folders(tmp_path):
    truth = "10,10,20,20\n10,10,20,20\n10,10,20,20\n"
    sequence(tmp_path / "ref/cat/cat-1", truth, full_occlusion__txt="0,0,1", out_of_view__txt="0,0,0")
    sequence(tmp_path / "ref/cat/cat-2", truth)
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/cat-1.txt").write_text("10\t10\t20\t20\n10\t10\t20\t20\n10\t10\t20\t20\n")
    (tmp_path / "pred/cat-2.txt").write_text("10,10,20,20\n900,10,20,20\nnan,nan,nan,nan\n")
    found = score("lasot", tmp_path / "pred", tmp_path / "ref", rounds=0)
    assert found.value("Precision") == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert found.value("Precision", way="strict") == 0.5
    assert found.value("Success (AUC)", way="strict") == pytest.approx(0.5 * 20 / 21)


def test_got10k_pools_frames(tmp_path):
    truth = "10,10,20,20\n10,10,20,20\n"
    about = "[METAINFO]\nresolution: (100, 80)\n"
    sequence(tmp_path / "ref/a", truth, cover__label="8\n8\n", meta_info__ini=about)
    sequence(tmp_path / "ref/b", truth * 2, cover__label="8\n8\n8\n0\n", meta_info__ini=about)
    (tmp_path / "pred/a").mkdir(parents=True)
    (tmp_path / "pred/a/a_001.txt").write_text(truth)
    (tmp_path / "pred/b.txt").write_text("10,10,20,20\n" + "60,60,5,5\n" * 3)
    found = score("got10k", tmp_path / "pred", tmp_path / "ref", rounds=0)
    assert found.value("AO") == pytest.approx(1 / 3)
    assert found.value("SR0.75") == pytest.approx(1 / 3)


def test_every_problem_of_folders_is_told(tmp_path):
    sequence(tmp_path / "ref/a", "10,10,20,20\n", meta_info__ini="resolution: (100, 80)")
    sequence(tmp_path / "ref/b", "10,10,20,20\n")
    sequence(tmp_path / "ref/c", "1,2,3\nx\n", meta_info__ini="resolution: (100, 80)")
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/a.txt").write_text("10,10,20,20\n" * 2)
    with pytest.raises(AnnotationError) as caught:
        score("got10k", tmp_path / "pred", tmp_path / "ref")
    told = "\n".join(caught.value.errors)
    for part in (
        "b: meta_info.ini must tell",
        "groundtruth.txt:1",
        "groundtruth.txt:2",
        "a: has 2 boxes for 1 frames",
    ):
        assert part in told
    with pytest.raises(AnnotationError, match=r"holds no groundtruth\.txt"):
        score("lasot", tmp_path / "pred", tmp_path / "pred")
