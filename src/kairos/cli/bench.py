"""`kairos bench NAME`: measures a model or the code, and prints the table that the documents quote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kairos.cli import document, options, save
from kairos.tasks import Option

NAME, HELP = "bench", "Measure a model or the code itself."

COUNT = Option(name="count", help="how many clips a split", type=int, least=1)


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
    COUNT.check(count)
    if out is not None:
        save.check_folder(out, "--out")

    from kairos.bench import run as measure
    from kairos.cli.progress import counting

    with counting(f"bench {name}", "clips", quiet=quiet) as progress:
        report: Any = measure(name, model=model, out=out, count=count, dry_run=dry_run, progress=progress)
    if as_json:
        document.emit({**document.head("bench"), "name": name, "dry_run": dry_run, **report})
    else:
        for key, value in report.items():
            typer.echo(f"{key}: {value}")
