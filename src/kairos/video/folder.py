"""A folder of images as a video: names in natural order, each shown equally long."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kairos.errors import VideoError
from kairos.video.painter import Painter

if TYPE_CHECKING:
    import av

__all__ = ["SUFFIXES", "ImageFolder", "natural"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")
FORMATS = "jpeg_pipe,png_pipe,bmp_pipe,webp_pipe,tiff_pipe,ppm_pipe,pgm_pipe,pbm_pipe,gif"
MAX_BYTES = 1 << 28


class ImageFolder:
    """The images of one folder, `rate` a second, not of those below it, or `only` one of them. Raises VideoError where there
    is none to show.

    `unreadable` collects the paths that turned out not to be images; the image before stays in their place.
    """

    def __init__(self, path: str | os.PathLike[str], rate: float, *, only: str | None = None) -> None:
        self.path = os.fspath(path)
        self.rate = rate
        self.unreadable: list[str] = []
        try:
            names = [only] if only else [entry.name for entry in os.scandir(self.path) if entry.is_file()]
        except OSError as error:
            raise VideoError(
                f"{self.path} cannot be read: {error.strerror}", path=self.path, hint="check its permissions"
            ) from error
        self.names = sorted((name for name in names if name.lower().endswith(SUFFIXES)), key=natural)
        if not self.names:
            raise VideoError(
                f"{self.path} holds no images", path=self.path, hint="images end in " + ", ".join(SUFFIXES)
            )

    @property
    def duration(self) -> float:
        """Seconds from the first image to the end of the last."""
        return len(self.names) / self.rate

    def at(self, time: float) -> int:
        """Returns the index of the image shown at a time in seconds."""
        return max(0, min(len(self.names) - 1, int(time * self.rate + 1e-9)))

    def shape(self, index: int) -> tuple[int, int] | None:
        """Returns (width, height) of image `index` in pixels; None where it cannot be read."""
        try:
            frame = _decoded(Path(self.path) / self.names[index])
        except (OSError, ValueError):
            return None
        return frame.width, frame.height

    def image(self, index: int, painter: Painter) -> NDArray[np.uint8] | None:
        """Returns image `index` as RGB uint8 (H, W, 3); None, and noted, where it cannot be read."""
        path = Path(self.path) / self.names[index]
        try:
            return painter.paint(_decoded(path))
        except (OSError, ValueError):
            self.unreadable.append(str(path))
            return None


def natural(name: str) -> tuple[str | int, ...]:
    """The sorting key that puts 2.png before 10.png."""
    parts = re.split(r"([0-9]+)", name.lower())
    return (*(int(part) if i % 2 else part for i, part in enumerate(parts)), name)


def _decoded(path: Path) -> av.VideoFrame:
    """The first picture of a file; what kind of image it is, its content says. Raises ValueError or OSError."""
    import av

    with path.open("rb") as file:
        data = file.read(MAX_BYTES)
    try:
        with av.open(
            io.BytesIO(data),
            mode="r",
            container_options={"protocol_whitelist": "pipe", "format_whitelist": FORMATS},
        ) as container:
            for frame in container.decode(video=0):
                return frame
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path} is not an image") from error
    raise ValueError(f"{path} is empty")
