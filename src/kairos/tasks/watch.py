"""Watching as the video plays: queries stand from when they are put, and are answered as things happen (MMDuet).

As a task it gives one Answer when the video is over: what was told, each turn pinned to its tick (MAGQA, 6.3). `watch` gives
the turns themselves, as they come, from anything that plays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kairos.errors import InputError, OptionError
from kairos.model.trigger import PRESETS, Trigger
from kairos.tasks.option import Option
from kairos.tasks.task import Task

if TYPE_CHECKING:
    from kairos.tasks.protocol import DuetModel
    from kairos.tasks.watching import Watch
    from kairos.timeline import Answer
    from kairos.video import Video

__all__ = ["TASK", "check", "watch"]

NARRATE = "narrate the video"
"""What stands where nothing is asked for: the query of dense captioning."""

ENDLESS_WINDOW_S = 600.0
"""So much of a stream is remembered where nothing else is asked for; of a file, everything."""

StrPath = str | os.PathLike[str]


def watch(
    model: DuetModel,
    source: Video | StrPath,
    *queries: str,
    trigger: Trigger | None = None,
    save: StrPath | None = None,
    network: bool = False,
    **options: Any,
) -> Watch:
    """Opens a source and puts the standing queries; it plays while the result is iterated.

    `source` is a Video, a file, an image folder, a camera device, "-" (a stream on stdin), or a URL, which is opened only
    with `network`. `options` are preset, threshold, heads, keep_replies, window, rate and realtime; a `trigger` stands in place
    of the first two. `save` names a JSON Lines file that holds every turn from the moment it was said. Raises OptionError, InputError, VideoError.
    """
    from kairos.tasks.events import Started
    from kairos.tasks.watching import Watch
    from kairos.timeline.journal import Journal
    from kairos.video import live

    values = check(queries, options)
    preset, heads, realtime = values["preset"], values["heads"], values["realtime"]
    deciding = _trigger(trigger, values, options)
    name = _name(source)
    config = model.config
    endless = not os.path.isfile(name) and not os.path.isdir(name)
    seconds = values["window"] or (ENDLESS_WINDOW_S if endless else None)
    window = None if seconds is None else max(1, round(seconds * config.fps))
    started = Started(
        source=name.encode("utf-8", "replace").decode(),  # a file name may hold bytes that are no text
        model=model.name,
        fps=float(config.fps),
        preset=preset,
        heads=heads,
        queries=_queries(queries) or (NARRATE,),
    )
    with ExitStack() as stack:
        playing = stack.enter_context(
            live(
                name,
                fps=config.fps,
                size=config.image_size,
                audio_rate=config.audio_rate,
                realtime=realtime,
                network=network,
                rate=values["rate"],
            )
        )
        duet = model.duet(trigger=deciding, heads=heads, keep_replies=values["keep_replies"], window=window)
        journal = None if save is None else stack.enter_context(Journal(save, started.source))
        result = Watch(model, duet, playing, started, trigger=deciding, journal=journal)
        stack.pop_all()  # from here on it is the watch that closes them
    return result


def check(queries: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns every option with its value or default; raises OptionError, or InputError for the queries."""
    values = TASK.check(options)
    if not _queries(queries) and values["preset"] != "caption":
        raise InputError(
            "watch needs a query",
            hint="say in words what to look for, or tell everything with preset caption",
        )
    if values["keep_replies"] and values["heads"] != "context":
        raise OptionError(
            "--keep-replies needs --heads context",
            option="keep_replies",
            value=True,
            hint="the query track never reads replies",
        )
    return values


def _answer(model: Any, video: Video, query: str | None, *, progress: Any, **values: Any) -> Answer:
    from kairos.tasks import evidence
    from kairos.tasks.events import Scored

    if query and (refusal := evidence.unknown_words("watch", model, video, query)) is not None:
        return refusal
    with watch(model, video, *([query] if query else ()), **values) as watching:
        for event in watching.events():
            if progress is not None and isinstance(event, Scored):
                progress(min(watching.time, video.duration), video.duration)
        return watching.answers()[0]


TASK = Task(
    name="watch",
    description="watch a video as it plays and tell each time that something asked for happens, when it happens",
    query="optional",
    options=(
        Option(
            name="preset",
            help="when to speak: whenever there is something new (magqa), step by step (caption), once (ground), "
            "or as long as it lasts (highlight)",
            type=str,
            default="magqa",
            choices=tuple(PRESETS),
        ),
        Option(
            name="threshold",
            help="how high scores must be to speak, in place of the preset's; lower speaks sooner and more",
            least=0.0,
        ),
        Option(
            name="heads",
            help="what scores: the query track, or the language model in context",
            type=str,
            default="track",
            choices=("track", "context"),
        ),
        Option(
            name="keep_replies",
            help="let the model read its own earlier turns (context heads only)",
            type=bool,
            default=False,
        ),
        Option(
            name="window",
            help=f"how much is remembered, seconds; without it a file whole, a stream for {ENDLESS_WINDOW_S:g} s",
            above=0.0,
        ),
        Option(
            name="rate",
            help="images a second of a folder of images; without it one a tick of the model",
            above=0.0,
        ),
        Option(name="realtime", help="play a file at its own speed", type=bool, default=False),
    ),
    answer=_answer,
)


def _queries(given: Sequence[str]) -> tuple[str, ...]:
    queries = tuple(words for query in given if (words := TASK.check_query(query)))
    if len(queries) < len(given):
        raise InputError("watch: a query is empty", hint="say in words what to look for")
    return queries


def _trigger(given: Trigger | None, values: dict[str, Any], options: dict[str, Any]) -> Trigger | None:
    """None stands for the model's own, which is the preset magqa as it was calibrated."""
    threshold, preset = values["threshold"], PRESETS[values["preset"]]
    if given is not None:
        if options.get("threshold") is not None or options.get("preset") is not None:
            raise OptionError(
                "a trigger stands in place of preset and threshold", option="trigger", hint="give one"
            )
        return given
    if threshold is not None:
        return replace(preset, **{"total" if preset.threshold is None else "threshold": threshold})
    return None if values["preset"] == "magqa" else preset


def _name(source: Any) -> str:
    """What to open: the path of a Video, or the path or URL as it was given."""
    name = getattr(source, "path", source) if hasattr(source, "sample") else source
    if not isinstance(name, str | os.PathLike) or not os.fspath(name):
        raise InputError(
            f"watch: {source!r} is no source", hint="give a file, a folder, a camera, a URL or -"
        )
    name = os.fspath(name)
    return name if isinstance(name, str) else os.fsdecode(name)
