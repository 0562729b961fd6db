"""VidSTG: a thing in time and in space, and what the script gets wrong."""

from __future__ import annotations

import json

import pytest

from kairos.bench.protocols.scoring import match, score
from kairos.bench.protocols.vidstg import sampled
from kairos.errors import AnnotationError

BOX = [0, 0, 10, 10]


def refs(**changes):
    row = {
        "video_id": 3,
        "original_video_id": "v",
        "fps": 5,
        "start_frame": 0,
        "end_frame": 10,
        "tube_start_frame": 2,
        "tube_end_frame": 6,
        "target_id": 1,
        "qtype": "declarative",
        **changes,
    }
    return {"videos": [row], "trajectories": {"v": {"1": {str(k): {"bbox": BOX} for k in range(2, 6)}}}}


def said(span, frames=range(2, 6), box=(0, 0, 10, 10)):
    return {
        "video_predictions": {"3": {"sted": list(span), "qtype": "declarative"}},
        "predictions": {f"3_{k}": {"boxes": [list(box)]} for k in frames},
    }


def values(pred, ref, name):
    found = score("vidstg", pred, ref, rounds=0)
    return found.value(name, "declarative"), found.value(name, "declarative", "strict")


def test_full_marks(put):
    pred, ref = put("p.json", said((2, 6))), put("r.json", refs())
    for name in ("tiou", "viou", "viou@0.5", "gt_viou", "gt_viou@0.3"):
        assert values(pred, ref, name) == (1.0, 1.0)


def test_the_script_ends_the_union_too_early(put):
    """The span goes on to the end: of eight frames in either, four are in both; the script counts four of four."""
    pred, ref = put("p.json", said((2, 10))), put("r.json", refs())
    assert values(pred, ref, "tiou") == (0.5, 0.5)
    assert values(pred, ref, "viou") == (1.0, 0.5)


def test_boxes_count_in_the_frames_of_both(put):
    pred, ref = put("p.json", said((4, 6), box=(0, 0, 10, 5))), put("r.json", refs())
    assert values(pred, ref, "gt_viou") == (0.5, 0.5)
    assert values(pred, ref, "viou") == (0.25, 0.25)
    assert values(pred, ref, "viou@0.3") == (0.0, 0.0)


def test_frames_without_a_box_are_told(put):
    found = score("vidstg", put("p.json", said((2, 6), frames=(2, 3))), put("r.json", refs()), rounds=0)
    assert found.value("gt_viou", "declarative") == 0.5
    assert "2 frames" in found.report().notes[0]


def test_frames_are_sampled_five_a_second_and_at_most_200():
    assert sampled(0, 60, 5 / 30) == (0, 6, 12, 18, 24, 30, 36, 42, 48, 54)
    assert len(sampled(0, 9000, 5 / 30)) == 200


def test_wrong_entries(put):
    wrong = said((6, 2))
    wrong["predictions"]["3_x"] = {"boxes": [[0, 0, 1, 1]]}
    with pytest.raises(AnnotationError) as caught:
        match("vidstg", put("p.json", wrong), put("r.json", refs(fps=0)))
    told = "\n".join(caught.value.errors)
    for words in ("sted[0] is reversed", "predictions.3_x", "videos[0]: is not a sentence with its tube"):
        assert words in told


def raw(**changes):
    entry = {
        "vid": "v",
        "fps": 5,
        "used_segment": {"begin_fid": 0, "end_fid": 10},
        "temporal_gt": {"begin_fid": 2, "end_fid": 6},
        "questions": [{"description": "who runs ?", "type": "person", "target_id": 1}],
        "captions": [{"description": "a man runs", "type": "person", "target_id": 1}],
        **changes,
    }
    return [{**entry, "vid": "u"}, entry]


def test_the_official_annotations_tell_when(put):
    """The caption of the second entry is the fourth sentence, 3."""
    found = score(
        "vidstg", put("p.json", said((2, 6))), put("val_annotations.json", raw()), missing="skip", rounds=0
    )
    assert found.value("tiou", "declarative") == 1.0
    assert found.value("viou", "declarative") is None
    assert any("only when, not where" in note for note in found.report().notes)


def test_the_official_annotations_with_vidor_tell_where(put, tmp_path):
    corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), (0, 0, 10, 10), strict=True))
    document = {"trajectories": [[{"tid": 1, "bbox": corners}] for _ in range(8)]}
    (tmp_path / "training/0001").mkdir(parents=True)
    for name in "uv":
        (tmp_path / f"training/0001/{name}.json").write_text(json.dumps(document))
    ref = put("val_annotations.json", raw())
    found = score("vidstg", put("p.json", said((2, 6))), ref, missing="skip", rounds=0)
    assert found.value("viou", "declarative") == 1.0
    (tmp_path / "training/0001/v.json").write_text(json.dumps({"trajectories": [[{"tid": 1}]]}))
    with pytest.raises(AnnotationError, match=r"v\.json: trajectories: are not VidOR's"):
        match("vidstg", put("p.json", said((2, 6))), ref)


def test_the_real_annotations(shared, put):
    path = shared("annotations/vidstg/val_annotations.json")
    document = json.loads(path.read_text())
    spans = [e["temporal_gt"] for e in document for _ in (*e["questions"], *e["captions"])]
    pred = {
        "video_predictions": {str(k): {"sted": [s["begin_fid"], s["end_fid"]]} for k, s in enumerate(spans)}
    }
    found = score("vidstg", put("p.json", pred), path, rounds=0)
    assert len(found.matched.pairs) == 8956
    assert found.value("tiou", "declarative") == found.value("tiou", "interrogative") == 1.0


def test_entries_that_are_none(put):
    broken = raw()
    del broken[1]["captions"]
    with pytest.raises(AnnotationError, match=r"\[1\]: is no entry of VidSTG: KeyError 'captions'"):
        match("vidstg", put("p.json", said((2, 6))), put("r.json", broken))
