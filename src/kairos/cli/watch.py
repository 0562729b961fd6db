"""`kairos watch SOURCE QUERY...`: turns are printed as they happen; a question may be typed at any time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kairos.cli import document, options
from kairos.cli import save as saving
from kairos.errors import InputError, OptionError

if TYPE_CHECKING:
    from kairos.tasks.events import Event
    from kairos.tasks.watching import Watch
    from kairos.timeline import Turn

NAME, HELP = "watch", "Watch a file or a stream as it plays, and tell whenever something happens."

INTERRUPTED = 130
JOURNAL = ".jsonl"

SourceName = Annotated[
    str,
    typer.Argument(
        help="Video file, folder of images, camera (/dev/video0), URL (rtsp, http, HLS, udp), or - for a stream on stdin.",
        metavar="SOURCE",
        show_default=False,
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        "--save",
        help="Write every turn to FILE.jsonl as it is said; what is there survives whatever ends the command.",
        metavar="FILE",
    ),
]


def run(
    source: SourceName,
    queries: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to tell of, in words; each one stands for itself.",
            metavar="QUERY...",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[str | None, options.flag("watch", "preset")] = None,
    threshold: Annotated[float | None, options.flag("watch", "threshold")] = None,
    heads: Annotated[str | None, options.flag("watch", "heads")] = None,
    keep_replies: Annotated[bool, options.flag("watch", "keep_replies")] = False,
    window: Annotated[float | None, options.flag("watch", "window")] = None,
    rate: Annotated[float | None, options.flag("watch", "rate")] = None,
    realtime: Annotated[bool, options.flag("watch", "realtime")] = False,
    model: options.ModelPath = None,
    plot: options.Plot = None,
    save: Save = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as a JSON document in a line.")
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    values = {
        "preset": preset,
        "threshold": threshold,
        "heads": heads,
        "keep_replies": keep_replies,
        "window": window,
        "rate": rate,
        "realtime": realtime,
    }
    follow(source, queries or [], values, model=model, plot=plot, save=save, as_json=as_json, quiet=quiet)


def follow(
    source: str,
    queries: Sequence[str],
    values: Mapping[str, Any],
    *,
    model: Path | None,
    plot: Path | None,
    save: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Watches a source to its end, or until Ctrl-C, and prints what happens. Everything is checked before the model loads."""
    from kairos.tasks.watch import check

    values = {name: value for name, value in values.items() if value is not None}
    check(queries, values)
    if save is not None:
        # What captions tell is one thing with one place each, which subtitles can hold; else the turns are all there is.
        told = saving.DOCUMENTS if values.get("preset") == "caption" and not queries else ()
        saving.check(save, "--save", (JOURNAL, *told))
    if plot is not None:
        saving.check(plot, "--plot", saving.PICTURES)
        if not os.path.isfile(source):
            raise OptionError(
                "--plot needs a file", option="plot", hint="what is live is not there to be drawn"
            )

    import kairos
    from kairos.cli.questions import asks, listen
    from kairos.cli.status import Status
    from kairos.tasks import watch

    _look(source)
    loaded = kairos.load(model) if model is not None else kairos.load()
    answering = asks(source)
    status = Status(asks=answering, quiet=quiet)
    interrupted = False
    began = time.perf_counter()  # opening a stream takes in its first seconds
    journal = save if save is not None and save.suffix.lower() == JOURNAL else None
    with watch(loaded, source, *queries, save=journal, network=True, **values) as watching:
        shown = _Documents() if as_json else _Lines(watching, status, quiet, began)
        if answering:
            listen(lambda line: _ask(watching, status, line))
        try:
            for event in watching.events():
                shown.event(event)
        except KeyboardInterrupt:
            watching.close("interrupted")
            interrupted = True
            for event in watching.events():
                shown.event(event)
        finally:
            status.clear()
    _conclude(watching, source, plot=plot, save=save, as_json=as_json)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _look(source: str) -> None:
    """What is clearly no source is told before the model loads. Raises VideoError."""
    import kairos
    from kairos.video.connection import Place

    place = Place.of(source)
    place.check(network=True)
    if place.kind == "path" and not os.path.isdir(source):
        kairos.open(source).close()


