"""`kairos bench NAME`: measures a model or the code, and prints the table that the documents quote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kairos.bench import BENCHES
from kairos.bench.exams import EXAMS
from kairos.cli import document, options, save
from kairos.tasks import Option

NAME, HELP = "bench", "Measure a model or the code itself."

COUNT = Option(name="count", help="how many", type=int, least=1)
LIMIT = Option(name="limit", help="how many items", type=int, least=1)
FRAMES = Option(name="frames", help="how many frames", type=int, least=1)
BUDGET = Option(name="budget", help="seconds of work", above=0.0)
SEED = Option(name="seed", help="equal seeds give equal clips", type=int, least=0)
NAMES = "; ".join(f"{name}: {what}" for name, what in BENCHES.items())
NAMES += f"; or, about given videos: {', '.join(EXAMS)}"
MISSED = 1


def run(
    name: Annotated[str, typer.Argument(help=f"Which benchmark. {NAMES}.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Folder of a model, embedded (the default), or, about given videos, a model behind an OpenAI-compatible "
            "address: http://HOST/v1#NAME.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for clips, predictions, table.md.", show_default=False),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            help="How many clips a split (embedded, duet), scenes (world), runs (speed, duet-speed, decode).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal clips.")] = 0,
    ablations: Annotated[
        Path | None,
        typer.Option(
            "--ablations",
            help="Folder of models to compare, one in each sub-folder (duet, heads).",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            help="Folder of the videos: files, or folders of images, by their names.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations",
            help="The benchmark's official file or folder.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Only the first items.", show_default=False)
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames", help="So many frames are looked at for an item, at most.", show_default=False
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            "--budget",
            help="Seconds after which no new item is begun; --resume goes on.",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            help="What of videos and annotations that are missing or broken: error (tell all and end), zero (nothing was "
            "said), skip (leave them out).",
        ),
    ] = "error",
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            help="A language model that rates free words, http://HOST/v1#NAME (magqa).",
            metavar="URL#NAME",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    table: Annotated[
        Path | None,
        typer.Option("--save", help="Write the table to FILE.md.", metavar="FILE", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and end.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure a model or the code itself; ends with 1 where a floor is missed."""
    COUNT.check(count)
    SEED.check(seed)
    LIMIT.check(limit)
    FRAMES.check(frames)
    BUDGET.check(budget)
    if out is not None:
        save.check_folder(out, "--out")
    if table is not None:
        save.check(table, "--save", (".md",))

    from kairos.bench import run as measure
    from kairos.cli.progress import counting

    with counting(f"bench {name}", "items" if name in EXAMS else "clips", quiet=quiet) as progress:
        report = measure(
            name,
            model=model,
            out=out,
            count=count,
            seed=seed,
            dry_run=dry_run,
            progress=progress,
            ablations=ablations,
            videos=videos,
            annotations=annotations,
            limit=limit,
            frames=frames,
            budget=budget,
            missing=None if missing == "error" else missing,
            judge=judge,
            resume=resume,
        )
    if table is not None and not dry_run:
        from kairos.timeline.files import atomic_write

        with atomic_write(table) as file:
            file.write(report.markdown())
    if as_json:
        document.emit({**document.head("bench"), "name": name, "dry_run": dry_run, **report.to_dict()})
    else:
        from kairos.cli.tables import show

        show(report)
    if not report.passed:
        raise typer.Exit(MISSED)
