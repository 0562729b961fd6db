"""`kairos train RECIPE`: trains a model; run again, it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kairos.cli import devices, document, options, save
from kairos.errors import ConfigError

NAME, HELP = "train", "Train a model from a recipe; run again, it goes on where it stopped."


def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a YAML file.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run; runs/RECIPE if left out.", show_default=False),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Another run; what both recipes share is taken from it.", show_default=False
        ),
    ] = None,
    device: devices.Device = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin a new run; refuse a folder that holds one.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the recipe (heads.temporal=simple).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and end.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    if not recipe.is_file():
        what = "is a folder" if recipe.is_dir() else "does not exist"
        raise ConfigError(
            f"recipe {recipe} {what}", path=recipe, hint="give a YAML file such as recipes/embedded.yaml"
        )
    folder = out if out is not None else Path("runs") / recipe.stem
    save.check_folder(folder, "--out")

    devices.check(device)

    from kairos.cli.progress import counting
    from kairos.train import settings

    train: Any
    if settings.content(recipe).get("method") == "tpo":
        from kairos.train.tpo import run as train
    else:
        from kairos.train.run import run as train

    with counting(f"training {recipe.stem}", "steps", quiet=quiet) as update:

        def progress(stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
            loss = f", loss {losses['loss']:.4f}" if "loss" in losses else ""
            update(step, steps, f"{stage}{loss}")

        plan = train(
            recipe,
            out=folder,
            start=start,
            resume=not fresh,
            dry_run=dry_run,
            device=devices.choose(device),
            progress=progress,
            changes=changes or (),
        )
    if as_json:
        document.emit({**document.head("train"), "dry_run": dry_run, **plan})
    else:
        _show(plan)


def _show(plan: Mapping[str, Any]) -> None:
    for key, value in plan.items():
        if key == "stages":
            for stage in value:
                rest = ", ".join(f"{name} {number}" for name, number in stage.items() if name != "name")
                typer.echo(f"stage {stage['name']}: {rest}")
        else:
            typer.echo(f"{key}: {value}")
