"""`kairos world render`: clips of the procedural world as mp4 files, each beside its exact labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from kairos.cli import options
from kairos.errors import OptionError

HELP = "The procedural world: render clips with exact labels."

app = typer.Typer(help=HELP, no_args_is_help=True)


@app.callback()
def frame() -> None:
    pass


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    split: Annotated[str, typer.Option("--split", help="Which part of the world.")] = "test",
    count: Annotated[int, typer.Option("--count", help="How many clips.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal clips.")] = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write NAME.mp4 files (H.264 and AAC) and beside each its labels, NAME.timeline.jsonl."""
    if count < 1:
        raise OptionError(
            f"--count {count} is out of range", option="count", value=count, hint="give 1 or more"
        )
    if seed < 0:
        raise OptionError(f"--seed {seed} is out of range", option="seed", value=seed, hint="give 0 or more")
    if out.exists() and not out.is_dir():
        raise OptionError(f"--out {out} is a file", option="out", value=str(out), hint="give a folder")

    from kairos.cli.progress import counting
    from kairos.world import render_split

    with counting(f"rendering to {out}", "clips", quiet=quiet) as progress:
        files = render_split(seed=seed, split=split, count=count, out=out, progress=progress)
    written = [str(path) for path in files]
    if as_json:
        report = {
            "kairos": "world",
            "version": 1,
            "seed": seed,
            "split": split,
            "out": str(out),
            "files": written,
        }
        json.dump(report, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        typer.echo(f"{len(written)} clips in {out}")
