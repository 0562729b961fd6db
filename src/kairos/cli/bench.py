"""`kairos bench NAME`: measures a model or the code, and prints the table that the documents quote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kairos.cli import options
from kairos.errors import OptionError

NAME, HELP = "bench", "Measure a model or the code itself."


def run(
    name: Annotated[
        str, typer.Argument(help="Which benchmark: embedded, decode, speed.", show_default=False)
    ],
    model: options.ModelPath = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for clips and predictions.", show_default=False)
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="How many clips a split.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and end.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    if count is not None and count < 1:
        raise OptionError(
            f"--count {count} is out of range", option="count", value=count, hint="give 1 or more"
        )
    if out is not None and out.exists() and not out.is_dir():
        raise OptionError(f"--out {out} is a file", option="out", value=str(out), hint="give a folder")

    from kairos.bench import run as measure
    from kairos.cli.progress import counting

    with counting(f"bench {name}", "clips", quiet=quiet) as progress:
        report: Any = measure(name, model=model, out=out, count=count, dry_run=dry_run, progress=progress)
    if as_json:
        document = {"kairos": "bench", "version": 1, "name": name, "dry_run": dry_run, **report}
        json.dump(document, sys.stdout, ensure_ascii=False, default=str)
        sys.stdout.write("\n")
    else:
        for key, value in report.items():
            typer.echo(f"{key}: {value}")
