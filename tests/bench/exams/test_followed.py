"""Trackers' and segmenters' benchmarks, in their folders: what follows a square that is there has (nearly) full marks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from painted import square_at
from PIL import Image

from kairos.errors import OptionError


def truth(write, folder, boxes):
    rows = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]
    write(f"{folder}/groundtruth.txt", "".join(",".join(f"{v:g}" for v in row) + "\n" for row in rows))


def mask(boxes, k, thing=1):
    picture = np.zeros((96, 128), np.uint8)
    x1, y1, x2, y2 = (round(v) for v in boxes[k])
    picture[y1:y2, x1:x2] = thing
    return picture


def test_lasot_from_a_folder_of_images(sit, write, frames, tmp_path):
    boxes = frames("media/square-1/img", 30, rate=30.0)
    truth(write, "truth/square-1", boxes)
    report, lines = sit("lasot", tmp_path / "truth", videos=tmp_path / "media")
    assert report.find("Success (AUC)", "official").value > 0.8
    assert lines["square-1"]["parsed_output"]["track"]["boxes"]
    said = (tmp_path / "out/predictions/square-1.txt").read_text().splitlines()
    assert len(said) == 30
    assert [float(v) for v in said[0].split(",")] == [
        boxes[0][0],
        boxes[0][1],
        *(boxes[0][2:] - boxes[0][:2]),
    ]


def test_got10k_from_a_file(sit, write, tmp_path):
    boxes = [square_at(k / 10) for k in range(40)]
    truth(write, "truth/square", boxes)
    write("truth/square/meta_info.ini", "[METAINFO]\nresolution: (128, 96)\n")
    report, _ = sit("got10k", tmp_path / "truth")
    assert report.find("AO", "official").value > 0.8
    assert (tmp_path / "out/predictions/square/square_001.txt").exists()


def test_davis_follows_each_thing_from_its_first_box(sit, frames, tmp_path):
    boxes = frames("media/moves", 24, rate=24.0)
    home = tmp_path / "truth/480p/moves"
    home.mkdir(parents=True)
    for k in range(24):
        image = Image.fromarray(mask(boxes, k, 3), mode="P")
        image.putpalette([v for v in range(256) for _ in range(3)])
        image.save(home / f"{k:05d}.png")
    report, lines = sit("davis", tmp_path / "truth", videos=tmp_path / "media")
    assert report.find("J-Mean", "official").value > 0.85
    assert list(lines["moves"]["steps"]) == ["3"]
    drawn = np.asarray(Image.open(tmp_path / "out/predictions/moves/00012.png"))
    assert set(np.unique(drawn)) == {0, 3}


@pytest.mark.parametrize("name", ["ref-youtube-vos", "mevis"])
def test_expressions_are_segmented_by_their_words(name, sit, write, frames, tmp_path):
    boxes = frames("media/moves", 12)
    stems = [f"{k:05d}" for k in range(12)]
    about = {"exp": "the red square", "obj_id": "1", "anno_id": [7]}
    absent = {"exp": "the blue square", "obj_id": "1", "anno_id": [7]}
    write(
        "truth/meta_expressions.json",
        {"videos": {"moves": {"frames": stems, "expressions": {"0": about, "1": absent}}}},
    )
    if name == "mevis":
        from kairos.timeline import Rle

        coded = [Rle.encode(mask(boxes, k)).compress().to_dict() for k in range(12)]
        write("truth/mask_dict.json", {"7": coded})
    else:
        for k, stem in enumerate(stems):
            path = tmp_path / f"truth/Annotations/moves/{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(mask(boxes, k), mode="P")
            image.putpalette([v for v in range(256) for _ in range(3)])
            image.save(path)
    report, lines = sit(name, tmp_path / "truth", videos=tmp_path / "media", missing="zero")
    assert lines["moves/0"]["scores"]["J"] > 0.85
    assert lines["moves/1"]["scores"]["J"] == 0.0
    assert lines["moves/1"]["parsed_output"]["abstained"]
    assert report.facts["items"] == 2


def test_vidstg_says_when_and_where(sit, write, tmp_path):
    boxes = {
        str(k): {"bbox": [x1, y1, x2 - x1, y2 - y1]}
        for k, (x1, y1, x2, y2) in ((k, square_at(k / 10)) for k in range(40))
    }
    row = {"video_id": 5, "original_video_id": "square", "video_path": "a/square.mp4", "caption": "the red square", "qtype": "declarative",
           "fps": 10, "start_frame": 0, "end_frame": 40, "tube_start_frame": 0, "tube_end_frame": 40, "target_id": 0}  # fmt: skip
    document = {"videos": [row], "trajectories": {"square": {"0": boxes}}}
    report, lines = sit("vidstg", write("vidstg.json", document))
    assert report.find("tiou", "strict").value == 1.0
    assert report.find("viou", "strict").value > 0.8
    assert set(lines["5"]["steps"]) == {"when", "where"}


def test_refcoco_on_pictures(sit, write, frames, tmp_path):
    boxes = frames("media", 2)
    rows = [
        {"id": k, "image": f"{k:05d}.png", "sentence": words, "box": boxes[k].tolist()}
        for k, words in enumerate(("the red square", "the blue square"))
    ]
    report, lines = sit("refcoco", write("refs.jsonl", rows), videos=tmp_path / "media")
    assert report.find("Acc@0.5", "official").value == 0.5
    assert report.find("no box", "official").value == 0.5
    assert lines["0"]["scores"]["mIoU"] > 0.8
    assert json.loads((tmp_path / "out/predictions.jsonl").read_text().splitlines()[1])["box"] is None


def test_frames_limit_what_is_looked_at(sit, write, tmp_path):
    truth(write, "truth/square", [square_at(k / 10) for k in range(40)])
    report, lines = sit("lasot", tmp_path / "truth", frames=4)
    assert lines["square"]["frames"]["count"] == 4
    assert (
        report.find("Success (AUC)", "official").value > 0.7
    )  # a square that moves evenly is where it is in between


def test_a_model_that_cannot_follow_says_so(sit, write, tmp_path):
    from fakes import ColourModel

    truth(write, "truth/square", [square_at(k / 10) for k in range(40)])
    with pytest.raises(OptionError, match="colours cannot track"):
        sit("lasot", tmp_path / "truth", model=ColourModel())
