"""Task Preference Optimization of a pretrained language model: stages that learn what table 16 has them learn (TPO, section 3.2).

    run("recipes/tpo.yaml", "runs/tpo")     goes on where it stopped
    kairos.load("runs/tpo/model")           the model (`model.adapted`)

What a stage learned stands in `OUT/<stage>/done.safetensors`, the model in `OUT/model`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from kairos.errors import AnnotationError, OptionError, VideoError
from kairos.model.adapted import AdaptedConfig, AdaptedModel
from kairos.model.task_tokens import HEADS
from kairos.timeline.files import atomic_write
from kairos.train import examples, settings
from kairos.train.examples import Example
from kairos.train.features import Features
from kairos.train.features import settings as settings_of
from kairos.train.loop import Progress, fit
from kairos.train.pictures import Pictures, source
from kairos.train.recipe import Optimiser
from kairos.train.tpo_batches import TpoBatches, lacking
from kairos.train.tpo_model import TpoLoss

__all__ = ["Rates", "Stage", "TpoRecipe", "load_recipe", "looks", "made_of", "run"]

SHOWN = 3
"""So many problems of examples are told one by one."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Peak learning rates, 0 for what is frozen; `words` are the task words' rows, `box` reads a user's box.

    From the first stage on in which the `vision` encoder learns, it looks at videos, not at its features of before.
    """

    language: float = 2e-5
    words: float = 2e-5
    connector: float = 0.0
    vision: float = 0.0
    box: float = 0.0
    heads: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)

    def of(self, group: str) -> float:
        """The rate of one of `AdaptedModel.groups`."""
        part, _, name = group.partition(".")
        value = getattr(self, part)
        return float(value.get(name, 0.0) if name else value)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`batch` examples a step, `rows` of them at once; `data` are files of examples with weights (null: by their size).

    Either `steps`, or `epochs` of all the examples. Warm-up is a share of the steps, then the rate falls as a cosine.
    """

    name: str
    data: dict[str, float | None]
    rates: Rates = Rates()
    batch: int = 128
    rows: int = 1
    epochs: float | None = None
    steps: int | None = None
    warmup: float = 0.2
    weight_decay: float = 0.02
    clip: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TpoRecipe:
    """A training by TPO. `language` is a causal language model as transformers loads it, `features` a folder of features.

    `width` is the length of a feature; examples without features are an error, or left out with `missing: skip`. `heads` are registered heads with their settings; `follower` is a SAM 2, whose prompts
    the mask head learns to give. `videos` is the folder that the features were made of: where the vision encoder learns, it
    looks at these.
    """

    method: Literal["tpo"] = "tpo"
    name: str = "tpo"
    seed: int = 1
    loaders: int = 2
    language: str
    features: str
    missing: Literal["error", "skip"] = "error"
    videos: str | None = None
    width: int = 1024
    frames: int = 16
    length: int = 4096
    rank: int = 16
    alpha: int = 32
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    follower: str | None = None
    checkpoint_s: float = 600.0
    stages: tuple[Stage, ...]


def load_recipe(path: str | Path, changes: Iterable[str] = ()) -> TpoRecipe:
    """The recipe of a YAML file, with some settings changed ("stages.0.steps=3"); raises ConfigError with all mistakes."""
    return settings.load(path, TpoRecipe, _absurd, changes)


def made_of(recipe: TpoRecipe) -> AdaptedConfig:
    """What the model of a recipe is made of; its features say themselves how they were made."""
    return AdaptedConfig(
        language=recipe.language,
        width=recipe.width,
        frames=recipe.frames,
        rank=recipe.rank,
        alpha=recipe.alpha,
        heads=recipe.heads,
        follower=recipe.follower,
        features=settings_of(recipe.features),
        vision=any(looks(recipe).values()),
    )


def looks(recipe: TpoRecipe) -> dict[str, bool]:
    """Whether each stage looks at videos: from the first one on in which the vision encoder learns."""
    seen, at = False, {}
    for stage in recipe.stages:
        seen = seen or stage.rates.vision > 0
        at[stage.name] = seen
    return at


