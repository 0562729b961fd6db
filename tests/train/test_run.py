"""Training: killed and resumed equals never killed; nothing but torch, transformers and numpy is needed."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from kairos.errors import OptionError
from kairos.model.loading import load
from kairos.train import loop
from kairos.train.recipe import Optimiser
from kairos.train.run import run


class Killed(BaseException):
    pass


def until(stage):
    """Kills a run as soon as it is at a stage."""

    def kill(name, *_):
        if name == stage:
            raise Killed

    return kill


def test_killed_and_resumed_equals_never_killed(recipe, tmp_path, monkeypatch, drawn):
    beside = dataclasses.replace(recipe, pool=dataclasses.replace(recipe.pool, workers=1))
    run(beside, tmp_path / "whole")  # who renders clips changes nothing
    monkeypatch.setattr(loop, "_SAVE_EVERY_S", 0.0)  # every step is a checkpoint
    for stage, step in (("perception", 2), ("pool", 3), ("grounding", 3), ("language", 1), ("dialogue", 2)):

        def kill(name, done, total, losses, stage=stage, step=step):
            if name == stage and done == step:
                raise Killed

        with pytest.raises(Killed):
            run(recipe, tmp_path / "killed", progress=kill)
    result = run(recipe, tmp_path / "killed")
    for stage in ("perception", "grounding", "language", "dialogue"):
        one, two = (load_file(str(tmp_path / x / stage / "done.safetensors")) for x in ("whole", "killed"))
        assert one.keys() == two.keys()
        for key in one:
            torch.testing.assert_close(one[key], two[key], atol=1e-5, rtol=1e-4, msg=f"{stage} {key}")
    model = load(result["model"])
    assert model.name == "embedded"
    assert sum(f.stat().st_size for f in (tmp_path / "killed" / "model").iterdir()) < 32 * 2**20
    lines = (tmp_path / "killed" / "language" / "losses.jsonl").read_text().splitlines()
    assert {"step", "loss", "words", "relevance"} <= json.loads(lines[-1]).keys()
    assert tmp_path / "killed" / "language" in drawn


def test_a_half_written_checkpoint_is_passed_over(recipe, tmp_path):
    (tmp_path / "run" / "perception" / "checkpoint-3").mkdir(parents=True)
    with pytest.raises(Killed):
        run(recipe, tmp_path / "run", progress=until("pool"))
    assert (tmp_path / "run" / "perception" / "done.safetensors").is_file()
    assert not (tmp_path / "run" / "perception" / "checkpoint-3").exists()


def test_learning_lowers_the_loss(recipe, tmp_path):
    longer = dataclasses.replace(
        recipe,
        perception=dataclasses.replace(recipe.perception, optimiser=Optimiser(steps=40, rate=4e-3, warmup=2)),
    )
    losses: list[float] = []

    def note(name, done, total, parts):
        if name != "perception":
            raise Killed
        losses.append(parts["loss"])

    with pytest.raises(Killed):
        run(longer, tmp_path / "run", progress=note)
    assert losses[-1] < 0.9 * losses[0]


def test_a_run_is_not_overwritten(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "something").touch()
    with pytest.raises(OptionError, match="holds a run"):
        run(recipe, tmp_path / "run", resume=False)


def test_dry_run_says_what_would_run_and_writes_nothing(recipe, tmp_path):
    plan = run(recipe, tmp_path / "run", dry_run=True)
    assert [s["name"] for s in plan["stages"]] == ["perception", "pool", "grounding", "language", "dialogue"]
    assert plan["parameters"] > 10_000
    assert not (tmp_path / "run").exists()


BARE = """
import sys
import builtins
absent = {"av", "pydantic", "typer", "rich", "pysubs2", "matplotlib", "cv2", "pycocotools", "yaml"}
real = builtins.__import__
def bare(name, globals=None, *rest, **named):
    if name.partition(".")[0] in absent and (globals or {}).get("__name__", "").startswith("kairos"):
        raise ImportError(f"{name} is not on a bare machine")
    return real(name, globals, *rest, **named)
builtins.__import__ = bare
sys.path.insert(0, sys.argv[2])
from tiny import TINY
from kairos.train.recipe import *
from kairos.train.run import run
few = Optimiser(steps=2, warmup=1)
run(Recipe(threads=1, loaders=0, calibration=1, model=TINY, perception=Perception(optimiser=few, scenes=2, moments=2),
    pool=Pool(clips=2, shard=2, workers=0), grounding=Grounding(optimiser=few, clips=2, queries=2),
    language=Language(optimiser=few, clips=2, queries=2, questions=2, captions=1),
    dialogue=Dialogue(optimiser=few, clips=2, queries=1, questions=1, captions=1, standing=2)), sys.argv[1])
print("trained")
"""


def test_a_bare_machine_trains(tmp_path):
    from pathlib import Path

    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path / "run"), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "trained" in done.stdout, done.stderr[-2000:]


def test_a_run_takes_over_what_two_recipes_share(recipe, tmp_path):
    run(recipe, tmp_path / "one")
    other = dataclasses.replace(recipe, dialogue=dataclasses.replace(recipe.dialogue, insertion="end"))
    seen = []
    result = run(other, tmp_path / "two", start=tmp_path / "one", progress=lambda *step: seen.append(step[0]))
    assert result["taken"] == ["perception", "pool", "grounding", "language"]
    assert set(seen) == {"dialogue", "calibration"}
    again = dataclasses.replace(recipe, seed=recipe.seed + 1)
    with pytest.raises(Killed):  # nothing is shared: it begins at the beginning
        run(again, tmp_path / "three", start=tmp_path / "one", progress=until("perception"))
    with pytest.raises(OptionError, match="no run"):
        run(other, tmp_path / "four", start=tmp_path / "nothing")
    assert not (tmp_path / "four").exists()
