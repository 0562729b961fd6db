"""`kairos bench` as a command: names, table, JSON, exit codes."""

from __future__ import annotations

import json

import pytest

import kairos.bench
from kairos.bench import BENCHES
from kairos.bench.report import Measure, Report, Target
from kairos.cli import main


@pytest.fixture
def cli(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return end.value.code, shown.out, shown.err

    return call


@pytest.fixture
def measured(monkeypatch):
    """Makes every benchmark give one measure of the value set here."""
    values = {"value": 0.9}

    def run(name, **options):
        values["options"] = options
        measure = Measure("hits", "seen", values["value"], 0.8, 0.95, 10, Target(0.85))
        return Report(name, "A title", (measure,), {"seed": 0}, ("a note",), f"kairos bench {name}")

    monkeypatch.setattr(kairos.bench, "run", run)
    return values


def test_help_lists_every_benchmark(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    code, out, _ = cli("bench", "--help")
    assert code == 0
    for name, what in BENCHES.items():
        assert f"{name}: {what}" in out


def test_the_table_and_its_command_are_printed(cli, measured, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = cli("bench", "world", "--quiet")
    assert code == 0
    assert "90.0 [80.0, 95.0]" in out
    assert ">= 85.0 pass" in out
    assert "printed by: kairos bench world" in out


def test_a_missed_floor_ends_with_one_and_still_prints(cli, measured, tmp_path):
    measured["value"] = 0.5
    path = tmp_path / "table.md"
    code, out, err = cli("bench", "embedded", "--quiet", "--json", "--save", path, "--seed", 3)
    assert code == 1
    assert not err
    document = json.loads(out)
    assert (document["kairos"], document["version"], document["name"]) == ("bench", 1, "embedded")
    assert document["passed"] is False
    assert document["measures"][0]["name"] == "hits"
    assert "| hits | 50.0 [80.0, 95.0] | >= 85.0 FAIL |" in path.read_text()
    assert measured["options"]["seed"] == 3


def test_bad_input(cli, measured, tmp_path):
    assert cli("bench", "embedded", "--count", 0)[0] == 2
    assert cli("bench", "embedded", "--seed", -1)[0] == 2
    assert cli("bench", "embedded", "--save", tmp_path / "table.txt")[0] == 2
    assert "options" not in measured


def test_an_unknown_name_is_refused_in_one_line(cli):
    code, _, err = cli("bench", "wrold")
    assert code == 2
    assert err.strip() == "kairos: there is no benchmark 'wrold' (did you mean world?)"


def test_a_dry_run_says_what_would_run(cli):
    code, out, _ = cli("bench", "embedded", "--dry-run", "--count", "7")
    assert code == 0
    assert "clips a split: 7" in out
