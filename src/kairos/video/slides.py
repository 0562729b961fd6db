"""A folder of images behind the `Video` protocol: natural order of names, each shown equally long, no sound.

This is how trackers' and segmenters' benchmarks keep their videos; `kairos.video.live` plays the same folders.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kairos.errors import VideoError
from kairos.timeline import Moment
from kairos.video import options
from kairos.video.folder import ImageFolder
from kairos.video.identity import content_id
from kairos.video.options import Requests
from kairos.video.painter import Painter
from kairos.video.video import Frame, Frames, Size, StreamInfo

__all__ = ["Slides"]


class Slides:
    """The images of the folder `path`, `rate` a second, or the one image that it is. An image that cannot be read shows the one before it, and is a gap.

    Raises VideoError where there is no image, or the first cannot be read; OptionError for an impossible rate.
    """

    def __init__(self, path: str | os.PathLike[str], rate: float) -> None:
        self._path, rate = os.fspath(path), options.check_fps(rate, "rate")
        if os.path.isfile(self._path):
            folder, name = os.path.split(self._path)
            self._images = ImageFolder(folder or os.curdir, rate, only=name)
        else:
            self._images = ImageFolder(self._path, rate)
        first = self._images.shape(0)
        if first is None:
            shown = os.path.join(self._images.path, self._images.names[0])
            raise VideoError(f"{shown} is no image", path=shown, hint="mend it, or take it away")
        self._size = first
        self._lost: dict[int, None] = {}
        self._seen: tuple[int, tuple[int, int], NDArray[np.uint8]] | None = None

    @property
    def path(self) -> str:
        return self._path

    @property
    def name(self) -> str:
        return os.path.basename(os.path.normpath(self.path))

    @cached_property
    def id(self) -> str:
        """SHA-256 over the rate, each image's size in bytes, and the first, the middle and the last image."""
        paths = [os.path.join(self._images.path, name) for name in self._images.names]
        digest = hashlib.sha256(f"{self.rate} {[os.path.getsize(path) for path in paths]}".encode())
        for k in dict.fromkeys((0, len(paths) // 2, len(paths) - 1)):
            digest.update(content_id(paths[k]).encode())
        return digest.hexdigest()

    @property
    def duration(self) -> float:
        return self._images.duration

    @property
    def watermark(self) -> float:
        return self.duration

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the first image; others are shown at its size."""
        return self._size

    @property
    def rate(self) -> float:
        return self._images.rate

    @property
    def has_audio(self) -> bool:
        return False

    @property
    def streams(self) -> Sequence[StreamInfo]:
        return (StreamInfo(0, "video", "images", used=True, size=self.size, rate=self.rate),)

    @property
    def gaps(self) -> tuple[Moment, ...]:
        return tuple(Moment(k / self.rate, (k + 1) / self.rate, label="picture") for k in sorted(self._lost))

    def frames(self, times: ArrayLike, size: Size = None) -> Frames:
        """The images shown at `times` (n,) seconds, in the order given; after the end the last one."""
        wanted = options.check_times(times)
        painter = Painter(options.check_size(size) or self.size)
        shown = [self._images.at(float(time)) for time in wanted]
        images = np.zeros((len(shown), painter.size[1], painter.size[0], 3), np.uint8)
        for row, index in enumerate(shown):
            images[row] = self._image(index, painter)
        return Frames(np.array(shown, np.float64) / self.rate, images)

    def sample(
        self,
        fps: float | None = None,
        max_frames: int | None = None,
        *,
        size: Size = None,
        phase: float = 0.0,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[Frame]:
        """As `Video.sample`; with neither rate nor number every image comes once."""
        begin, stop = options.check_span(start, end, self.duration)
        painter = Painter(options.check_size(size) or self.size)
        if fps is None and max_frames is None:
            first, last = self._images.at(begin), self._images.at(max(begin, stop - 1e-6))
            times = np.arange(first, last + 1) / self.rate
        else:
            times = Requests.uniform(fps, max_frames, phase, begin, stop).times
        return self._sampled(times, painter)

    def _sampled(self, times: NDArray[np.float64], painter: Painter) -> Iterator[Frame]:
        for tick, time in enumerate(times.tolist()):
            index = self._images.at(time)
            yield Frame(index / self.rate, self._image(index, painter), tick, time)

    def audio(self, start: float = 0.0, end: float | None = None, rate: int = 16000) -> NDArray[np.float32]:
        """Silence."""
        begin, stop = options.check_span(start, end, self.duration, inside=False)
        return np.zeros(round((stop - begin) * options.check_rate(rate)), np.float32)

    def audio_blocks(
        self, rate: int = 16000, step_s: float = 0.5, start: float = 0.0, end: float | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Silence, in blocks."""
        begin, stop = options.check_span(start, end, self.duration, inside=False)
        length = round(options.check_number(step_s, "step_s") * options.check_rate(rate))
        for _ in range(int(np.ceil((stop - begin) / step_s - 1e-9))):
            yield np.zeros(length, np.float32)

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _image(self, index: int, painter: Painter) -> NDArray[np.uint8]:
        """Image `index`, or the last one before it that can be read; the one painted last is kept."""
        for k in range(index, -1, -1):
            if self._seen is not None and self._seen[:2] == (k, painter.size):
                return self._seen[2]
            image = self._images.image(k, painter)
            if image is not None:
                self._seen = (k, painter.size, image)
                return image
            self._lost[k] = None
        raise VideoError(f"{self.path} holds no image that can be read", path=self.path)
