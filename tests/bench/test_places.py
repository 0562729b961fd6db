"""Readers of boxes, masks and descriptions: small files of each format, and every way to be wrong."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from official import shared

from kairos.bench.annotations import read
from kairos.errors import AnnotationError, TimelineError
from kairos.timeline import Answer, MaskTrack, Moment, Rle

COCO = {
    "images": [{"id": 9, "file_name": "a.jpg", "height": 40, "width": 60}],
    "annotations": [{"id": 3, "bbox": [10, 5, 20, 10]}, {"id": 4, "bbox": [59.5, 0, 8, 8]}],
}
REFS = [
    {
        "ref_id": 1,
        "ann_id": 3,
        "image_id": 9,
        "split": "train",
        "sentences": [{"raw": "the Dog "}, {"sent": "it"}],
    },
    {"ref_id": 2, "ann_id": 4, "image_id": 9, "split": "val", "sentences": [{"raw": "a cat"}]},
]
REC = {
    "img_path": "b.jpg",
    "expression": "the lady in blue",
    "bbox": [1.5, 2, 8, 9],
    "dataset_name": "refcoco+",
    "height": 20,
    "width": 10,
}
REGIONS = [
    {"id": 1, "regions": [{"region_id": 7, "phrase": "the clock", "x": 4, "y": 5, "width": 6, "height": 7}]}
]
SIZES = [{"image_id": 1, "url": "https://x.y/VG_100K_2/1.jpg", "width": 50, "height": 30}]
POINTING = "a red <ref>bus</ref><box>[[0, 333, 999, 666]]</box> and <ref>cars</ref><box>[[1, 2, 3, 4], [5, 6, 7, 8]]</box>"
ALL_SEEING = [
    {
        "image": "c.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhere is the <ref>bus</ref>?"},
            {"from": "gpt", "value": POINTING},
            {"from": "gpt", "value": "the <ref>bus</ref><box>[[0, 333, 999, 666]]</box>"},
        ],
    }
]
NLQ = {
    "videos": [
        {
            "video_uid": "v",
            "clips": [
                {
                    "clip_uid": "c1",
                    "video_start_sec": 100.0,
                    "video_end_sec": 580.0,
                    "annotations": [
                        {
                            "language_queries": [
                                {
                                    "clip_start_sec": 0.0,
                                    "clip_end_sec": 43.6,
                                    "query": "where?",
                                    "template": "Place",
                                }
                            ]
                        }
                    ],
                }
            ],
        }
    ]
}
TIMEIT = {
    "annotations": [
        {"image_id": "t.mp4", "caption": "he sits", "timestamp": [1, 2.5], "duration": 9.0, "id": 0},
        {"image_id": "t.mp4", "caption": "he eats", "timestamp": [[3, 4], [5, 6]], "id": 1},
    ]
}


def rle(*rows: str) -> dict:
    return Rle.encode(np.array([[c == "#" for c in row] for row in rows])).compress().to_dict()


LEFT, RIGHT = rle("#..", "#.."), rle("..#", "..#")
MEVIS = {
    "videos": {
        "01ac": {
            "frames": ["00000", "00001"],
            "expressions": {
                "0": {"exp": "the dog that runs", "obj_id": [1], "anno_id": [7]},
                "1": {"exp": "both dogs", "obj_id": [1, 2], "anno_id": [7, 8]},
            },
        }
    }
}
MASKS = {"7": [LEFT, None], "8": [RIGHT, RIGHT]}
SA_V = {
    "video_id": "sav_1",
    "video_duration": 1.0,
    "video_frame_count": 24.0,
    "masklet_id": [0, 5],
    "masklet": [[LEFT, RIGHT], [None, RIGHT], *[[LEFT, RIGHT]] * 4],
}


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    if path.suffix in (".p", ".pkl"):
        path.write_bytes(pickle.dumps(content, protocol=2))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")  # type: ignore[attr-defined]
    else:
        path.write_text(json.dumps(content), "utf-8")
    return path


def only(path: Path) -> tuple[Answer, ...]:
    (timeline,) = read(path).timelines
    return timeline.answers


def test_refcoco_as_it_is_distributed(tmp_path):
    write(tmp_path, "instances.json", COCO)
    path = write(tmp_path, "refs(unc).p", REFS)
    assert read(path).format == "refer"
    dog, it, cat = only(path)
    assert (dog.kind, dog.query, dog.tags, dog.id) == ("locate", "the Dog", ("train",), "1")
    assert dog.track.boxes.tolist() == [[10, 5, 30, 15]]
    assert dog.track.times.tolist() == [0.0]
    assert dog.track.extra["size"] == [40, 60]
    assert it.query == "it"
    assert (cat.tags, cat.track.boxes.tolist()) == (("val",), [[59.5, 0, 67.5, 8]])
    assert read(path).timelines[0].video == "a.jpg"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    """The same list twice, nested tuples, big and negative numbers, words with accents: as pickle itself reads them."""
    shared = ["a", "é", 2**70, -3, 1.5, None, True, False, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}]
    words = {"v": [shared, shared], "w": {"x": [[]] * 3}}
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(words, protocol=protocol))
    from kairos.bench.annotations.pickled import plain

    assert plain(path) == words


def test_words_of_python_2(tmp_path):
    path = tmp_path / "a.p"
    path.write_bytes(b"\x80\x02]q\x00(U\x05caf\xc3\xa9U\x01\xffe.")
    from kairos.bench.annotations.pickled import plain

    assert plain(path) == ["café", "ÿ"]


class Evil:
    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps([Evil()]), "nothing is unpickled"),
        (pickle.dumps([Evil()], protocol=0), "nothing is unpickled"),
        (pickle.dumps({"a": np.float64(1.0)}), "nothing is unpickled"),
        (pickle.dumps([1, 2, 3])[:-3], "not a pickle"),
        (b"", "not a pickle"),
        (b"hello", "not a pickle"),
        (b"\x80\x02e.", "not a pickle"),
        (b"}(]]s.", "not a pickle"),
    ],
)
def test_nothing_of_a_pickle_runs(tmp_path, content, reason):
    path = tmp_path / "refs(unc).p"
    path.write_bytes(content)
    with pytest.raises(TimelineError, match=reason) as caught:
        read(path)
    assert caught.value.path == str(path)
    assert not Evil.ran
    with pytest.raises(TimelineError, match="cannot be read"):
        read(tmp_path / "missing.p")


def test_expressions_a_line_each(tmp_path):
    (answer,) = only(write(tmp_path, "REC_ref3_train.jsonl", [REC]))
    assert (answer.query, answer.tags) == ("the lady in blue", ("refcoco+",))
    assert answer.track.boxes.tolist() == [[1.5, 2, 8, 9]]
    assert answer.track.extra["size"] == [20, 10]


def test_regions_with_and_without_the_pictures_table(tmp_path):
    path = write(tmp_path, "region_descriptions.json", REGIONS)
    (timeline,) = read(path).timelines
    assert timeline.video == "1.jpg"
    assert "size" not in timeline.answers[0].track.extra
    write(tmp_path, "image_data.json", SIZES)
    (timeline,) = read(path).timelines
    (answer,) = timeline.answers
    assert (timeline.video, answer.query, answer.id) == ("VG_100K_2/1.jpg", "the clock", "7")
    assert answer.track.boxes.tolist() == [[4, 5, 10, 12]]
    assert answer.track.extra["size"] == [30, 50]


def test_words_that_point_to_one_box(tmp_path):
    (bus,) = only(write(tmp_path, "as_v2.json", ALL_SEEING))
    assert (bus.query, bus.track.extra["size"]) == ("bus", [999, 999])
    assert bus.track.boxes.tolist() == [[0, 333, 999, 666]]
    sized = [{**ALL_SEEING[0], "height": 300, "width": 200}]
    (bus,) = only(write(tmp_path, "sized.json", sized))
    np.testing.assert_allclose(bus.track.boxes, [[0, 100, 200, 200]])


def test_queries_about_clips_of_long_videos(tmp_path):
    (timeline,) = read(write(tmp_path, "nlq_train.json", NLQ)).timelines
    assert (timeline.video, timeline.duration) == ("c1", 480.0)
    assert timeline.answers == (Answer("ground", "where?", moments=(Moment(0, 43.6),), tags=("Place",)),)


def test_descriptions_with_their_times_beside(tmp_path):
    words = write(tmp_path, "raw_captions_combined_filtered.pkl", {"video-a": [["a", "man"], "walks"]})
    with pytest.raises(AnnotationError, match=r"times_captions_combined_filtered\.pkl: the times must lie"):
        read(words)
    write(tmp_path, "times_captions_combined_filtered.pkl", {"video-a": [[1, 2.5], [3, 4]]})
    (timeline,) = read(words).timelines
    assert timeline.moments == (Moment(1, 2.5, label="a man"), Moment(3, 4, label="walks"))
    assert timeline.duration is None
    write(tmp_path, "times_captions_combined_filtered.pkl", {"video-a": [[1, 2.5]]})
    with pytest.raises(AnnotationError, match="as many times"):
        read(words)


def test_one_list_of_queries(tmp_path):
    path = write(tmp_path, "train.caption_coco_format.json", TIMEIT)
    (timeline,) = read(path).timelines
    assert [[m.span for m in a.moments] for a in timeline.answers] == [[(1, 2.5)], [(3, 4), (5, 6)]]
    assert timeline.duration == 9.0


def test_sentences_with_masks_beside(tmp_path):
    path = write(tmp_path, "meta_expressions.json", MEVIS)
    with pytest.raises(AnnotationError, match="must lie beside"):
        read(path)
    write(tmp_path, "mask_dict.json", MASKS)
    one, both = only(path)
    assert (one.kind, one.query, one.id) == ("segment", "the dog that runs", "01ac/0")
    assert one.mask_track.size == (2, 3)
    assert one.mask_track.mask(0).tolist() == [[True, False, False]] * 2
    assert not one.mask_track.mask(1).any()
    assert both.mask_track.mask(0).tolist() == [[True, False, True]] * 2
    assert both.mask_track.mask(1).tolist() == [[False, False, True]] * 2


def test_masks_without_words(tmp_path):
    (timeline,) = read(write(tmp_path, "sav_1_manual.json", SA_V)).timelines
    first, second = timeline
    assert (timeline.video, timeline.duration) == ("sav_1", 1.0)
    assert isinstance(first, MaskTrack)
    assert (first.label, second.label, len(first)) == ("masklet 0", "masklet 5", 6)
    np.testing.assert_allclose(first.times, np.arange(6) * 4 / 24)
    assert not first.mask(1).any()
    assert first.mask(2).any()


def test_saliency_of_every_clip(tmp_path):
    row = {
        "qid": 1,
        "query": "he eats",
        "vid": "j",
        "duration": 9,
        "relevant_windows": [[2, 6]],
        "relevant_clip_ids": [1, 2],
        "saliency_scores": [[4, 3, 2], [1, 1, 4]],
    }
    (answer,) = only(write(tmp_path, "val.jsonl", [row]))
    assert answer.curve.times.tolist() == [1, 3, 5, 7, 9]
    assert answer.curve.values.tolist() == [0, 3, 2, 0, 0]
    for change, reason in (
        ({"relevant_clip_ids": [1, 5]}, "no clip 5 in 9 s"),
        ({"saliency_scores": [[1, 2, 3]]}, "one list of numbers"),
        ({"saliency_scores": [["a"], [1]]}, "one list of numbers"),
    ):
        with pytest.raises(AnnotationError, match=reason):
            read(write(tmp_path, "bad.jsonl", [row | change]))


def changed(values: object, *steps: object) -> object:
    """A copy with one thing changed: the last step is the value, those before lead to it."""
    copy = json.loads(json.dumps(values))
    inner = copy
    for step in steps[:-2]:
        inner = inner[step]
    inner[steps[-2]] = steps[-1]
    return copy


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", [REC, {**REC, "bbox": [8, 2, 1, 9]}], ":2: the box 8, 2, 1, 9 is reversed"),
        ("a.jsonl", [{**REC, "bbox": [1, 2, 1, 9]}], ":1: the box 1, 2, 1, 9 holds no area"),
        ("a.jsonl", [{**REC, "bbox": [11, 2, 12, 9]}], ":1: the box 11, 2, 12, 9 lies outside"),
        ("a.jsonl", [{**REC, "bbox": [1, 2, 3]}], ":1: a box must be four numbers"),
        ("a.jsonl", [{**REC, "bbox": ["a", 2, 3, 4]}], ":1: a box's side must be a number"),
        ("a.jsonl", [{**REC, "height": 0}], ":1: a picture cannot be 10 x 0 pixels"),
        ("a.jsonl", [{**REC, "expression": " "}], ":1: the expression is blank"),
        ("a.jsonl", [{**REC, "img_path": None}], ":1: the video's name"),
        ("r.p", changed(REFS, 1, "ann_id", 99), "[1]: its image_id or its ann_id is not in instances.json"),
        ("r.p", changed(REFS, 0, "sentences", 3), "[0].sentences: must be a list"),
        ("r.p", changed(REFS, 0, "sentences", 1, {"raw": ""}), "[0].sentences[1]: the sentence is blank"),
        (
            "a.json",
            changed(REGIONS, 0, "regions", 0, "width", 0),
            "[0].regions[0]: the box 4, 5, 4, 12 holds",
        ),
        ("a.json", changed(REGIONS, 0, "regions", 0, "x", None), "must be a number"),
        ("a.json", [*REGIONS, 3], "[1]: must be an object"),
        ("a.json", changed(ALL_SEEING, 0, "width", 7), "a picture cannot be 7 x None"),
        (
            "a.json",
            changed(ALL_SEEING, 0, "conversations", 2, "value", "<ref>x</ref><box>[[1, 2</box>"),
            "[0].conversations[2]: not a list of boxes",
        ),
        (
            "a.json",
            changed(NLQ, "videos", 0, "clips", 0, "annotations", 0, "language_queries", 0, "query", None),
            "videos[0].clips[0].annotations[0].language_queries[0].query: the query must be",
        ),
        ("a.json", changed(NLQ, "videos", 0, "clips", 0, "video_end_sec", 90.0), "cannot last -10 s"),
        ("a.json", changed(TIMEIT, "annotations", 0, "timestamp", []), "a span must be a pair"),
        ("a.json", changed(TIMEIT, "annotations", 0, "timestamp", [9.5, 10]), "begins after"),
        (
            "meta.json",
            changed(MEVIS, "videos", "01ac", "frames", ["00000"]),
            "mask_dict.json: 7: must be a list of 1",
        ),
        (
            "meta.json",
            changed(MEVIS, "videos", "01ac", "expressions", "1", "anno_id", [9]),
            "mask_dict.json: 9",
        ),
        ("meta.json", changed(MEVIS, "videos", "01ac", "expressions", "1", "exp", ""), "expressions.1.exp"),
        ("a.json", changed(SA_V, "masklet", 3, [LEFT]), "masklet: must hold one mask of each thing"),
        (
            "a.json",
            changed(SA_V, "masklet", 3, 1, {"size": [2, 3], "counts": [9]}),
            "masklet 5[3]: a mask's counts",
        ),
        (
            "a.json",
            changed(SA_V, "masklet", 3, 1, rle("##")),
            "masklet 5[3]: a mask of 2 x 1 pixels in a picture of 3 x 2",
        ),
    ],
)
def test_problems(tmp_path, name, content, reason):
    write(tmp_path, "instances.json", COCO)
    write(tmp_path, "mask_dict.json", MASKS)
    path = write(tmp_path, name, content)
    with pytest.raises(AnnotationError) as caught:
        read(path)
    assert any(reason in error for error in caught.value.errors), caught.value.errors
    assert all(error.startswith(str(path)) for error in caught.value.errors)


def test_every_wrong_mask_is_told(tmp_path):
    """Each with its frame, those of another size than the picture's among them."""
    masks = {"7": [LEFT, rle("##")], "8": [{"size": [2, 3], "counts": [9]}, "mask"]}
    write(tmp_path, "mask_dict.json", masks)
    path = write(tmp_path, "meta.json", MEVIS)
    with pytest.raises(AnnotationError) as caught:
        read(path)
    told = [error.removeprefix(f"{path}: mask_dict.json: ") for error in caught.value.errors]
    assert told[0] == "7[1]: a mask of 2 x 1 pixels in a picture of 3 x 2"
    assert told[1].startswith("8[0]: a mask's counts cover 9 pixels of")
    assert told[2] == '8[1]: a mask must be an object {"size": [h, w], "counts": ...}'
    assert len(told) == 3
    whole = {**SA_V, "video_height": 4.0, "video_width": 3.0}
    with pytest.raises(AnnotationError) as caught:
        read(write(tmp_path, "sav.json", whole))
    assert len(caught.value.errors) == 11  # of 12 masks one is null
    assert "masklet 0[0]: a mask of 3 x 2 pixels in a picture of 3 x 4" in caught.value.errors[0]


def test_what_others_annotated():
    path = shared("annotations/sa_v/sav_000001_manual.json")
    (timeline,) = read(path).timelines
    assert (timeline.video, len(timeline)) == ("sav_000001", 5)
    first = timeline[0]
    assert (len(first), first.size) == (121, (848, 480))
    areas = [mask.area for mask in first.masks if mask.area]
    assert np.mean(areas) == pytest.approx(1434.8083333333)  # masklet_size_abs, as the file has it
