from __future__ import annotations

import json

import pytest
from official import shared

from kairos.bench.protocols.scoring import score
from kairos.errors import AnnotationError, TimelineError
from kairos.score.identities import follow_all

pytest.importorskip("scipy")

HERE, THERE = (0, 0, 10, 10), (50, 50, 60, 60)


def test_published_values_to_the_last_digit():
    folder = shared("metrics/tracking_mot")
    expected = json.loads((folder / "expected/published_TUD-Campus.json").read_text())["TUD-Campus"]
    found = score("mot", folder / "predictions", folder / "ground_truth", ways=("official",), rounds=0)
    for name, value in expected.items():
        assert f"{found.value(name):.6f}" == f"{value:.6f}", name


def test_a_thing_keeps_its_track_and_a_new_one_is_a_switch():
    near = (1, 0, 11, 10)
    values = follow_all([{1: HERE}, {1: near, 2: HERE}, {2: HERE}, {}, {2: HERE}], [{"a": HERE}] * 5).values()
    assert values["num_switches"] == 1.0
    assert values["num_false_positives"] == 1.0
    assert values["num_misses"] == values["num_fragmentations"] == 1.0
    assert values["mota"] == pytest.approx(1 - 3 / 5)
    assert values["idr"] == pytest.approx(3 / 5)


def test_nothing_and_too_little():
    assert "mota" not in follow_all([], []).values()
    assert follow_all([{}], [{"a": HERE}]).values()["recall"] == 0.0
    assert follow_all([{1: THERE}], [{"a": HERE}]).values()["mota"] == -1.0
    with pytest.raises(TimelineError, match="1 predicted and 2 true"):
        follow_all([{}], [{}, {}])


def test_bad_lines(tmp_path):
    (tmp_path / "ref/s/gt").mkdir(parents=True)
    (tmp_path / "ref/s/gt/gt.txt").write_text("1,1,0,0,5,5,1\n1,1,0,0,5,5,1\n2,x\n1,2,3\n")
    with pytest.raises(AnnotationError) as caught:
        score("mot", tmp_path / "ref", tmp_path / "ref")
    told = "\n".join(caught.value.errors)
    assert "s/gt/gt.txt:2: 1 stands twice in frame 1" in told
    assert "gt.txt:3: must hold numbers: '2,x'" in told
    assert "gt.txt:4: must be frame" in told
