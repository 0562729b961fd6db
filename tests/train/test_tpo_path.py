"""The whole path of TPO as a stranger walks it: annotations and videos, features, three stages, and a model that answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from backbone import sam2, vision_language
from painted import write_clip

import kairos
from kairos.cli import main
from kairos.timeline import Rle

RECIPE = """
method: tpo
language: vlm
features: features
videos: videos
missing: skip
width: 8
frames: 4
length: 128
rank: 2
alpha: 4
loaders: 0
heads:
  temporal: {video: 8, width: 16, heads: 2, feedforward: 16, dummies: 3, encoder_layers: 1}
  region: {}
  mask: {prompt: 128}
follower: sam
stages:
  - {name: assign, data: {tasks.jsonl: null}, batch: 2, steps: 1, rates: {language: 1.0e-3, words: 1.0e-3}}
  - name: heads
    data: {tasks.jsonl: null}
    batch: 6
    rows: 3
    steps: 1
    rates: {heads: {temporal: 1.0e-3, region: 1.0e-3, mask: 1.0e-3}, tokens: {temporal: 1.0e-3, region: 1.0e-3, mask: 1.0e-3}}
  - name: joint
    data: {tasks.jsonl: 3, chat.jsonl: 1}
    batch: 4
    steps: 1
    rates: {connector: 1.0e-3, vision: 1.0e-3, heads: {temporal: 1.0e-3, region: 1.0e-3, mask: 1.0e-3}}
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Official annotations, of videos that are there and of one that is not, a conversation, a backbone, SAM 2, a recipe."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos" / "moving").mkdir(parents=True)
    write_clip(tmp_path / "videos" / "v_a.mp4", [(1.0, 2.5, "red")], duration=4.0)
    Image.new("RGB", (64, 48), "red").save(tmp_path / "videos" / "b.jpg")
    for k in range(4):
        Image.new("RGB", (64, 48), "blue").save(tmp_path / "videos" / "moving" / f"{k:05d}.jpg")
    anet = {
        "v_a": {"duration": 4.0, "timestamps": [[1.0, 2.5]], "sentences": ["the red ring moves left"]},
        "v_gone": {"duration": 9.0, "timestamps": [[0, 3]], "sentences": ["a cat"]},
    }
    (tmp_path / "val_1.json").write_text(json.dumps(anet))
    place = {
        "img_path": "b.jpg",
        "expression": "the square",
        "bbox": [4, 5, 30, 40],
        "dataset_name": "refcoco",
    }
    (tmp_path / "rec.jsonl").write_text(json.dumps({**place, "height": 48, "width": 64}) + "\n")
    said = {"exp": "the blue square", "obj_id": [1], "anno_id": [7]}
    video = {"frames": [f"{k:05d}" for k in range(4)], "expressions": {"0": said}}
    (tmp_path / "mevis").mkdir()
    (tmp_path / "mevis" / "meta.json").write_text(json.dumps({"videos": {"moving": video}}))
    mask = Rle.encode(np.pad(np.ones((20, 30), bool), ((10, 18), (10, 24)))).compress().to_dict()
    (tmp_path / "mevis" / "mask_dict.json").write_text(json.dumps({"7": [mask] * 4}))
    chat = [{"video": "v_a.mp4", "QA": [{"q": "what is this ?", "a": "a red ring ."}]}]
    (tmp_path / "chat.json").write_text(json.dumps(chat))
    vision_language(tmp_path / "vlm")
    sam2().save_pretrained(tmp_path / "sam")
    (tmp_path / "tpo.yaml").write_text(RECIPE)
    return tmp_path


def test_from_annotations_to_answers(work, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments)])
        shown = capsys.readouterr()
        assert end.value.code == 0, shown.err
        return json.loads(shown.out)

    made = run("task-data", "val_1.json", "rec.jsonl", "mevis/meta.json", "--out", "tasks.jsonl", "--json")
    assert made["examples"] == {"ground": 2, "locate": 1, "segment": 1}
    assert run("task-data", "chat.json", "--out", "chat.jsonl", "--json")["examples"] == {"conversation": 1}
    see = [
        "features",
        "videos",
        "--backbone",
        "vlm",
        "--out",
        "features",
        "--device",
        "cpu",
        "--grid",
        "2",
        "--json",
    ]
    assert run(*see, "--for", "tasks.jsonl")["written"] == ["v_a.mp4", "b.jpg"]
    assert run(*see, "--for", "tasks.jsonl", "--rate", 6)["written"] == ["moving"]
    planned = run("train", "tpo.yaml", "--dry-run", "--json")
    assert [(stage["examples"], stage.get("left_out")) for stage in planned["stages"]] == [
        (3, 1),
        (3, 1),
        (4, 1),
    ]
    folder = run("train", "tpo.yaml", "--device", "cpu", "--json", "--quiet")["model"]

    planned = planned["stages"][2]["learns"]
    assert "vision=0.001" in planned

    model = kairos.load(folder)
    one = torch.full((1, 32, 32, 3), 90, dtype=torch.uint8)
    shown, told = model.look(one)
    assert not torch.equal(shown, model.backbone(one))  # the encoder has learned,
    torch.testing.assert_close(told, model.backbone(one).mean(1))  # and the temporal head reads it as it was
    clip = work / "videos" / "v_a.mp4"
    found = model.ground(clip, "the red ring moves left")
    assert found.moments
    assert all(0 <= m.start < m.end <= 4.0 for m in found.moments)
    assert found.curve.values.max() == 1
    (box,) = model.locate(clip, "the red ring", at=2.0).track.boxes
    assert (box >= 0).all()
    assert (box <= [64, 48, 64, 48]).all()
    followed = model.segment(clip, "the red ring", end=0.5)
    if not followed.abstained:
        assert followed.mask_track.size == (48, 64)
    assert model.track(clip, box=(10, 10, 40, 40), end=0.5).kind == "track"
    assert isinstance(model.ask(clip, "what is this ?", max_words=2).text, str)
