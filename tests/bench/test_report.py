"""Reports: targets, tables, JSON."""

from __future__ import annotations

import json

import pytest

from kairos.bench.report import Measure, Report, Target, command
from kairos.score import Interval


def report():
    return Report(
        "embedded",
        "A title",
        (
            Measure("hits", "seen", 0.9, 0.8, 0.95, 10, Target(0.85, 0.97)),
            Measure("hits", "held out", 0.7, target=Target(0.78)),
            Measure("late", "seen", 0.5, unit="s", digits=2, section="in detail"),
        ),
        {"seed": 0},
        ("a note",),
        "kairos bench embedded",
    )


def test_markdown():
    assert report().markdown() == (
        "| measure | seen | floor (goal) | held out | floor (goal) |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| hits | 90.0 [80.0, 95.0] | >= 85.0 (97.0) pass | 70.0 | >= 78.0 FAIL |\n"
        "\n"
        "**In detail**\n"
        "\n"
        "| measure | seen |\n"
        "| --- | --- |\n"
        "| late, s | 0.50 |\n"
        "\n"
        "- a note\n"
        "- seed 0\n"
        "\n"
        "    kairos bench embedded\n"
    )


def test_json_holds_every_key_and_no_nan():
    document = report().to_dict()
    assert document["passed"] is False
    assert document["measures"][0]["floor"] == 0.85
    assert document["measures"][2]["passed"] is None
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(0.5), 0.5, True),
        (Target(0.5, strictly=True), 0.5, False),
        (Target(6.0, at_most=True), 6.0, True),
        (Target(6.0, at_most=True, strictly=True), 6.0, False),
        (Target(6.0, at_most=True), 6.1, False),
    ],
)
def test_targets(target, value, met):
    assert target.met(value) is met


def test_a_report_is_searched_by_name_and_column():
    assert report().find("hits", "seen").value == 0.9
    with pytest.raises(KeyError):
        report().find("hits", "nowhere")
    assert Measure.of("none", "seen", None) is None
    assert Measure.of("some", "seen", Interval(0.5, 0.4, 0.6, 3, 2)).n == 3


def test_a_report_is_kept_as_a_table_and_as_json(tmp_path):
    report().save(tmp_path)
    assert (tmp_path / "table.md").read_text() == report().markdown()
    assert json.loads((tmp_path / "report.json").read_text()) == report().to_dict()


def test_the_command_names_what_was_asked_for():
    assert command("duet", count=3, seed=0, model=None) == "kairos bench duet --count 3"
    assert command("duet", count=3, seed=2, model="m") == "kairos bench duet --count 3 --seed 2 --model m"
