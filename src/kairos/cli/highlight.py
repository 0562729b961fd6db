"""`kairos highlight VIDEO [QUERY]`"""

from __future__ import annotations

from typing import Annotated

import typer

from kairos.cli import options
from kairos.cli.put import put
from kairos.tasks import highlight

NAME, HELP = "highlight", "Pick what stands out in a video, about a query or about anything."


def run(
    video: options.VideoPath,
    query: Annotated[
        str | None, typer.Argument(help="What to look for, in words.", metavar="QUERY", show_default=False)
    ] = None,
    model: options.ModelPath = None,
    start: options.Start = None,
    end: options.End = None,
    fps: options.Fps = None,
    top: options.Top = None,
    plot: options.Plot = None,
    save: options.Save = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    values = {"start": start, "end": end, "fps": fps, "top": top}
    put(highlight, video, query, values, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet)
