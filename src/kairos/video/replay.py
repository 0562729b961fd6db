"""Ticks of what is all there: a video file or a folder of images, as fast as it goes or in real time.

From a file the ticks are what `tasks/stream.py` shows a session of the same file, to the pixel and the sample.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kairos.errors import VideoError
from kairos.video.folder import ImageFolder
from kairos.video.painter import Painter
from kairos.video.tick import Notice, Tick

if TYPE_CHECKING:
    from kairos.video.video import Video

__all__ = ["Replay"]


class Replay:
    """Feeds ticks from a file (`video`) or from `images`. With `realtime`, a tick is given when its end has come.

    In real time, ticks that nobody took for `backlog_s` seconds are dropped. Closing it closes the video.
    """

    def __init__(
        self,
        *,
        video: Video | None = None,
        images: ImageFolder | None = None,
        fps: float,
        size: tuple[int, int],
        rate: int | None,
        realtime: bool,
        backlog_s: float,
    ) -> None:
        self.notices: deque[Notice] = deque()
        self.video = video
        self.paced = realtime
        self.over = False
        self._fps, self._backlog_s = fps, backlog_s
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._zero: float | None = None
        self._next: Tick | None = None
        if video is not None:
            self.has_audio = video.has_audio and rate is not None
            self.duration: float | None = video.duration
            self._ticks = _of_video(video, fps, size, rate if self.has_audio else None)
        else:
            assert images is not None
            self.has_audio = False
            self.duration = images.duration
            self._ticks = _of_images(images, fps, Painter(size), self.notices)

    def poll(self, timeout_s: float) -> Tick | None:
        """Returns the next tick, or None where there is none within `timeout_s`. Raises VideoError."""
        with self._busy:
            return self._poll(timeout_s)

    def close(self) -> None:
        """Ends a wait for real time at once, a decoding step after itself; lets go of the file."""
        self._stop.set()
        self.over = True
        if self._busy.acquire(timeout=1.0):  # else whoever is in poll goes no further
            self._let_go()
            self._busy.release()

    def _let_go(self) -> None:
        self._ticks.close()
        if self.video is not None:
            self.video.close()

    def _poll(self, timeout_s: float) -> Tick | None:
        dropped = 0
        while not self._stop.is_set():
            if self._next is None:
                self._next = next(self._ticks, None)
                if self._next is None:
                    self._finish()
                    return None
            if self.paced:
                if self._zero is None:
                    self._zero = time.monotonic()
                early = self._zero + self._next.time + 1.0 / self._fps - time.monotonic()
                if early > 0 and (self._stop.wait(min(early, timeout_s)) or early > timeout_s):
                    return None
                if -early > self._backlog_s:
                    dropped += 1
                    self._next = None
                    continue
            tick, self._next = self._next, None
            return tick._replace(dropped=dropped)
        return None

    def _finish(self) -> None:
        end = self.duration or 0.0
        text = "the end of the file"
        if self.video is not None and self.video.watermark < self.video.duration:
            end = self.video.watermark
            text = f"the file was cut: it ends at {end:.1f} s of {self.video.duration:.1f} s"
        self.notices.append(Notice(end, "end", text))
        self.over = True


def _of_video(
    video: Video, fps: float, size: tuple[int, int], rate: int | None
) -> Generator[Tick, None, None]:
    count = max(1, math.ceil(video.duration * fps - 0.5))  # ticks whose middle lies inside the video
    sounds = None if rate is None else _sounds(video, fps, rate, count)
    tick = 0
    for frame in video.sample(fps, size=size, phase=0.5):
        if tick == count:
            return
        yield Tick(tick / fps, frame.image, None if sounds is None else next(sounds))
        tick += 1
    if tick == 0:  # shorter than half a tick: what it shows first is all there is
        image = video.frames([0.0], size=size).images[0]
        yield Tick(0.0, image, None if sounds is None else next(sounds))


def _sounds(video: Video, fps: float, rate: int, count: int) -> Iterator[NDArray[np.float32]]:
    """One block (round(rate / fps),) a tick."""
    length = round(rate / fps)
    for block in video.audio_blocks(rate, 1.0 / fps, 0.0, count / fps):
        yield np.pad(block, (0, max(0, length - len(block))))[:length]
    while True:
        yield np.zeros(length, np.float32)


def _of_images(
    images: ImageFolder, fps: float, painter: Painter, notices: deque[Notice]
) -> Generator[Tick, None, None]:
    count = max(1, math.ceil(images.duration * fps - 0.5))
    index = -1
    image: NDArray[np.uint8] | None = None
    for tick in range(count):
        wanted = max(index, images.at((tick + 0.5) / fps))
        while (
            index < wanted or image is None
        ):  # only what is shown is read; if it is no image, the one before stays
            index = max(index + 1, wanted)
            if index == len(images.names):
                raise VideoError(f"no image of {images.path} can be read", path=images.path)
            found = images.image(index, painter)
            if found is None:
                text = f"{images.unreadable[-1]} is not an image that can be read"
                notices.append(Notice(tick / fps, "dropped", text))
            else:
                image = found
        yield Tick(tick / fps, image, None)