def run(
    recipe: str | Path | TpoRecipe,
    out: str | Path = "runs/tpo",
    *,
    start: str | Path | None = None,
    resume: bool = True,
    dry_run: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
    follower: nn.Module | None = None,
    changes: Sequence[str] = (),
) -> dict[str, Any]:
    """Train by a recipe into `out`; goes on where a killed run stopped. Returns the plan and where the model is.

    `follower` stands for the recipe's: a frozen module that has a prompt for boxes; `changes` as in `load_recipe`. Raises ConfigError, OptionError, ModelError.
    """
    recipe = recipe if isinstance(recipe, TpoRecipe) else load_recipe(recipe, changes)
    out = Path(out)
    if start is not None:
        raise OptionError(
            "a run by TPO starts from its language model alone", option="--from", value=str(start)
        )
    sets = {path: _examples(path, missing=dry_run) for stage in recipe.stages for path in stage.data}
    features = None if dry_run and not Path(recipe.features).exists() else Features(recipe.features)
    kept = sets if features is None else _learnable(recipe, sets, features)
    plan = {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "language": recipe.language,
        "stages": [_planned(recipe, stage, kept, sets) for stage in recipe.stages],
        "out": str(out),
        "device": device,
    }
    if features is None or dry_run:
        return plan
    if not resume and out.exists() and any(out.iterdir()):
        raise OptionError(
            f"{out}: holds a run already; name another --out, or resume it", option="--out", value=str(out)
        )
    torch.manual_seed(recipe.seed)
    model = AdaptedModel.build(made_of(recipe), follower=follower)
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "recipe.json") as file:
        json.dump(dataclasses.asdict(recipe), file, indent=1)
    for stage in recipe.stages:
        done = out / stage.name / "done.safetensors"
        if not done.exists():
            _train(recipe, stage, model, features, kept, out, device, progress)
            model.cpu().write(done)
        model.read(done)
    return plan | {"model": str(model.cpu().eval().save(out / "model"))}


def _train(
    recipe: TpoRecipe,
    stage: Stage,
    model: AdaptedModel,
    features: Features,
    sets: Mapping[str, list[Example]],
    out: Path,
    device: str,
    progress: Progress | None,
) -> None:
    groups = []
    for name, parameters in model.groups():
        rate = stage.rates.of(name)
        for parameter in parameters:
            parameter.requires_grad_(rate > 0)
        if rate > 0 and parameters:
            groups.append({"params": parameters, "lr": rate})
    steps, batches_a_step = _steps(stage, sets), _batches_a_step(stage)
    mine = {path: sets[path] for path in stage.data}
    weights = {path: weight for path, weight in stage.data.items() if weight is not None}
    heads = [
        name for name in recipe.heads if stage.rates.of(f"heads.{name}") or stage.rates.of(f"tokens.{name}")
    ]

    pictures = None
    if looks(recipe)[stage.name]:
        assert model.vision is not None
        assert recipe.videos is not None
        pictures = Pictures(Path(recipe.videos), features, model.vision.size, model.vision.patches)

    def batches(first: int) -> TpoBatches:
        return TpoBatches(
            mine,
            weights,
            features,
            model.script,
            heads,
            rows=stage.rows,
            frames=recipe.frames,
            length=recipe.length,
            seed=recipe.seed,
            first=first * batches_a_step * _devices(),
            steps=steps * batches_a_step * _devices(),
            pictures=pictures,
        )

    rates = [stage.rates.of(name) for name, _ in model.groups()]
    fit(
        stage.name,
        TpoLoss(model).to(device),
        batches,
        Optimiser(
            steps=steps,
            rate=max(rates),
            warmup=round(stage.warmup * steps),
            weight_decay=stage.weight_decay,
            clip=stage.clip,
        ),
        out / stage.name,
        seed=recipe.seed,
        device=device,
        loaders=recipe.loaders,
        progress=progress,
        groups=groups,
        batches_a_step=batches_a_step,
        every_s=recipe.checkpoint_s,
    )


def _planned(
    recipe: TpoRecipe,
    stage: Stage,
    sets: Mapping[str, list[Example]],
    before: Mapping[str, list[Example]],
) -> dict[str, Any]:
    """One stage's line of the plan; `before` are the sets with what was left out of them."""
    groups = (
        "language",
        "words",
        "connector",
        "vision",
        "box",
        *(f"{p}.{h}" for h in recipe.heads for p in ("heads", "tokens")),
    )
    shown: dict[str, Any] = {"name": stage.name}
    if missing := [path for path in stage.data if not sets[path]]:
        shown["missing"] = ", ".join(missing)
    else:
        shown["steps"] = _steps(stage, sets)
        shown["examples"] = sum(len(sets[path]) for path in stage.data)
        if lost := sum(len(before[path]) for path in stage.data) - shown["examples"]:
            shown["left_out"] = lost
    learns = " ".join(f"{group}={stage.rates.of(group):g}" for group in groups if stage.rates.of(group))
    return shown | {"batch": stage.batch, "learns": learns}


def _examples(path: str, missing: bool) -> list[Example]:
    return [] if missing and not Path(path).exists() else examples.read(path)


