"""An answer as a picture: a strip of frames, the relevance below it on the same seconds, the moments shaded.

Every frame stands at the time that is written under it; strip and curve share their axis, so a moment can be read
downwards. Where something was located or followed, a contact sheet takes the strip's place. matplotlib is loaded here and nowhere else, with the Agg canvas: no window, no global state.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from kairos.timeline import Answer, Moment
    from kairos.video import Video

__all__ = ["draw"]

WIDTH_IN, DPI = 12.0, 150
FRAME_IN = 0.85
"""How high a frame should be, inches; it decides how many fit."""
PLOT_IN, LANE_IN = 1.75, 0.44
MOST_LANES = 8
"""Moments that find no place in so many lanes are drawn in the last one, without their words."""

LETTER_IN = 0.082
"""How wide a letter of a label is on average, inches."""

STRIP_IN = (0.55, 1.5)
"""How high the strip may be, inches; between these the frames' own shape decides."""

UNASKED = {
    "highlight": "what stands out",
    "caption": "what happens",
    "track": "where it goes",
    "segment": "its outline",
}
"""The title where there is no query."""

INK, QUIET, GRID = "#1b2330", "#6b7686", "#e6e9ee"
CURVE = "#2f6fde"
SHADES = ("#0f9d76", "#e08a1e", "#9055d6", "#d6457a", "#3a8fb7")
_RULE: dict[str, Any] = {"linewidth": 3.5, "solid_capstyle": "butt", "clip_on": False}


def draw(
    answer: Answer, video: Video, path: str | Path, *, start: float | None = None, end: float | None = None
) -> Path:
    """Writes a PNG of the answer over [start, end) seconds of the video, the whole by default; returns its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from kairos.timeline.files import atomic_path

    lo = start or 0.0
    hi = min(end or video.duration, video.duration)
    hi = hi if hi > lo else lo + 1e-3
    sheet = None
    if any(record is not None and len(record) for record in (answer.track, answer.mask_track)):
        from kairos.tasks.sheet import Sheet

        sheet = Sheet.of(answer, video, lo, hi, WIDTH_IN - 1.1, DPI)
        strip_in = sheet.height_in
    else:
        times, images = _strip(video, lo, hi)
        strip_in = float(np.clip(images.shape[1] / DPI, *STRIP_IN))
    title = textwrap.wrap(_line(answer.query or UNASKED.get(answer.kind, answer.kind)), 96)[:2]
    words = textwrap.wrap(_line(answer.text), 108)[:4]
    lanes = _lanes(answer, lo, hi)
    if lanes and answer.kind == "caption":
        words = []  # they stand at their moments
    head_in = 0.30 + 0.30 * len(title) + 0.24 * len(words)
    plot_in, gap_in, foot_in = PLOT_IN if not lanes else LANE_IN * min(1 + max(lanes), MOST_LANES), 0.42, 0.62
    total = head_in + strip_in + gap_in + plot_in + foot_in

    figure = Figure(figsize=(WIDTH_IN, total), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    left, wide = 0.62 / WIDTH_IN, (WIDTH_IN - 1.1) / WIDTH_IN
    _head(figure, title, words, answer, left, total)
    if sheet is not None:
        sheet.draw(figure, 0.62, total - head_in)
    else:
        strip = figure.add_axes((left, 1 - (head_in + strip_in) / total, wide, strip_in / total))
        _draw_strip(strip, times, images, answer, lo, hi)
    plot = figure.add_axes((left, foot_in / total, wide, plot_in / total))
    _draw_axis(plot, lo, hi)
    if lanes:
        _draw_lanes(plot, answer, lanes, lo, hi)
    else:
        _draw_curve(plot, answer, lo, hi)
    if answer.notes:
        note = textwrap.shorten(_line("; ".join(answer.notes)), 150)
        figure.text(left, 0.09 / total, note, color="#b3561d", fontsize=8, va="bottom")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def _strip(video: Video, lo: float, hi: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (n,) in seconds, each the middle of its cell, and images (n, H, W, 3) that fit into a cell."""
    wide, high = video.size
    aspect = wide / max(1, high)
    count = int(np.clip(round((WIDTH_IN - 1.1) / (FRAME_IN * aspect)), 5, 14))
    width_in = min((WIDTH_IN - 1.1) / count, STRIP_IN[1] * aspect)
    size = (max(2, round(width_in * DPI)), max(2, round(width_in / aspect * DPI)))
    wanted = lo + (np.arange(count) + 0.5) * (hi - lo) / count
    return wanted, video.frames(wanted.tolist(), size=size).images


def _head(figure: Any, title: list[str], words: list[str], answer: Answer, left: float, total: float) -> None:
    y = total - 0.22
    for line in title:
        figure.text(left, y / total, line, color=INK, fontsize=14, fontweight="bold", va="top")
        y -= 0.30
    for line in words:
        colour = "#a15c00" if answer.abstained else "#3c4757"
        figure.text(left, y / total, line, color=colour, fontsize=12, va="top")
        y -= 0.24
    facts = [Path(answer.video).name if answer.video else "", answer.model or ""]
    if answer.confidence is not None:
        facts.append(f"confidence {answer.confidence:.2f}")
    label = textwrap.shorten(" · ".join(_line(fact) for fact in facts if fact), 90)
    figure.text(1 - 0.48 / WIDTH_IN, 0.09 / total, label, color=QUIET, fontsize=8, ha="right", va="bottom")


