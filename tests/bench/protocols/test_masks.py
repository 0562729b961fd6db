from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from official import shared
from PIL import Image

from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError, InputError
from kairos.timeline.rle import Rle

SIZE = (30, 40)


def picture(path: Path, *things: tuple[int, int], size: tuple[int, int] = SIZE) -> None:
    """Squares of 10 px at (y, x), thing 1, 2, ..."""
    drawn = np.zeros(size, np.uint8)
    for k, (y, x) in enumerate(things, start=1):
        drawn[y : y + 10, x : x + 10] = k
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("P", (size[1], size[0]))
    image.putpalette([k for k in range(256) for _ in range(3)])
    image.putdata(drawn.ravel().tolist())
    image.save(path)


def test_davis_to_the_last_printed_digit():
    folder = shared("metrics/vos_davis")
    expected = json.loads((folder / "expected/computed_open.json").read_text())["per_sequence"]
    found = score(
        "davis", folder / "predictions/osvos", folder / "ground_truth", ways=("official",), rounds=0
    )
    rows = {row["id"]: row["scores"] for row in found.rows("official")}
    assert set(rows) == set(expected)
    for name, values in expected.items():
        for key, value in values.items():
            assert f"{rows[name][key.replace('_m', '-M').replace('_r', '-R')]:.10g}" == f"{value:.10g}", (
                name,
                key,
            )


def test_davis_averages_over_things(tmp_path):
    for k in range(4):
        picture(tmp_path / f"ref/two/{k:05d}.png", (0, 0), (15, 20))
        picture(tmp_path / f"pred/two/{k:05d}.png", (0, 0))  # the second is never found
        picture(tmp_path / f"ref/one/{k:05d}.png", (0, 0))
        picture(tmp_path / f"pred/one/{k:05d}.png", (0, 0))
    found = score("davis", tmp_path / "pred", tmp_path / "ref", rounds=0)
    assert found.value("J-Mean") == pytest.approx(2 / 3)
    assert found.value("J&F-Mean") == pytest.approx(2 / 3)


def expressions(folder: Path, **more: object) -> None:
    frames = ["00000", "00005"]
    about = {"exp": "the thing", "obj_id": "1", "anno_id": [3]}
    folder.mkdir(exist_ok=True)
    document = {"videos": {"v": {"frames": frames, "expressions": {"0": about}}}}
    (folder / "meta_expressions.json").write_text(json.dumps(document))


def test_mevis_and_ref_youtube_vos_keep_all_frames(tmp_path):
    expressions(tmp_path / "ref")
    for frame in ("00000", "00005"):
        picture(tmp_path / f"ref/Annotations/v/{frame}.png", (5, 5))
    picture(tmp_path / "pred/v/0/00000.png", (5, 5))  # nothing for the second frame
    found = score("ref-youtube-vos", tmp_path / "pred", tmp_path / "ref", rounds=0)
    assert (found.value("J"), found.value("F"), found.value("J&F")) == (0.5, 0.5, 0.5)
    mask = np.zeros(SIZE, bool)
    mask[5:15, 5:15] = True
    masks = {"3": [Rle.encode(mask).to_dict(), None]}
    (tmp_path / "ref/mask_dict.json").write_text(json.dumps(masks))
    assert score("mevis", tmp_path / "pred", tmp_path / "ref", rounds=0).value("J&F") == 1.0


def test_a_missing_video_can_count_as_zero(tmp_path):
    expressions(tmp_path / "ref")
    for frame in ("00000", "00005"):
        picture(tmp_path / f"ref/Annotations/v/{frame}.png", (5, 5))
    picture(tmp_path / "pred/other/0/00000.png", (5, 5))
    with pytest.raises(AnnotationError, match="v/0"):
        score("mevis", tmp_path / "pred", tmp_path / "ref")


def test_masks_of_another_size_and_files_that_are_none(tmp_path):
    for k in range(3):
        picture(tmp_path / f"ref/one/{k:05d}.png", (0, 0))
        picture(tmp_path / f"pred/one/{k:05d}.png", (0, 0), size=(20, 20))
    with pytest.raises(InputError, match=r"one: .*20 x 20 .* 30 x 40"):
        score("davis", tmp_path / "pred", tmp_path / "ref")
    (tmp_path / "pred/one/00001.png").write_text("no picture")
    with pytest.raises(InputError, match=r"00001\.png: is no picture"):
        score("davis", tmp_path / "pred", tmp_path / "ref")
    with pytest.raises(AnnotationError, match=r"no folder with \.png"):
        score("davis", tmp_path / "pred", tmp_path / "nowhere")
