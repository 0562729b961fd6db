"""Progress on stderr: a bar on a terminal, a line now and then elsewhere, one line when the work is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

__all__ = ["counting", "watching"]

Update = Callable[[float, float], None]
"""Takes what is done and what there is in all."""

Words = Callable[[float, float, float], str]
"""Says done, total and seconds taken in words."""

EVERY_S = 10.0
"""How often a line is written where stderr is no terminal."""


def watching(name: str, *, quiet: bool = False) -> AbstractContextManager[Update]:
    """Progress through a video: seconds of video, and how many times faster than real time."""
    return _progress(f"watching {name}", _video_words, quiet)


def counting(what: str, unit: str, *, quiet: bool = False) -> AbstractContextManager[Update]:
    """Progress through things that are counted: clips, steps."""

    def words(done: float, total: float, took: float) -> str:
        rate = done / took if took > 0 else 0.0
        return f"{done:.0f} / {total:.0f} {unit}, {rate:.1f} a second"

    return _progress(what, words, quiet)


def _video_words(done: float, total: float, took: float) -> str:
    speed = done / took if took > 0 else 0.0
    return f"{done:.1f} / {total:.1f} s, {speed:.1f} times real time"


@contextmanager
def _progress(what: str, words: Words, quiet: bool) -> Iterator[Update]:
    if quiet:
        yield lambda done, total: None
    elif sys.stderr.isatty():
        with _bar(what, words) as update:
            yield update
    else:
        yield _lines(what, words)


@contextmanager
def _bar(what: str, words: Words) -> Iterator[Update]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    began = time.perf_counter()
    last = (0.0, 0.0)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(escape(what), total=None, words="")

        def update(done: float, total: float) -> None:
            nonlocal last
            last = (done, total)
            took = time.perf_counter() - began
            bar.update(row, completed=done, total=total, words=words(done, total, took))

        yield update
    if last[1]:
        console.print(
            f"{what}: {words(*last, time.perf_counter() - began)}", style="dim", markup=False, highlight=False
        )


def _lines(what: str, words: Words) -> Update:
    began = said = time.perf_counter()
    ended = False

    def update(done: float, total: float) -> None:
        nonlocal said, ended
        now = time.perf_counter()
        if now - said < EVERY_S and (done < total or ended):
            return
        said, ended = now, done >= total
        print(f"{what}: {words(done, total, now - began)}", file=sys.stderr, flush=True)

    return update
