"""`kairos caption VIDEO`; with `--live` it tells what happens as it plays"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kairos.cli import options
from kairos.cli.put import put
from kairos.cli.watch import follow
from kairos.errors import VideoError
from kairos.tasks import caption
from kairos.tasks.caption import check_live

NAME, HELP = "caption", "Tell what happens in a video, event by event, each with its moment."


def run(
    video: Annotated[
        str,
        typer.Argument(
            help="Video file; with --live whatever `kairos watch` takes.", metavar="VIDEO", show_default=False
        ),
    ],
    model: options.ModelPath = None,
    start: options.Start = None,
    end: options.End = None,
    fps: options.Fps = None,
    live: Annotated[bool, options.flag("caption", "live")] = False,
    plot: options.Plot = None,
    save: options.Save = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    from kairos.video.connection import Place

    values = {"start": start, "end": end, "fps": fps}
    if live:
        caption.check({name: value for name, value in values.items() if value is not None})
        check_live(values)
        follow(
            video, (), {"preset": "caption"}, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet
        )
        return
    if Place.of(video).kind != "path":
        raise VideoError(f"{video} is no file", path=video, hint="add --live to caption it as it plays")
    put(caption, Path(video), None, values, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet)
