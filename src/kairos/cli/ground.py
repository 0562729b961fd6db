"""`kairos ground VIDEO QUERY`"""

from __future__ import annotations

from typing import Annotated

import typer

from kairos.cli import options
from kairos.cli.put import put
from kairos.tasks import ground

NAME, HELP = "ground", "Find when something happens in a video, best moment first."


def run(
    video: options.VideoPath,
    query: Annotated[
        str, typer.Argument(help="What happens, in words.", metavar="QUERY", show_default=False)
    ],
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
    put(ground, video, query, values, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet)
