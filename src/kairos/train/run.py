"""`kairos train RECIPE`: the stages of a recipe, one after the other, each resumable.

    perception  towers under dense labels
    pool        clips rendered once, kept as tower features
    following   what follows things through a video, where the recipe has it
    grounding   Fuseformer and query track: relevance, spans, presence
    language    all of it, with answers and captions
    dialogue    standing queries as duets, for the track's heads and the context's
    assign, tune, joint, settle, moments   task tokens and task heads (TPO), where the recipe has heads
    calibration two thresholds, from the validation split

What a stage made stands in `OUT/<stage>/done.safetensors`; the model, ready to load, in `OUT/model`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kairos.errors import OptionError
from kairos.model.config import KairosConfig
from kairos.model.follower import Follower
from kairos.model.kairos import KairosModel, count_parameters
from kairos.model.loading import save
from kairos.model.words import word_tokenizer
from kairos.timeline.files import atomic_write
from kairos.train.calibrate import calibrate
from kairos.train.following import FollowingBatches, FollowingLoss
from kairos.train.loop import Progress, fit
from kairos.train.objectives import QueryLoss
from kairos.train.perception import PerceptionBatches, PerceptionLoss
from kairos.train.pool import Pool, fill
from kairos.train.queries import Counts, QueryBatches
from kairos.train.recipe import Following, Heads, Optimiser, Recipe, load_recipe
from kairos.world.language import ABSENT_TEXT, vocabulary
from kairos.world.lexicon import COLOUR_NAMES, PHRASES, SHAPES


def build(recipe: Recipe) -> KairosModel:
    """An untrained model with the world's words."""
    torch.manual_seed(recipe.seed)
    tokenizer = word_tokenizer(vocabulary())
    config = KairosConfig(**recipe.model)
    config.decoder = {
        **config.decoder,
        "vocab_size": len(tokenizer),
        "pad_token_id": 0,
        "eos_token_id": 2,
        "bos_token_id": None,
    }
    config.name, config.absent_text = recipe.name, ABSENT_TEXT
    config.caption_verbs = tuple(forms[0][0] for forms in PHRASES.values())
    vocabulary_ids = tokenizer.get_vocab()
    model = KairosModel(config, [vocabulary_ids[name] for name in (*COLOUR_NAMES, *SHAPES)])
    model.tokenizer = tokenizer
    return model


def plan(recipe: Recipe) -> dict[str, Any]:
    """What a run would do: its stages with their steps, and the model's size."""
    model = build(recipe)
    if recipe.following is not None:
        model.give_follower(Follower(model.config.image_size))
    if recipe.heads is not None:
        model.give_heads(settings(model.config, recipe.heads))
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "parameters": count_parameters(model),
        "stages": [
            {
                "name": "perception",
                "steps": recipe.perception.optimiser.steps,
                "frames a step": recipe.perception.scenes * recipe.perception.moments,
            },
            {"name": "pool", "clips": recipe.pool.clips},
            *(
                {"name": "following", "steps": f.optimiser.steps, "things a step": f.clips * f.objects}
                for f in [recipe.following]
                if f is not None
            ),
            {
                "name": "grounding",
                "steps": recipe.grounding.optimiser.steps,
                "queries a step": recipe.grounding.clips * recipe.grounding.queries,
            },
            {
                "name": "language",
                "steps": recipe.language.optimiser.steps,
                "queries a step": recipe.language.clips
                * (recipe.language.queries + recipe.language.questions + recipe.language.captions),
            },
            {
                "name": "dialogue",
                "steps": recipe.dialogue.optimiser.steps,
                "duets a step": recipe.dialogue.clips * recipe.dialogue.standing,
            },
            *(
                {"name": name, "steps": optimiser.steps, "requests a step": heads.clips * heads.places}
                for heads in [recipe.heads]
                if heads is not None
                for name, optimiser in (
                    ("assign", heads.assign),
                    ("tune", heads.tune),
                    ("joint", heads.joint),
                    ("settle", heads.settle),
                    ("moments", heads.moments),
                )
            ),
        ],
    }