def _draw_strip(
    axes: Any, times: np.ndarray, images: np.ndarray, answer: Answer, lo: float, hi: float
) -> None:
    width_in = images.shape[2] / DPI * 0.965  # a little air between frames
    half = width_in / (WIDTH_IN - 1.1) * (hi - lo) / 2
    tall = min(1.0, images.shape[1] / DPI / STRIP_IN[0])
    for time, image in zip(times, images, strict=True):
        axes.imshow(
            image,
            extent=(time - half, time + half, 0.5 - tall / 2, 0.5 + tall / 2),
            aspect="auto",
            interpolation="lanczos",
        )
        shade = next((_shade(i) for i, m in enumerate(answer.moments) if m.contains(float(time))), None)
        axes.annotate(
            _clock(float(time), hi),
            (time, 0),
            xytext=(0, -9),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=shade or QUIET,
            fontweight="bold" if shade else "normal",
        )
    axes.plot([lo, hi], [-0.05, -0.05], color=GRID, **_RULE)
    for index, moment in reversed(list(enumerate(answer.moments))):
        start, end = max(moment.start, lo), min(moment.end, hi)
        if end > start:
            axes.plot([start, end], [-0.05, -0.05], color=_shade(index), **_RULE)
    axes.set(xlim=(lo, hi), ylim=(0, 1))
    axes.axis("off")


def _draw_axis(axes: Any, lo: float, hi: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(lo, hi)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 1.5, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _clock(value, hi)))
    axes.tick_params(colors=QUIET, labelsize=8, length=0, pad=5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c3c9d2")


def _draw_curve(axes: Any, answer: Answer, lo: float, hi: float) -> None:
    """The relevance, and the moments as shaded spans over it."""
    curve = answer.curve
    top = 1.16 if answer.moments else 1.04
    if curve is not None and len(curve):
        first, last = np.clip(curve.reach, lo, hi)
        inside = (curve.times > first) & (curve.times < last)
        x = np.concatenate([[first], curve.times[inside], [last]])
        y = np.clip(curve.at(x), 0.0, 1.0)
        axes.fill_between(x, 0, y, color=CURVE, alpha=0.13, linewidth=0)
        axes.plot(x, y, color=CURVE, linewidth=1.8, solid_joinstyle="round")
        axes.set_ylabel(curve.name, color=QUIET, fontsize=9)
    for index, moment in enumerate(answer.moments):
        _draw_moment(axes, moment, _shade(index), top, lo, hi)
    axes.set(ylim=(0, top), yticks=() if curve is None else (0, 0.5, 1))
    axes.grid(axis="y", color=GRID, linewidth=0.8)


def _lanes(answer: Answer, lo: float, hi: float) -> list[int]:
    """One lane for each moment, so that neither moments nor their words overlap; empty where none has words."""
    if not any(moment.label for moment in answer.moments):
        return []
    second_in = (WIDTH_IN - 1.1) / (hi - lo)
    free: list[float] = []
    lanes = []
    for moment in answer.moments:
        words_s = len(moment.label or "") * LETTER_IN / second_in
        start = min(moment.start, hi - words_s)
        lane = next((index for index, until in enumerate(free) if until <= start), len(free))
        if lane >= MOST_LANES:
            lanes.append(lane)
            continue
        free[lane : lane + 1] = [max(moment.end, start + words_s) + 0.12 / second_in]
        lanes.append(lane)
    return lanes


def _draw_lanes(axes: Any, answer: Answer, lanes: list[int], lo: float, hi: float) -> None:
    """Every moment as a bar with its words above it."""
    for index, (moment, lane) in enumerate(zip(answer.moments, lanes, strict=True)):
        start, end, shade = max(moment.start, lo), min(moment.end, hi), _shade(index)
        words = _line(moment.label or "") if lane < MOST_LANES else ""
        lane = min(lane, MOST_LANES - 1)
        wide = len(words) * LETTER_IN * (hi - lo) / (WIDTH_IN - 1.1)
        right = start + wide > hi
        axes.plot([start, end], [lane + 0.72, lane + 0.72], color=shade, linewidth=6, solid_capstyle="butt")
        axes.text(
            hi if right else start,
            lane + 0.52,
            words,
            color=shade,
            fontsize=9,
            ha="right" if right else "left",
            va="bottom",
        )
    axes.set(ylim=(min(1 + max(lanes), MOST_LANES), 0), yticks=())
    axes.grid(axis="x", color=GRID, linewidth=0.8)


def _draw_moment(axes: Any, moment: Moment, shade: str, top: float, lo: float, hi: float) -> None:
    start, end = max(moment.start, lo), min(moment.end, hi)
    if end <= start:
        return
    axes.axvspan(start, end, color=shade, alpha=0.16, linewidth=0)
    axes.plot(
        [start, end], [top, top], color=shade, linewidth=5, solid_capstyle="butt", clip_on=False, zorder=5
    )
    for edge in (start, end):
        axes.axvline(edge, color=shade, linewidth=0.9, alpha=0.7)
    if (end - start) / (hi - lo) > 0.03:
        axes.text(
            (start + end) / 2,
            top - 0.05,
            f"{moment.score:.2f}",
            color=shade,
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="top",
        )


def _shade(index: int) -> str:
    return SHADES[index % len(SHADES)]


def _clock(seconds: float, longest: float) -> str:
    """Seconds for short videos, minutes and hours for long ones."""
    if longest < 120:
        return f"{seconds:.{1 if longest > 3 else 2}f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    if longest < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _line(text: str) -> str:
    """One line that matplotlib takes as it stands: a dollar sign would start a formula."""
    return " ".join(text.split()).replace("$", r"\$")
