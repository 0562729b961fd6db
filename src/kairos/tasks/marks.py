"""What an answer has found, drawn on a picture: its mask tinted, its box in a line, dashed while the thing hides.

Between two times of the record a box moves in a straight line; of masks the nearer one is drawn. A place that is known at
one time only is shown for half a second from then on, so that a player can show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kairos.timeline import Answer, MaskTrack, Track

__all__ = ["Marks"]

Image = NDArray[np.uint8]

COLOUR, CASING = (255, 204, 51), (20, 24, 34)
TINT = 0.42
ALONE_S = 0.5
"""How long a place is shown that is known at one time only."""

DASH = 5
"""Length of a dash, in widths of the line."""
LETTERS = 40
LEAST_LABEL_PX = 120
"""A smaller picture has no room for words."""


class _Place(NamedTuple):
    box: NDArray[np.float64] | None  # in source pixels
    mask: NDArray[np.bool_] | None
    hidden: bool


class Marks:
    """What an answer found in a video whose pictures have `size` (width, height).

    `words`: with its label at the box, where it was asked for in words; a box needs none, it was there before.
    """

    def __init__(self, answer: Answer, size: tuple[int, int], *, words: bool = True) -> None:
        self._track, self._masks, self._size = answer.track, answer.mask_track, size
        record = answer.track or answer.mask_track
        self._words = record.label if record is not None and words and answer.query else ""
        self._labels: dict[tuple[str, int], Image] = {}

    def on(self, image: Image, time: float) -> Image:
        """Returns the picture (H, W, 3) of `time` seconds, of any size, with what is there; the same where nothing is."""
        place = self._at(time)
        if place.box is None and place.mask is None:
            return image
        result = image.copy()
        height, width = image.shape[:2]
        line = max(2 if min(height, width) >= LEAST_LABEL_PX else 1, round(min(height, width) / 240))
        if place.mask is not None:
            _tint(result, _resized(place.mask, height, width), line)
        if place.box is not None:
            scale = np.array([width, height, width, height]) / np.array([*self._size, *self._size])
            x1, y1, x2, y2 = np.round(place.box * scale).astype(int).tolist()
            dash = DASH * line if place.hidden else 0
            _outline(result, (x1 - 1, y1 - 1, x2 + 1, y2 + 1), line + 2, CASING, dash)
            _outline(result, (x1, y1, x2, y2), line, COLOUR, dash)
            if self._words and min(height, width) >= LEAST_LABEL_PX:
                _stamp(result, self._label(place.hidden, height), x1, y1, line)
        return result

    def _at(self, time: float) -> _Place:
        box = mask = None
        hidden = False
        if self._track is not None and (spot := _spot(self._track, time)) is not None:
            low, high, part = spot
            box = (1 - part) * self._track.boxes[low] + part * self._track.boxes[high]
            if self._track.visible is not None:
                hidden = not self._track.visible[high if part > 0.5 else low]
        if self._masks is not None and (spot := _spot(self._masks, time)) is not None:
            low, high, part = spot
            mask = self._masks.mask(high if part > 0.5 else low)
        return _Place(box, mask if mask is not None and mask.any() else None, hidden)

    def _label(self, hidden: bool, height: int) -> Image:
        words = self._words if len(self._words) <= LETTERS else f"{self._words[: LETTERS - 1]}…"
        key = (f"{words} (hidden)" if hidden else words, max(13, height // 24))
        if key not in self._labels:
            self._labels[key] = _written(*key)
        return self._labels[key]


def _spot(record: Track | MaskTrack, time: float) -> tuple[int, int, float] | None:
    """The records before and after a time, and how far it is from the one to the other; None where nothing is known.

    A step that is twice as long as usual is a hole in what is known; the last record stands for one step.
    """
    times = record.times
    index = int(np.searchsorted(times, time, side="right")) - 1
    if index < 0:
        return None
    step = float(np.median(np.diff(times))) if len(times) > 1 else ALONE_S
    if index + 1 < len(times) and (length := times[index + 1] - times[index]) < 2 * step:
        return index, index + 1, float((time - times[index]) / length)
    return (index, index, 0.0) if time < times[index] + step else None


def _resized(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    rows = (np.arange(height) * mask.shape[0] + mask.shape[0] // 2) // height
    columns = (np.arange(width) * mask.shape[1] + mask.shape[1] // 2) // width
    return mask[np.minimum(rows, mask.shape[0] - 1)][:, np.minimum(columns, mask.shape[1] - 1)]


def _tint(image: Image, mask: NDArray[np.bool_], line: int) -> None:
    """Tints what is inside, and draws its edge in the full colour."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = np.pad(mask[box], line)
    deep = inside.copy()
    for axis in (0, 1):
        for shift in (-line, line):
            deep &= np.roll(inside, shift, axis)
    inside, deep = (part[line:-line, line:-line] for part in (inside, deep))
    part = image[box]
    part[deep] = (part[deep] * (1 - TINT) + np.array(COLOUR) * TINT).astype(np.uint8)
    part[inside & ~deep] = COLOUR


def _outline(
    image: Image, box: tuple[int, int, int, int], line: int, colour: tuple[int, int, int], dash: int
) -> None:
    """The edge of a box, `line` pixels wide inwards, in dashes where they have a length; cut to the picture."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    for low, high in ((y1, min(y1 + line, y2)), (max(y2 - line, y1), y2)):
        for left, right in _dashes(x1, x2, dash):
            image[_cut(low, high, height), _cut(left, right, width)] = colour
    for left, right in ((x1, min(x1 + line, x2)), (max(x2 - line, x1), x2)):
        for low, high in _dashes(y1, y2, dash):
            image[_cut(low, high, height), _cut(left, right, width)] = colour


def _dashes(start: int, end: int, dash: int) -> list[tuple[int, int]]:
    if not dash:
        return [(start, end)]
    return [(at, min(at + dash, end)) for at in range(start, end, 2 * dash)]


def _cut(start: int, end: int, length: int) -> slice:
    return slice(min(max(start, 0), length), min(max(end, 0), length))


def _stamp(image: Image, label: Image, x: int, y: int, line: int) -> None:
    """The label over the box, under its upper edge where there is no room; left out where it is wider than the picture."""
    height, width = image.shape[:2]
    high, wide = label.shape[:2]
    if wide > width or high > height:
        return
    top = y - high if y >= high else y + line
    top, left = min(max(top, 0), height - high), min(max(x, 0), width - wide)
    image[top : top + high, left : left + wide] = label


def _written(words: str, height: int) -> Image:
    """Words in one line as a picture `height` pixels high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.textpath import TextPath

    dpi, points = 72, height * 0.62  # so that a point is a pixel
    line = " ".join(words.split()).replace("$", r"\$")
    width = int(TextPath((0, 0), line, size=points).get_extents().width * 1.05 + height)
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor=_shade(COLOUR))
    canvas = FigureCanvasAgg(figure)
    figure.text(
        0.4 * height / width,
        0.5,
        line,
        color=_shade(CASING),
        fontsize=points,
        va="center_baseline",
        ha="left",
    )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _shade(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