def _ask(watching: Watch, status: Any, line: str) -> None:
    status.entered()
    if line.strip():
        try:
            watching.say(line)
        except InputError as error:
            print(f"kairos: {error}", file=sys.stderr, flush=True)


def _conclude(watching: Watch, source: str, *, plot: Path | None, save: Path | None, as_json: bool) -> None:
    from kairos.cli import show

    answers = watching.answers()
    if save is not None and save.suffix.lower() != JOURNAL:
        saving.write(answers[0], save)
    if not as_json:
        if watching.started.preset != "magqa":  # what was told turn by turn need not be told again
            for answer in answers:
                show.answer(answer)
        if save is not None:
            show.wrote("saved", save)
    if plot is not None:
        import kairos
        from kairos.tasks.picture import draw

        with kairos.open(source) as video:
            for number, answer in enumerate(answers, start=1):
                path = plot if len(answers) == 1 else plot.with_stem(f"{plot.stem}-{number}")
                draw(answer, video, path)
                if not as_json:
                    show.wrote("picture", path)


class _Documents:
    """Every event as one line of JSON."""

    def event(self, event: Event) -> None:
        from kairos.tasks.events import to_dict

        document.emit({**document.head("watch"), **to_dict(event)})
        sys.stdout.flush()


class _Lines:
    """What a person wants to read: turns on stdout, everything else on stderr."""

    def __init__(self, watching: Watch, status: Any, quiet: bool, began: float) -> None:
        from kairos.cli.show import Screen

        self._watching, self._status, self._quiet = watching, status, quiet
        self._out = Screen(sys.stdout)
        self._aside = Screen(sys.stderr)
        self._began = began
        self._last: dict[str | None, str] = {}

    def event(self, event: Event) -> None:
        from kairos.tasks.events import Ended, Noticed, Scored
        from kairos.timeline import Turn

        if isinstance(event, Scored):
            self._status.show(self._speed())
        elif isinstance(event, Turn):
            self._turn(event)
        elif isinstance(event, Noticed) and event.kind != "failed":  # which is told as the error that it is
            self._say(event.time, f"note: {event.text}", style="yellow", aside=True)
        elif isinstance(event, Ended):
            self._status.clear()
            if not self._quiet:
                lost = f", {event.dropped} frames not seen" if event.dropped else ""
                turns = f"{event.turns} turn{'' if event.turns == 1 else 's'}"
                name = self._watching.started.source
                line = f"watched {name}: {self._speed()}, {turns}{lost}"
                self._aside.print(line, style="dim", markup=False, soft_wrap=True)

    def _turn(self, turn: Turn) -> None:
        if turn.role == "user":
            if turn.time > 0:
                self._say(turn.time, f"> {turn.text}", style="cyan")
            return
        if self._watching.started.preset == "caption" and self._last.get(turn.query) == turn.text:
            return  # the same step goes on
        self._last[turn.query] = turn.text
        several = len(self._watching.queries) > 1
        self._say(turn.time, turn.text, style="bold", about=turn.query if several else None)

    def _say(
        self, seconds: float, words: str, *, style: str, about: str | None = None, aside: bool = False
    ) -> None:
        from rich.text import Text

        from kairos.tasks.clock import clock

        line = Text.assemble((f"{clock(seconds):>8}  ", "dim"), (words, style))
        if about is not None:
            line.append(f"  [{about}]", style="dim")
        self._status.clear()
        (self._aside if aside else self._out).print(line, soft_wrap=True)
        sys.stdout.flush()

    def _speed(self) -> str:
        from kairos.tasks.clock import clock

        took = time.perf_counter() - self._began
        return f"{clock(self._watching.time)}, {self._watching.time / max(took, 1e-6):.1f} times real time"
