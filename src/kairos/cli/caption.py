"""`kairos caption VIDEO`"""

from __future__ import annotations

from kairos.cli import options
from kairos.cli.put import put
from kairos.tasks import caption

NAME, HELP = "caption", "Tell what happens in a video, event by event, each with its moment."


def run(
    video: options.VideoPath,
    model: options.ModelPath = None,
    start: options.Start = None,
    end: options.End = None,
    fps: options.Fps = None,
    plot: options.Plot = None,
    save: options.Save = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    values = {"start": start, "end": end, "fps": fps}
    put(caption, video, None, values, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet)
