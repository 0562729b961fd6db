"""Timelines are written in official forms that score as they did."""

from __future__ import annotations

import pytest

from kairos import Answer, Curve, Moment, Timeline
from kairos.bench.protocols.scoring import score
from kairos.bench.protocols.submissions import FORMATS, write
from kairos.errors import AnnotationError, OptionError


def timelines():
    sits = Answer(
        "ground", "he sits", moments=(Moment(0.0, 10.0, score=0.9), Moment(12.0, 14.0, score=0.1)), id="7"
    )
    seen = Answer("highlight", "he sits", curve=Curve("relevance", [0.0, 20.0], [1.0, 0.0]))
    runs = Answer("ground", "she runs", moments=(Moment(5.0, 15.0),))
    return [Timeline([sits, seen], "A", 20.0), Timeline([runs], "B", 20.0)]


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("nextgqa", "ego4d-nlq")])
def test_what_is_written_is_read_and_scores_full_marks(put, tmp_path, form):
    path = tmp_path / ("p" + {"qvhighlights": ".jsonl", "charades": ".txt"}.get(form, ".json"))
    write(path, timelines(), form)
    found = score("charades", path, put("r.txt", "A 0 10##he sits\nB 5 15##she runs\n"), rounds=0)
    assert found.value("mIoU") == 1.0


def test_qvhighlights_lines_hold_clip_scores_and_whole_numbers_as_ids(put, tmp_path):
    write(tmp_path / "p.jsonl", timelines()[:1], "qvhighlights")
    refs = [
        {
            "qid": 7,
            "query": "he sits",
            "vid": "A",
            "duration": 20,
            "relevant_windows": [[0, 10]],
            "relevant_clip_ids": [0],
            "saliency_scores": [[4, 4, 4]],
        }
    ]
    found = score("qvhighlights", tmp_path / "p.jsonl", put("r.jsonl", refs), rounds=0)
    assert found.value("MR-mAP", "full") == found.value("HL-mAP", "HL-min-VeryGood") == 1.0


def test_forms_that_go_by_ids(put, tmp_path):
    gqa = Answer("ask", "why ?", "a", moments=(Moment(3, 4, score=0.1), Moment(0, 10, score=0.9)), id="10_1")
    write(tmp_path / "g.json", [Timeline([gqa, Answer("ask", "who ?", "b")], "10")], "nextgqa")
    refs = put("r.json", {"10": {"duration": 34, "location": {"1": [[0, 10]]}}})
    assert score("nextgqa", tmp_path / "g.json", refs, rounds=0).value("mIoU") == 1.0
    nlq = Answer("ground", "where ?", moments=(Moment(0, 10),), id="c/u/0")
    write(tmp_path / "n.json", [Timeline([nlq], "c")], "ego4d-nlq")
    query = {"clip_start_sec": 0, "clip_end_sec": 10}
    clip = {"clip_uid": "c", "annotations": [{"annotation_uid": "u", "language_queries": [query]}]}
    refs = put("q.json", {"videos": [{"video_uid": "v", "clips": [clip]}]})
    assert score("ego4d-nlq", tmp_path / "n.json", refs, rounds=0).value("Rank@1 mIoU@0.5") == 1.0


def test_results_that_are_no_lists_of_sentences(put):
    refs = put("r.json", {"v": {"duration": 30, "timestamps": [[0, 10]], "sentences": ["a man runs"]}})
    pred = put("p.json", {"results": {"v": 3, "w": [4, {"sentence": [], "timestamp": [0, 1]}]}})
    with pytest.raises(AnnotationError) as caught:
        score("activitynet", pred, refs)
    told = "\n".join(caught.value.errors)
    for place in (
        "results.v: must be a list",
        "results.w[0]: must be an object",
        "results.w[1]: must be an object",
    ):
        assert place in told


def test_an_unknown_form(tmp_path):
    with pytest.raises(OptionError, match="no form"):
        write(tmp_path / "p.json", [], "csv")
    assert not (tmp_path / "p.json").exists()
