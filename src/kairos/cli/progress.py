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
"""Says done, total and how much a second in words."""

EVERY_S = 10.0
"""How often a line is written where stderr is no terminal."""


def watching(name: str, *, quiet: bool = False) -> AbstractContextManager[Update]:
    """Progress through a video: seconds of video, and how many times faster than real time."""
    return _progress(f"watching {name}", _video_words, quiet)


def counting(what: str, unit: str, *, quiet: bool = False) -> AbstractContextManager[Update]:
    """Progress through things that are counted: clips, steps."""

    def words(done: float, total: float, rate: float) -> str:
        minutes = (total - done) / rate / 60 if rate else 0.0
        left = f", {minutes:.0f} min left" if minutes >= 1 else ""
        return f"{done:.0f} / {total:.0f} {unit}, {rate:.1f} a second{left}"

    return _progress(what, words, quiet)


def _video_words(done: float, total: float, speed: float) -> str:
    return f"{done:.1f} / {total:.1f} s, {speed:.1f} times real time"


class _Pace:
    """How much is done a second, of the work at hand: that begins anew where less is done than before, as in the next stage,
    and not at 0 where it goes on after a kill, for which the first report stands.
    """

    def __init__(self) -> None:
        self.began = self.at = time.perf_counter()
        self.first = self.last = 0.0
        self.reports = 0

    def __call__(self, done: float) -> float:
        now = time.perf_counter()
        if done < self.last:
            self.began, self.first, self.reports = self.at, 0.0, 0
        rate = (done - self.first) / (now - self.began) if now > self.began else 0.0
        if self.reports == 0:
            self.began, self.first = now, done
        self.at, self.last = now, done
        self.reports += 1
        return rate


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
    pace, last = _Pace(), ""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(escape(first), total=None, words="")

        def update(done: float, total: float, what: str | None = None) -> None:
            nonlocal last
            said = words(done, total, pace(done))
            last = f"{what or first}: {said}"
            bar.update(row, completed=done, total=total, words=said, description=escape(what or first))

        yield update
    if last:
        console.print(last, style="dim", markup=False)


def _lines(first: str, words: Words) -> Update:
    pace, said, ended = _Pace(), time.perf_counter(), False

    def update(done: float, total: float, what: str | None = None) -> None:
        nonlocal said, ended
        now, rate = time.perf_counter(), pace(done)
        if now - said < EVERY_S and (done < total or ended):
            ended = ended and done >= total
            return
        said, ended = now, done >= total
        print(f"{what or first}: {words(done, total, rate)}", file=sys.stderr, flush=True)

    return update
