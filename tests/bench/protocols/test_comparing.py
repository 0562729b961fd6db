"""Two files of predictions, or of items, tested against each other."""

from __future__ import annotations

import pytest

from kairos.bench.protocols.comparing import of_items, of_predictions, to_dict
from kairos.bench.protocols.scoring import line, score
from kairos.errors import AnnotationError

N = 40
REFS = [
    {"qid": k, "query": "q", "vid": f"v{k}", "duration": 20, "relevant_windows": [[0, 10]]} for k in range(N)
]


def said(right):
    return [{"qid": k, "pred_relevant_windows": [[0, 10 if k in right else 2, 1]]} for k in range(N)]


@pytest.fixture
def files(put):
    return (
        put("a.jsonl", said(range(10))),
        put("b.jsonl", said(range(5, 35))),
        put("r.jsonl", REFS),
    )


def test_predictions_are_compared_item_by_item(files):
    found = of_predictions("qvhighlights", *files)
    apart = found.differences["full", "MR-R1@0.5"]
    assert (apart.a, apart.b, apart.wins, apart.losses, apart.ties) == (0.25, 0.75, 25, 5, 10)
    assert apart.p < 0.01
    assert apart.low > 0.0
    assert (len(found.wins), len(found.losses)) == (5, 5)
    assert {example.id for example in found.losses} == {"0", "1", "2", "3", "4"}
    assert found.judged == "full MR-mIoU"  # graded, where R1 is right or wrong
    table = found.report().tables()[0]
    assert table.header == ["measure", "a", "b", "b - a", "p", "b wins", "a wins"]


def test_a_file_does_not_beat_itself(files):
    found = of_predictions("qvhighlights", files[0], files[0], files[2])
    assert all(d.value == 0.0 and d.p == 1.0 for d in found.differences.values())
    assert found.wins == found.losses == ()


def test_items_give_the_same_as_their_predictions(files, tmp_path):
    for name, pred in (("x.jsonl", files[0]), ("y.jsonl", files[1])):
        rows = score("qvhighlights", pred, files[2], rounds=0).rows("official")
        (tmp_path / name).write_text("".join(map(line, rows)))
    found = of_items(tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    direct = of_predictions("qvhighlights", *files)
    key = ("full", "MR-R1@0.5")
    assert found.differences[key] == direct.differences[key]
    document = to_dict(found)
    assert document["wins"][0]["b"] == 1.0
    assert document["differences"][0]["difference"] == found.differences["full", "MR-R1@0.3"].value


def test_items_of_one_file_only_are_an_error_nothing_or_left_out(put):
    a = put("a.jsonl", [{"id": k, "video": k, "scores": {"accuracy": 1.0}} for k in range(4)])
    b = put("b.jsonl", [{"id": k, "video": k, "scores": {"accuracy": 1.0}} for k in range(1, 4)])
    with pytest.raises(AnnotationError, match="1 items are in one of the files only: 0"):
        of_items(a, b)
    assert of_items(a, b, missing="skip").differences["", "accuracy"].value == 0.0
    assert of_items(a, b, missing="zero").differences["", "accuracy"].value == -0.25


def test_scores_beyond_shares_are_shown_as_they_are(put):
    a = put("a.jsonl", [{"id": 1, "scores": {"judge": 4.0, "right": None}}])
    b = put("b.jsonl", [{"id": 1, "scores": {"judge": 1.0, "right": 1}}])
    found = of_items(a, b)
    assert found.styles["", "judge"][0] == ""
    assert list(found.differences) == [("", "judge")]  # what counts on one side only is not compared


def test_wrong_items_are_told_with_their_lines(put):
    a = put("a.jsonl", [{"id": 1, "scores": {"x": "high"}}, {"id": 2}])
    b = put("b.jsonl", [{"id": 1, "scores": {"x": 1.0}}, {"id": 1, "scores": {"x": 1.0}}])
    with pytest.raises(AnnotationError) as caught:
        of_items(a, b)
    told = "\n".join(caught.value.errors)
    for words in (
        "a.jsonl:1: scores must be",
        "a.jsonl:2: scores must be",
        "b.jsonl:2: the id 1 stands twice",
    ):
        assert words in told


def test_files_without_a_common_item(put):
    a, b = (put(f"{n}.jsonl", [{"id": n, "scores": {"x": 1.0}}]) for n in "ab")
    with pytest.raises(AnnotationError, match="no item in common"):
        of_items(a, b, missing="skip")
