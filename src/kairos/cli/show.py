"""An answer for a person: the words, a table of moments, and a timeline drawn with characters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from kairos.tasks.clock import clock

if TYPE_CHECKING:
    from kairos.timeline import Answer, Curve

__all__ = ["Screen", "answer", "wrote"]

LEVELS = "▁▂▃▄▅▆▇█"
LEVELS_ASCII = "_..:-=+#"
COLOURS = ("green", "cyan", "magenta", "yellow", "blue")


class Screen(Console):
    """Prints to a stream, with colours where that is a terminal."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(file=stream, highlight=False)

    def on_broken_pipe(self) -> None:
        """Whoever read has left: that is for the command to know, and no failure."""
        raise BrokenPipeError


def answer(
    given: Answer, *, start: float | None = None, end: float | None = None, console: Console | None = None
) -> None:
    """Prints an answer to stdout. `start` and `end` (seconds) say which part of the video was watched."""
    console = console or Screen(sys.stdout)
    parts: list[list[RenderableType]] = [[]]
    if given.text:
        parts[0].append(Text(given.text, style="yellow" if given.abstained else "bold"))
    if given.confidence is not None:
        parts[0].append(Text(f"confidence {given.confidence:.2f}", style="dim"))
    if given.moments:
        parts.append([_table(given)])
    lo, hi = start or 0.0, min(end or given.duration or 0.0, given.duration or 0.0)
    if hi > lo and (given.moments or given.curve is not None):
        parts.append(_timeline(given, lo, hi, console))
    for index, part in enumerate(part for part in parts if part):
        if index:
            console.print()
        for line in part:
            console.print(line, soft_wrap=isinstance(line, Text))
    for note in given.notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)


def wrote(what: str, path: Path) -> None:
    """Says where a file was written."""
    Screen(sys.stdout).print(f"{what}: {path}", markup=False, soft_wrap=True)


def _table(given: Answer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("moment", no_wrap=True)
    table.add_column("score", justify="right")
    labelled = any(moment.label for moment in given.moments)
    if labelled:
        table.add_column("what")
    for index, moment in enumerate(given.moments):
        colour = COLOURS[index % len(COLOURS)]
        row = [
            Text(str(index + 1), style=colour),
            Text(f"{clock(moment.start)} - {clock(moment.end)}"),
            Text(f"{moment.score:.2f}"),
        ]
        table.add_row(*row, *([Text(moment.label or "")] if labelled else []))
    return table


def _timeline(given: Answer, lo: float, hi: float, console: Console) -> list[RenderableType]:
    """Lines of equal width: the curve, the moments, the axis with its times."""
    width = max(20, min(console.width, 100))
    plain = console.options.ascii_only
    edges = np.linspace(lo, hi, width + 1)
    lines: list[RenderableType] = []
    if given.curve is not None and len(given.curve):
        lines.append(_curve(given.curve, edges, plain))
    lines.append(_bar(given, edges, plain))
    lines.append(_axis(lo, hi, width))
    return lines


def _curve(curve: Curve, edges: np.ndarray, plain: bool) -> Text:
    """Each cell is as high as the curve gets inside it: no peak of a long video falls between two cells. What was not looked
    at is empty.
    """
    levels = LEVELS_ASCII if plain else LEVELS
    middles = (edges[:-1] + edges[1:]) / 2
    known = (middles >= curve.reach[0]) & (middles <= curve.reach[1])
    heights = curve.at(middles)
    inside = (curve.times >= edges[0]) & (curve.times < edges[-1])
    np.maximum.at(
        heights, np.searchsorted(edges, curve.times[inside], side="right") - 1, curve.values[inside]
    )
    cells = np.round(np.clip(heights, 0.0, 1.0) * (len(levels) - 1)).astype(int)
    return Text("".join(levels[c] if k else " " for c, k in zip(cells, known, strict=True)), style="cyan")


def _bar(given: Answer, edges: np.ndarray, plain: bool) -> Text:
    """Every moment takes at least one cell, its first cell shows its number; where two meet, the better is on top."""
    width = len(edges) - 1
    full, empty = ("#", "-") if plain else ("█", "─")
    cells = [(empty, "dim")] * width
    for index in reversed(range(len(given.moments))):
        moment, colour = given.moments[index], COLOURS[index % len(COLOURS)]
        first = int(np.clip(np.searchsorted(edges, moment.start, side="right") - 1, 0, width - 1))
        last = int(np.clip(np.searchsorted(edges, moment.end, side="left") - 1, first, width - 1))
        cells[first : last + 1] = [(full, colour)] * (last + 1 - first)
        number = str(index + 1)
        cells[first : first + 1] = [(number if len(number) == 1 else full, f"bold reverse {colour}")]
    return Text.assemble(*cells)


def _axis(lo: float, hi: float, width: int) -> Text:
    """Round times below the cells where they fall."""
    step = _round_step((hi - lo) / max(2, width // 12))
    cells = [" "] * width
    free = 0
    for k in range(int(np.ceil(lo / step - 1e-9)), int(np.floor(hi / step + 1e-9)) + 1):
        word = _tick_word(k * step, step)
        at = min(round((k * step - lo) / (hi - lo) * width), width - len(word))
        if at >= free:
            cells[at : at + len(word)] = word
            free = at + len(word) + 1
    return Text("".join(cells), style="dim")


def _round_step(rough: float) -> float:
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    return next((step for step in steps if step >= rough), 7200.0)


def _tick_word(seconds: float, step: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if step < 1 else f"{seconds:.0f} s"
    return clock(seconds)[:-2]