def run(
    recipe: str | Path | Recipe,
    out: str | Path = "runs/embedded",
    *,
    start: str | Path | None = None,
    resume: bool = True,
    dry_run: bool = False,
    device: str = "cpu",
    progress: Progress | None = None,
    changes: Sequence[str] = (),
) -> dict[str, Any]:
    """Train by a recipe into `out`; goes on where a killed run stopped. Returns the plan and where the model is.

    `changes` set some of the recipe file's settings anew ("heads.temporal=simple").

    With `resume=False` an `out` that holds a run already is refused. `start` is another run's folder: what it has finished
    before the first stage that the two recipes differ in is taken over. Raises ConfigError, OptionError.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, changes)
    out = Path(out)
    result = plan(recipe) | {"out": str(out), "device": device}
    if dry_run:
        return result
    if not resume and out.exists() and any(out.iterdir()):
        raise OptionError(
            f"{out}: holds a run already; name another --out, or resume it", option="--out", value=str(out)
        )
    if start is not None:
        result["taken"] = take(recipe, Path(start), out)
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "recipe.json") as file:
        json.dump(dataclasses.asdict(recipe), file, indent=1)
    torch.set_num_threads(recipe.threads)
    model = build(recipe)
    _perceive(recipe, model, out, device, progress)
    pool = _pool(recipe, model, out, device, progress)
    follower = _follow(recipe, recipe.following, model.config, out, device, progress)
    torch.manual_seed(recipe.seed)  # the same whether the stages before were done now or loaded
    loss = QueryLoss(model)
    g, s, d = recipe.grounding, recipe.language, recipe.dialogue
    _stage(
        recipe,
        "grounding",
        loss,
        pool,
        g.optimiser,
        (g.clips, Counts(g.queries), g.truncated),
        out,
        device,
        progress,
    )
    _stage(
        recipe,
        "language",
        loss,
        pool,
        s.optimiser,
        (s.clips, Counts(s.queries, s.questions, s.captions), s.truncated),
        out,
        device,
        progress,
    )
    _stage(
        recipe,
        "dialogue",
        loss,
        pool,
        d.optimiser,
        (d.clips, Counts(d.queries, d.questions, d.captions, d.standing), d.truncated),
        out,
        device,
        progress,
        insertion=d.insertion,
        informative=d.informative,
    )
    if follower is not None:
        model.give_follower(follower)
    if recipe.heads is not None:
        _heads(recipe, recipe.heads, loss, pool, out, device, progress)
    model.cpu().eval()
    report = None if progress is None else (lambda done, total: progress("calibration", done, total, {}))
    result |= calibrate(model, recipe.calibration, report)
    save(model, out / "model")
    return result | {"model": str(out / "model")}


def _follow(
    recipe: Recipe,
    stage: Following | None,
    config: KairosConfig,
    out: Path,
    device: str,
    progress: Progress | None,
) -> Follower | None:
    """A follower of the model's picture size, trained apart from all else."""
    if stage is None:
        return None
    torch.manual_seed(recipe.seed)  # the same whether the stages before were done now or loaded
    follower = Follower(config.image_size)
    module = FollowingLoss(follower)

    def batches(first: int) -> FollowingBatches:
        return FollowingBatches(follower.size, follower.fps, recipe.seed, stage, first)

    _once(
        out / "following",
        module,
        lambda: _fit(recipe, "following", module, batches, stage.optimiser, out, device, progress),
    )
    return follower


