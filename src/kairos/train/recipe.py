"""Recipes: what a training run does, as one frozen tree of settings that a YAML file fills in.

`load_recipe` reports every mistake of a file at once, with the dotted path and the nearest right key. This module
imports only the standard library until a file is read, so that the recipe's defaults train on a bare machine.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """AdamW with linear warm-up and cosine decay."""

    steps: int
    rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.02
    clip: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Perception:
    """Stage one: towers under dense labels; a batch is `scenes` scenes x `moments` frames."""

    optimiser: Optimiser = Optimiser(steps=1600, rate=2e-3)
    scenes: int = 48
    moments: int = 4


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Clips rendered once and kept as tower features: `clips` of them, `shard` a file."""

    clips: int = 8_000
    shard: int = 100
    workers: int = 2


@dataclass(frozen=True, kw_only=True)
class Following:
    """The follower's stage: a batch is `clips` clips of `frames` frames with `objects` things each to be followed.

    Clips grow to `frames` frames over the first half of the steps; while they are shorter there are more of them. Of the
    clips `shells` are shell games, and in `covered` of the others cups come down over what moves.
    """

    optimiser: Optimiser = Optimiser(steps=1600, rate=2e-3)
    clips: int = 6
    objects: int = 2
    frames: int = 14
    shells: float = 0.3
    covered: float = 0.4


@dataclass(frozen=True, kw_only=True)
class Grounding:
    """Stage two: Fuseformer and query track; a batch is `clips` clips x `queries` queries."""

    optimiser: Optimiser = Optimiser(steps=900, warmup=60)
    clips: int = 8
    queries: int = 16
    truncated: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Language:
    """Stage three: everything after the towers, with answers and captions."""

    optimiser: Optimiser = Optimiser(steps=1800, rate=8e-4, warmup=60)
    clips: int = 8
    queries: int = 8
    questions: int = 9
    captions: int = 3
    truncated: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """Stage four: standing queries as duets, beside all that was learned before (MMDuet, section 5)."""

    optimiser: Optimiser = Optimiser(steps=700, rate=5e-4, warmup=40)
    clips: int = 8
    queries: int = 6
    questions: int = 6
    captions: int = 1
    standing: int = 4
    truncated: float = 0.3
    insertion: Literal["random", "end"] = "random"
    informative: Literal["all", "one"] = "all"


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Stages five to nine: task tokens and task heads (TPO, section 3.2).

    `assign` teaches the language model to say which task is asked for, `tune` the tokens and their heads, `joint` all of it
    but the towers and the follower, beside all that was learned before, `settle` tokens and heads once more, `moments` the
    temporal head alone. A stage of no steps is left out. The temporal head and the decoder, which are transformers, learn no faster than `slow`.
    `kinds` are the heads; `temporal` is "cg-detr" or "simple"; with `spelled` there are none, and what they would give is
    taught as words; `conversation` says whether questions, captions and duets go on beside.
    """

    assign: Optimiser = Optimiser(steps=60, rate=8e-4, warmup=15)
    tune: Optimiser = Optimiser(steps=220, rate=3e-3, warmup=20)
    joint: Optimiser = Optimiser(steps=1100, rate=5e-4, warmup=20)
    settle: Optimiser = Optimiser(steps=300, rate=1e-3, warmup=20)
    moments: Optimiser = Optimiser(steps=300, rate=8e-4, warmup=20)
    slow: float = 8e-4
    clips: int = 8
    places: int = 6
    queries: int = 6
    questions: int = 8
    captions: int = 1
    standing: int = 2
    truncated: float = 0.5
    kinds: tuple[str, ...] = ("region", "temporal", "mask")
    temporal: Literal["cg-detr", "simple"] = "cg-detr"
    spelled: bool = False
    conversation: bool = True


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A staged training of one model."""

    name: str = "embedded"
    seed: int = 1
    threads: int = 2
    loaders: int = 1
    model: dict[str, Any] = field(default_factory=dict)
    perception: Perception = Perception()
    pool: Pool = Pool()
    following: Following | None = None
    grounding: Grounding = Grounding()
    language: Language = Language()
    dialogue: Dialogue = Dialogue()
    heads: Heads | None = None
    calibration: int = 160  # scenes of the validation split


def load_recipe(path: str | Path, changes: Iterable[str] = ()) -> Recipe:
    """The recipe in a YAML file, with some settings changed ("heads.temporal=simple"); raises ConfigError with all mistakes."""
    from kairos.train import settings

    return settings.load(path, Recipe, lambda recipe: _absurd(recipe, "") + _strange(recipe.model), changes)


def _strange(model: dict[str, Any]) -> list[str]:
    """Keys of `model` that are no setting of KairosConfig."""
    from kairos.model.config import KairosConfig
    from kairos.train.settings import nearest

    known = [
        name for name in inspect.signature(KairosConfig.__init__).parameters if name not in ("self", "kwargs")
    ]
    return [f"model.{key}: {nearest(str(key), known)}" for key in model if key not in known]


def _absurd(item: Any, prefix: str) -> list[str]:
    errors = []
    for f in dataclasses.fields(item):
        value, name = getattr(item, f.name), f"{prefix}{f.name}"
        if dataclasses.is_dataclass(value):
            errors += _absurd(value, f"{name}.")
        elif value is None or isinstance(value, bool | str | dict | tuple):
            continue
        elif f.name in ("truncated", "shells", "covered"):
            errors += [] if 0 <= value <= 1 else [f"{name}: {value} is not a share from 0 to 1"]
        elif f.name in (
            "seed",
            "warmup",
            "weight_decay",
            "loaders",
            "workers",
            "captions",
            "standing",
            "places",
        ) or (name.startswith("heads.") and f.name in ("steps", "queries", "questions")):
            errors += [] if value >= 0 else [f"{name}: {value} is negative"]
        elif not value > 0 or value != value or value == float("inf"):
            errors.append(f"{name}: {value} is not a positive number")
    return errors