def _learnable(
    recipe: TpoRecipe, sets: Mapping[str, list[Example]], features: Features
) -> dict[str, list[Example]]:
    """The examples that can be learned from with these features. Raises AnnotationError with all that cannot, unless they are
    to be skipped and others are left.
    """
    kept: dict[str, list[Example]] = {}
    problems: dict[str, None] = {}
    lost = 0
    learns = looks(recipe)
    looked_at = {path for stage in recipe.stages if learns[stage.name] for path in stage.data}
    for path, of in sets.items():
        told = [_problem(example, features, recipe, path in looked_at) for example in of]
        kept[path] = [example for example, problem in zip(of, told, strict=True) if problem is None]
        problems |= dict.fromkeys(f"{path}: {problem}" for problem in told if problem is not None)
        lost += len(of) - len(kept[path])
    empty = [path for path in kept if sets[path] and not kept[path]]
    if empty or (problems and recipe.missing == "error"):
        shown = "; ".join([*problems][:SHOWN]) + (
            f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        )
        raise AnnotationError(
            f"{lost} examples cannot be learned from"
            + (f", all of {empty[0]}" if empty else "")
            + f": {shown}",
            path=recipe.features,
            errors=[*problems],
            hint="make the features by `kairos features`" + ("" if empty else ", or set missing: skip"),
        )
    return kept


def _problem(example: Example, features: Features, recipe: TpoRecipe, looked_at: bool) -> str | None:
    problem = lacking(example, features, recipe.width)
    if problem is None and looked_at and example.video is not None and recipe.videos is not None:
        try:
            source(Path(recipe.videos), features, example.video)
        except VideoError as error:
            return error.message
    return problem


def _steps(stage: Stage, sets: Mapping[str, list[Example]]) -> int:
    if stage.steps is not None:
        return stage.steps
    return max(1, math.ceil((stage.epochs or 1) * sum(len(sets[path]) for path in stage.data) / stage.batch))


def _devices() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _batches_a_step(stage: Stage) -> int:
    share = stage.batch / (stage.rows * _devices())
    if share < 1 or share % 1:
        raise OptionError(
            f"{stage.name}: {stage.batch} examples a step are not {stage.rows} at once on {_devices()} devices, evenly",
            option="batch",
            value=stage.batch,
        )
    return int(share)


def _absurd(recipe: TpoRecipe) -> list[str]:
    """What is wrong with values that are of the right types."""
    errors = [f"heads.{name}: {settings.nearest(name, HEADS)}" for name in recipe.heads if name not in HEADS]
    for name in ("width", "frames", "length", "rank", "alpha", "checkpoint_s"):
        if not 0 < getattr(recipe, name) < math.inf:
            errors.append(f"{name}: {getattr(recipe, name)} is not a positive number")
    errors += [
        f"{name}: {value} is negative" for name in ("seed", "loaders") if (value := getattr(recipe, name)) < 0
    ]
    names = [stage.name for stage in recipe.stages]
    if not names:
        errors.append("stages: there is none")
    errors += [f"stages: two are named {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    for k, stage in enumerate(recipe.stages):
        errors += [f"stages.{k}.{error}" for error in _absurd_stage(stage, recipe)]
    return errors


def _absurd_stage(stage: Stage, recipe: TpoRecipe) -> list[str]:
    errors = []
    if not stage.name or not stage.name.replace("-", "").replace("_", "").isalnum() or stage.name == "model":
        errors.append(f"name: {stage.name!r} is no name for its folder")
    if (stage.epochs is None) == (stage.steps is None):
        errors.append("epochs: give epochs or steps, one of them")
    for name in ("epochs", "steps", "batch", "rows", "clip"):
        value = getattr(stage, name)
        if value is not None and not 0 < value < math.inf:
            errors.append(f"{name}: {value} is not a positive number")
    if not 0 <= stage.warmup <= 1:
        errors.append(f"warmup: {stage.warmup} is not a share from 0 to 1")
    if not 0 <= stage.weight_decay < math.inf:
        errors.append(f"weight_decay: {stage.weight_decay} is negative")
    if not stage.data:
        errors.append("data: there is none")
    errors += [
        f"data.{path}: {weight} is not 0 or more"
        for path, weight in stage.data.items()
        if weight is not None and not 0 <= weight < math.inf
    ]
    given = dataclasses.asdict(stage.rates)
    for part in ("heads", "tokens"):
        unknown = [name for name in given[part] if name not in recipe.heads]
        errors += [f"rates.{part}.{name}: {settings.nearest(name, recipe.heads)}" for name in unknown]
    rates = {k: v for k, v in given.items() if not isinstance(v, dict)}
    rates |= {f"{part}.{k}": v for part in ("heads", "tokens") for k, v in given[part].items()}
    errors += [
        f"rates.{name}: {rate} is not 0 or more" for name, rate in rates.items() if not 0 <= rate < math.inf
    ]
    if not any(rate > 0 for rate in rates.values()):
        errors.append("rates: nothing is learned")
    if stage.rates.vision > 0 and recipe.videos is None:
        errors.append(
            "rates.vision: an encoder that learns looks at videos; set videos to the folder that the features were made of"
        )
    return errors
