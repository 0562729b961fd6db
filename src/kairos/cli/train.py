"""`kairos train RECIPE`: trains a model; run again, it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kairos.cli import document, options, save
from kairos.errors import ConfigError

NAME, HELP = "train", "Train a model from a recipe; run again, it goes on where it stopped."


def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a YAML file.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run; runs/RECIPE if left out.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew where a run is already in the folder.")
    ] = False,
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

    from kairos.cli.progress import counting
    from kairos.train import run as train

    with counting(f"training {recipe.stem}", "steps", quiet=quiet) as progress:
        result: Any = train(
            recipe, out=folder, resume=not fresh, dry_run=dry_run, device=device, progress=progress
        )
    report = {**document.head("train"), "recipe": str(recipe), "out": str(folder), "dry_run": dry_run}
    report |= result if isinstance(result, dict) else {"result": result}
    if as_json:
        document.emit(report)
    else:
        for key, value in report.items():
            if key not in ("kairos", "version") and value is not None:
                typer.echo(f"{key}: {value}")
