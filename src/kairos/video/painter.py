"""From a decoded frame to RGB: resized by area, with square pixels, upright."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

__all__ = ["Painter", "display_size"]


def display_size(width: int, height: int, pixel_aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Returns (width, height) as shown: the coded width stretched by the pixel aspect, then rotated."""
    shown = max(1, round(width * pixel_aspect)), height
    return shown[::-1] if rotation % 180 == 90 else shown


class Painter:
    """Converts frames of one pass to images of one `size` (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self.size = size
        self._area = Interpolation.AREA
        self._reformatter = VideoReformatter()  # keeps its scaler from frame to frame

    def paint(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Returns the image, RGB uint8 (H, W, 3)."""
        turns = quarter_turns(frame.rotation)
        width, height = self.size[::-1] if turns % 2 else self.size
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=self._area, threads=1
        )
        image = np.asarray(scaled.to_ndarray(), dtype=np.uint8)
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def quarter_turns(rotation: int) -> int:
    """How often a frame with PyAV's `rotation` (degrees, counterclockwise to upright) turns by 90 degrees."""
    return round(rotation / 90) % 4
