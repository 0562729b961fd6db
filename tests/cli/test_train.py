"""`kairos train`: recipes that are wrong, devices that are not there, and a dry run that leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RECIPE = "name: tiny\nperception:\n  scenes: 2\n  optimiser: {steps: 3}\n"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def refused(shown, *words):
    assert shown.code == 2, shown
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    for word in words:
        assert word in shown.err, shown.err


def test_a_dry_run_says_what_would_run_and_leaves_nothing(cli, recipe, tmp_path):
    document = json.loads(cli("train", recipe, "--dry-run", "--json", "--device", "cpu").out)
    assert (document["kairos"], document["version"], document["dry_run"]) == ("train", 1, True)
    assert document["stages"][0] == {"name": "perception", "steps": 3, "frames a step": 8}
    assert document["device"] == "cpu"
    shown = cli("train", recipe, "--dry-run")
    assert "stage perception: steps 3" in shown.out
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_settings_are_changed_on_the_command_line(cli, recipe):
    shown = cli("train", recipe, "--dry-run", "--set", "perception.optimiser.steps=5", "--set", "name=small")
    assert "stage perception: steps 5" in shown.out
    assert "recipe: small" in shown.out
    refused(cli("train", recipe, "--dry-run", "--set", "nmae=x"), "nmae", "did you mean name")
    refused(cli("train", recipe, "--dry-run", "--set", "name"), "write it as dotted.path=value")


def test_unknown_keys_are_named_all_at_once_with_the_nearest_right_ones(cli, recipe):
    recipe.write_text("nmae: tiny\nperception:\n  scens: 3\n")
    refused(cli("train", recipe), "nmae", "did you mean name?", "perception.scens", "did you mean scenes?")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("perception:\n  scenes: -3\n", "perception.scenes"),
        ("perception:\n  scenes: .nan\n", "perception.scenes"),
        ("perception:\n  optimiser: {steps: many}\n", "perception.optimiser.steps"),
        ("- a\n- list\n", "not a recipe"),
        ("", "not a recipe"),
        ("name: [unclosed\n", "not a recipe"),
    ],
)
def test_a_recipe_with_absurd_content(cli, recipe, content, word):
    recipe.write_text(content)
    refused(cli("train", recipe), "tiny.yaml", word)


@pytest.mark.parametrize("device", ["banana", "cuda:99", "cuda:x", ""])
def test_a_device_that_is_not_there(cli, recipe, device):
    refused(cli("train", recipe, "--device", device, "--dry-run"), f"--device {device}")


def test_an_out_that_is_a_file(cli, recipe, tmp_path):
    (tmp_path / "out").write_text("mine")
    refused(cli("train", recipe, "--out", tmp_path / "out"), "--out", "give a folder")


def test_a_fresh_run_does_not_touch_an_old_one(cli, recipe, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "losses.jsonl").write_text("{}\n")
    refused(cli("train", recipe, "--out", tmp_path / "old", "--fresh"), "old", "run already")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["losses.jsonl"]


def test_recipes_of_tpo_are_run_by_the_same_command(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = Path(__file__).parents[2] / "recipes" / "tpo.yaml"
    document = json.loads(cli("train", shipped, "--dry-run", "--json", "--device", "cpu").out)
    assert document["stages"][0]["name"] == "assign"
    assert document["stages"][0]["learns"] == "language=2e-05 words=2e-05"
    assert "stage region: missing data/region.jsonl" in cli("train", shipped, "--dry-run").out
    mine = tmp_path / "mine.yaml"
    mine.write_text(shipped.read_text().replace("rank: 16", "rnak: 16"))
    refused(cli("train", mine), "rnak: unknown key; did you mean rank?")
