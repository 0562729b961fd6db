"""Progress on stderr: a bar on a terminal, a line now and then elsewhere, one line when the work is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["counting", "watching"]


class Update(Protocol):
    """Takes what is done and what there is in all; `what` names the work where that changes on the way."""

    def __call__(self, done: float, total: float, what: str | None = None) -> None: ...


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
        yield _silence
    elif sys.stderr.isatty():
        with _bar(what, words) as update:
            yield update
    else:
        yield _lines(what, words)


def _silence(done: float, total: float, what: str | None = None) -> None:
    pass


@contextmanager
def _bar(first: str, words: Words) -> Iterator[Update]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False)
    began = time.perf_counter()
    last = ""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(escape(first), total=None, words="")

        def update(done: float, total: float, what: str | None = None) -> None:
            nonlocal last
            said = words(done, total, time.perf_counter() - began)
            last = f"{what or first}: {said}"
            bar.update(row, completed=done, total=total, words=said, description=escape(what or first))

        yield update
    if last:
        console.print(last, style="dim", markup=False)


def _lines(first: str, words: Words) -> Update:
    began = said = time.perf_counter()
    ended = False

    def update(done: float, total: float, what: str | None = None) -> None:
        nonlocal said, ended
        now = time.perf_counter()
        if now - said < EVERY_S and (done < total or ended):
            ended = ended and done >= total
            return
        said, ended = now, done >= total
        print(f"{what or first}: {words(done, total, now - began)}", file=sys.stderr, flush=True)

    return update
