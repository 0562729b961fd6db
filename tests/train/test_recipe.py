"""A recipe's mistakes are all told at once, each with its path and the nearest right key."""

from __future__ import annotations

from pathlib import Path

import pytest

from kairos.errors import ConfigError
from kairos.train.recipe import Following, Heads, Recipe, load_recipe

EMBEDDED = Path(__file__).parents[2] / "recipes" / "embedded.yaml"


def test_the_shipped_recipe_is_the_default():
    assert load_recipe(EMBEDDED) == Recipe(following=Following(), heads=Heads())


def test_settings_are_changed_by_their_path():
    made = load_recipe(EMBEDDED, ["heads.temporal=simple", "heads.kinds=[region]", "heads.joint.rate=1.0e-4"])
    assert made.heads.temporal == "simple"
    assert made.heads.kinds == ("region",)
    assert made.heads.joint.rate == 1e-4
    assert made.heads.joint.steps == Heads().joint.steps


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("heads.temporal", "write it as"),
        ("heads.temporall=simple", "did you mean temporal"),
        ("seed.x=1", "seed has no keys of its own"),
        ("heads.temporal=strong", "heads.temporal"),
        ("name={", "cannot set"),
    ],
)
def test_changes_that_cannot_be(change, told):
    with pytest.raises(ConfigError, match=told):
        load_recipe(EMBEDDED, [change])


def test_all_mistakes_at_once(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "sede: 3\npool: {clips: many}\ngrounding: {optimiser: {steps: 5, ratte: 1}, truncated: 2}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_recipe(path)
    text = str(error.value)
    assert "did you mean seed" in text
    assert "pool.clips" in text
    assert "grounding.optimiser.ratte: unknown key; did you mean rate" in text
    assert len(error.value.errors) >= 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("- a\n- b\n", "keys and values"),
        ("{: [", "not a recipe"),
        ("seed: -1\n", "seed: -1"),
        ("pool: {clips: 0}\n", "pool.clips"),
        ("grounding: {truncated: 1.5}\n", "grounding.truncated"),
        ("perception: {optimiser: {steps: 10, rate: .nan}}\n", "perception.optimiser.rate"),
        ("model: {widht: 64}\n", "did you mean width"),
    ],
)
def test_absurd_files_are_refused(tmp_path, content, told):
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"r\.yaml") as error:
        load_recipe(path)
    assert told in str(error.value)