def _heads(
    recipe: Recipe,
    heads: Heads,
    loss: QueryLoss,
    pool: Pool,
    out: Path,
    device: str,
    progress: Progress | None,
) -> None:
    """TPO's three stages (section 3.2): who learns in each, and from what.

    Other than the paper's, the second stage leaves the language model as it is, so that nothing is forgotten for want of
    conversation; what heads have to say to it, it hears in the third. Then the heads settle on the model that has come of it,
    and the temporal head, which needs the most, goes on alone. Where answers are spelled there is nothing to learn but the
    language model, and it learns in all of them.
    """
    model, counts = loss.model, Counts(heads.queries, place=heads.places)
    if heads.conversation:
        counts = Counts(heads.queries, heads.questions, heads.captions, heads.standing, heads.places)
    model.give_heads(settings(model.config, heads))
    assert model.handover is not None
    alone = Counts(heads.queries, place=2 * heads.places)
    apart = (model.handover, model.speech.decoder) if heads.spelled else (model.handover,)
    kinds = dict.fromkeys(heads.kinds, heads.spelled)
    moments = Counts(heads.places - 1, place=heads.places // 2)
    temporal = [head for name, head in model.handover.tokens.heads.items() if name == "temporal"]
    stages = (
        ("assign", heads.assign, (model.speech.decoder,), counts, kinds),
        ("tune", heads.tune, apart, alone, kinds),
        ("joint", heads.joint, (loss,), counts, kinds),
        ("settle", heads.settle, apart, alone, kinds),
        ("moments", heads.moments, temporal, moments, {"temporal": False}),
    )
    for name, optimiser, learning, shown, asked in stages:
        if not optimiser.steps or not learning:
            continue
        loss.requires_grad_(False)
        for module in learning:
            module.requires_grad_(True)
        for frozen in (model.vision, model.audio, model.follower):
            if frozen is not None:
                frozen.requires_grad_(False)
        shape = (heads.clips, shown, heads.truncated)
        groups = _groups(loss, optimiser.rate, heads.slow)
        _stage(recipe, name, loss, pool, optimiser, shape, out, device, progress, groups, asked)
    loss.requires_grad_(True)


def _groups(loss: QueryLoss, rate: float, slow: float) -> list[dict[str, Any]]:
    """AdamW's: transformers, the temporal head and the decoder, learn at `slow` at most, all else at the stage's rate."""
    learning = [(name, p) for name, p in loss.named_parameters() if p.requires_grad]
    deep = [any(part in name for part in (".heads.temporal.", ".decoder.")) for name, _ in learning]
    rates = {False: rate, True: min(rate, slow)}
    groups = [
        {"params": [p for (_, p), d in zip(learning, deep, strict=True) if d == which], "lr": r}
        for which, r in rates.items()
    ]
    return [group for group in groups if group["params"]]


def settings(config: KairosConfig, heads: Heads) -> dict[str, dict[str, Any] | None]:
    """The task heads of an embedded model, at its size; None for those whose answers are words."""
    if heads.spelled:
        return dict.fromkeys(heads.kinds)
    sizes: dict[str, dict[str, Any]] = {
        "region": {},
        "temporal": {
            "video": config.width + config.track_width,
            "kind": heads.temporal,
            "width": 128,
            **({"heads": 4, "feedforward": 256, "input_dropout": 0.1} if heads.temporal == "cg-detr" else {}),
        },
        "mask": {"prompt": 64},
    }
    return {name: sizes[name] for name in heads.kinds}


def take(recipe: Recipe, start: Path, out: Path) -> list[str]:
    """Take over from the run in `start` each stage up to the first that differs or is not finished; returns their names."""
    try:
        theirs = json.loads((start / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{start} holds no run to start from", option="--from", value=str(start)) from error
    ours = json.loads(json.dumps(dataclasses.asdict(recipe)))
    taken: list[str] = []
    if any(ours[key] != theirs.get(key) for key in ("seed", "model")):
        return taken
    stages = ("perception", "pool", *(("following",) if recipe.following is not None else ()))
    for stage in (
        *stages,
        "grounding",
        "language",
        "dialogue",
        *(("assign", "tune", "joint", "settle", "moments") if recipe.heads is not None else ()),
    ):
        files = sorted((start / stage).glob("clips-*.safetensors" if stage == "pool" else "done.safetensors"))
        key = stage if stage in ours else "heads"
        if ours[key] != theirs.get(key) or not files:
            break
        (out / stage).mkdir(parents=True, exist_ok=True)
        for file in files:
            _share(file, out / stage / file.name)
        taken.append(stage)
    return taken


def _share(source: Path, target: Path) -> None:
    """The same file in two places, or a copy where the disk has no links."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        part = target.with_suffix(".part")
        shutil.copyfile(source, part)
        part.replace(target)


def _perceive(recipe: Recipe, model: KairosModel, out: Path, device: str, progress: Progress | None) -> None:
    stage, config = recipe.perception, model.config
    module = PerceptionLoss(model.vision, model.audio)

    def batches(first: int) -> PerceptionBatches:
        return PerceptionBatches(
            config, recipe.seed, stage.scenes, stage.moments, first, stage.optimiser.steps
        )

    _once(
        out / "perception",
        module,
        lambda: _fit(recipe, "perception", module, batches, stage.optimiser, out, device, progress),
    )


def _pool(recipe: Recipe, model: KairosModel, out: Path, device: str, progress: Progress | None) -> Pool:
    folder = out / "pool"
    towers = PerceptionLoss(model.vision, model.audio).cpu().eval()
    report = None if progress is None else (lambda done, total: progress("pool", done, total, {}))
    fill(towers, folder, recipe.pool.clips, recipe.pool.shard, recipe.seed, recipe.pool.workers, report)
    return Pool(folder, recipe.seed)


def _stage(
    recipe: Recipe,
    name: str,
    loss: QueryLoss,
    pool: Pool,
    optimiser: Optimiser,
    shape: tuple[int, Counts, float],
    out: Path,
    device: str,
    progress: Progress | None,
    groups: list[dict[str, Any]] | None = None,
    heads: dict[str, bool] | None = None,
    **ways: str,
) -> None:
    clips, counts, truncated = shape
    model = loss.model
    seed = recipe.seed * 100 + sum(map(ord, name))

    def batches(first: int) -> QueryBatches:
        return QueryBatches(
            pool,
            model.words,
            model.config.fps,
            seed,
            clips,
            counts,
            truncated,
            first,
            optimiser.steps,
            model.config.context_tokens,
            heads,
            **ways,
        )

    _once(
        out / name, loss, lambda: _fit(recipe, name, loss, batches, optimiser, out, device, progress, groups)
    )


def _fit(
    recipe: Recipe,
    name: str,
    module: nn.Module,
    batches: Callable[[int], Any],
    optimiser: Optimiser,
    out: Path,
    device: str,
    progress: Progress | None,
    groups: list[dict[str, Any]] | None = None,
) -> None:
    fit(
        name,
        module,
        batches,
        optimiser,
        out / name,
        seed=recipe.seed,
        device=device,
        loaders=recipe.loaders,
        progress=progress,
        groups=groups,
    )


def _once(folder: Path, module: nn.Module, work: Callable[[], None]) -> None:
    """Do a stage's work, or load what it made."""
    from safetensors.torch import load_model, save_model

    done = folder / "done.safetensors"
    if not done.exists():
        work()
        module.cpu()
        save_model(module, str(done.with_suffix(".part")))
        done.with_suffix(".part").replace(done)
    load_model(module, str(done))
