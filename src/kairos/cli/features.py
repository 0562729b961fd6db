"""`kairos features VIDEO_DIR`: what a frozen vision encoder sees of videos, kept for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kairos.cli import devices, document, options, save
from kairos.errors import InputError
from kairos.tasks import Option

NAME, HELP = "features", "Keep what a frozen vision encoder sees of videos and pictures, for training."

FPS = Option(name="fps", help="frames a second", above=0.0, most=30.0)
CLIP = Option(name="clip", help="length of a clip, seconds", above=0.0, most=60.0)
MOST = Option(name="most", help="frames of a video that are kept", type=int, least=1, most=4096)
GRID = Option(name="grid", help="rows and columns of features a frame", type=int, least=1)
RATE = Option(name="rate", help="pictures a second", above=0.0, most=120.0)
SHOWN = 5


def run(
    videos: Annotated[
        Path,
        typer.Argument(help="Folder of videos and pictures.", metavar="VIDEO_DIR", show_default=False),
    ],
    backbone: Annotated[
        Path,
        typer.Option("--backbone", help="Folder of a model with a vision encoder.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of features to write to.", show_default=False)],
    examples: Annotated[
        list[Path] | None,
        typer.Option(
            "--for",
            help="Only what these files of examples are about.",
            metavar="FILE.jsonl",
            show_default=False,
        ),
    ] = None,
    fps: Annotated[float, typer.Option("--fps", help="Frames a second that are looked at.")] = 1.0,
    clip: Annotated[float, typer.Option("--clip", help="Seconds of a clip, for the temporal head.")] = 1.0,
    most: Annotated[
        int, typer.Option("--most", help="Frames of a video that are kept for the language model.")
    ] = 128,
    grid: Annotated[
        int | None,
        typer.Option(
            "--grid", help="Average a frame's patches to so many rows and columns.", show_default=False
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", help="A folder of pictures is a video of so many a second.", show_default=False
        ),
    ] = None,
    device: devices.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    for option, value in ((FPS, fps), (CLIP, clip), (MOST, most), (GRID, grid), (RATE, rate)):
        option.check(value)
    devices.check(device)
    save.check_folder(out, "--out")

    from kairos.train import encoding
    from kairos.train.examples import read

    names = None if not examples else [e.video for path in examples for e in read(path) if e.video]
    found, missing = encoding.find(videos, names, rate=rate)
    if not found:
        raise InputError(
            f"{videos}: no videos and no pictures"
            + (f" of the {len(missing)} that the examples are about" if missing else ""),
            hint="names are compared without folders and endings" if missing else None,
        )

    from kairos.cli.progress import counting
    from kairos.model.backbone import Backbone, Settings

    encoder = Backbone.load(backbone, grid=grid, device=devices.choose(device))
    settings = Settings(
        backbone=str(backbone), width=encoder.width, grid=grid, fps=fps, clip_s=clip, most=most
    )
    with counting(f"features of {videos}", "videos", quiet=quiet) as progress:
        made = encoding.encode(encoder, encoder.size, found, out, settings, rate=rate, progress=progress)
    problems = [*made.problems, *(f"{name}: not in {videos}" for name in missing)]
    if not made.written and not made.kept:
        raise InputError(f"no features: {len(problems)} problems, the first: {problems[0]}")
    if as_json:
        head = {**document.head("features"), "backbone": str(backbone), "out": str(out)}
        shape = {"width": encoder.width, "patches": encoder.patches}
        document.emit({**head, **shape, "written": made.written, "kept": made.kept, "problems": problems})
        return
    before = f" ({len(made.kept)} were there)" if made.kept else ""
    each = f"{encoder.patches} features of {encoder.width} a frame"
    typer.echo(f"{len(made.written) + len(made.kept)} videos{before}, {each}, in {out}")
    for problem in problems[:SHOWN]:
        typer.echo(f"left out: {problem}", err=True)
    if len(problems) > SHOWN:
        typer.echo(f"left out: {len(problems) - SHOWN} more (--json lists them)", err=True)
