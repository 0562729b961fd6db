"""A report as a picture: every number a dot with its interval, one panel a section. matplotlib loads here, with no window.

Numbers that are no shares have scales of their own, and a panel each. Of a comparison the differences stand beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kairos.bench.report import Measure, Report

__all__ = ["draw"]

WIDTH_IN, ROW_IN, PANEL_IN, DPI = 8.0, 0.26, 0.3, 150
INK, GRID = "#1b2330", "#e6e9ee"
COLOURS = ("#2f6fde", "#e08a1e", "#0f9d76")
WHOLE, APART = ("official", "strict", "a", "b"), ("b - a",)
"""The columns that are drawn: others (p, wins) are on other scales."""


def draw(report: Report, path: str | Path) -> Path:
    """Writes a PNG of the report, shares in per cent; returns its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from kairos.timeline.files import atomic_path

    panels: dict[tuple[str, str], list[Measure]] = {}
    for m in report.measures:
        if m.group in (*WHOLE, *APART):
            panels.setdefault((m.section, "" if m.unit == "%" else m.name), []).append(m)
    rows = [len({m.name for m in panel}) for panel in panels.values()] or [1]
    columns = 2 if any(m.group in APART for panel in panels.values() for m in panel) else 1
    tall = 1.1 + sum(ROW_IN * (n + 1) + PANEL_IN for n in rows)
    figure = Figure(figsize=(WIDTH_IN, tall), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(rows),
        columns,
        squeeze=False,
        height_ratios=[n + 1 for n in rows],
        width_ratios=(3, 2)[:columns],
    )
    for of_panel, ((section, alone), panel) in zip(
        axes, panels.items(), strict=False
    ):  # no numbers: one empty panel
        for axis, groups in zip(of_panel, (WHOLE, APART), strict=False):
            own = [m for m in panel if m.group in groups]
            axis.set_visible(bool(own))
            _panel(axis, own, 1.0 if alone else 100.0)
            if alone and groups == WHOLE:
                low, high = axis.get_xlim()
                axis.set_xlim(min(0.0, low), max(0.0, high))
            if groups == APART:
                axis.axvline(0.0, color=INK, linewidth=0.8)
                axis.set_yticklabels([])
        of_panel[0].set_title(section, loc="left", fontsize=10, color=INK)
    shares = [of_panel for of_panel, (_, alone) in zip(axes, panels, strict=False) if not alone]
    for k in range(columns):
        _align([of_panel[k] for of_panel in shares])
    if shares:
        words = (
            ("per cent", "b - a, per cent, 95 % interval") if columns == 2 else ("per cent, 95 % intervals",)
        )
        for axis, label in zip(shares[-1], words, strict=True):
            axis.set_xlabel(label, color=INK)
    if panels:
        axes[0][0].legend(loc="best", frameon=False, fontsize=8)
    figure.suptitle(report.title, color=INK)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def _panel(axis: Any, measures: Sequence[Measure], scale: float) -> None:
    names = list(dict.fromkeys(m.name for m in measures)) or [""]
    groups = list(dict.fromkeys(m.group for m in measures))
    for k, group in enumerate(groups):
        own = [m for m in measures if m.group == group]
        shift = (k - (len(groups) - 1) / 2) * 0.22
        axis.errorbar(
            [scale * m.value for m in own],
            [names.index(m.name) + shift for m in own],
            xerr=[[scale * _reach(m, m.low) for m in own], [scale * _reach(m, m.high) for m in own]],
            fmt="o",
            markersize=4,
            color=COLOURS[2] if group in APART else COLOURS[k % len(COLOURS)],
            label=group,
        )
    axis.set_yticks(range(len(names)), names, color=INK)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(axis="x", color=GRID)
    axis.set_axisbelow(True)


def _align(axes: Sequence[Any]) -> None:
    """One scale for all panels of shares, told below the last of them."""
    ends = [end for axis in axes for end in axis.get_xlim()]
    room = 0.02 * (max(ends, default=0.0) - min(ends, default=0.0))  # a dot on the edge is seen whole
    for axis in axes:
        axis.set_xlim(min(ends) - room, max(ends) + room)
        axis.tick_params(labelbottom=axis is axes[-1])


def _reach(measure: Measure, end: float | None) -> float:
    return 0.0 if end is None else abs(measure.value - end)
