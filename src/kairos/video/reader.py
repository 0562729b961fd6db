"""A video file behind the `Video` protocol, decoded by PyAV."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kairos.errors import OptionError, VideoError
from kairos.timeline import Moment
from kairos.video import options, sound
from kairos.video.damage import Damage
from kairos.video.identity import content_id
from kairos.video.options import Requests
from kairos.video.painter import Painter, display_size
from kairos.video.pictures import Pictures, Shown
from kairos.video.source import Source, not_a_video
from kairos.video.video import Frame, Frames, Size, StreamInfo

__all__ = ["VideoFile"]

SEEK_S = 8.0  # from one wanted time to the next: further than this a seek is tried, nearer the pass reads on


class VideoFile:
    """A local video file. Its passes stream: memory holds one group of compressed pictures and a few frames.

    Each pass opens the file for itself, so passes may interleave. Raises VideoError when nothing decodes.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 0) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or not 0 <= threads <= 64:
            raise OptionError(f"threads must be 0 to 64, not {threads!r}", option="threads", value=threads)
        self._damage = Damage()
        self._threads = threads
        self._passes: weakref.WeakSet[Pictures] = weakref.WeakSet()
        self._closed = False
        self._source = Source.read(path)
        self._path = os.fspath(path)
        if self._source.cut_at is not None:
            self._damage.cut(self._source.cut_at, self._source.picture_end or self.duration, measured=False)
        first = self._first()
        self._first_time = first.time
        self._size = display_size(
            first.frame.width, first.frame.height, self._source.pixel_aspect, round(first.frame.rotation)
        )
        if max(self._size) > options.MAX_SIDE_PX:
            raise VideoError(
                f"{self._path} claims a picture of {self._size[0]} x {self._size[1]} pixels",
                path=self._path,
                hint="the file is broken",
            )

    def __repr__(self) -> str:
        sound_words = "with sound" if self.has_audio else "without sound"
        return (
            f"<Video {self.name!r}: {self.duration:.2f} s, {self.size[0]} x {self.size[1]}, "
            f"{self.rate:.2f} frames/s, {sound_words}>"
        )

    @property
    def path(self) -> str:
        """The path as it was given."""
        return self._path

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return os.path.basename(self._path)

    @cached_property
    def id(self) -> str:
        """SHA-256 over the size and the first, middle and last MiB (see `kairos.video.identity`)."""
        return content_id(self._path)

    @property
    def duration(self) -> float:
        """Seconds from the clock's start to the end of picture or sound, as the container claims."""
        return self._source.duration

    @property
    def watermark(self) -> float:
        """Until when the content is known, in seconds: `duration`, or less as soon as a pass has found the file cut."""
        return self.duration if self._damage.end is None else min(self._damage.end, self.duration)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in display pixels: rotated, with square pixels."""
        return self._size

    @property
    def rate(self) -> float:
        """Average frames per second; 0 where the container does not say."""
        return self._source.rate

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound stream (it may be silent)."""
        return self._source.sound is not None

    @property
    def streams(self) -> Sequence[StreamInfo]:
        """Every stream of the container."""
        return self._source.streams

    @property
    def gaps(self) -> tuple[Moment, ...]:
        """The damaged spans that passes have found so far, labelled "picture" or "sound"."""
        return self._damage.gaps

    def frames(self, times: ArrayLike, size: Size = None) -> Frames:
        """Returns the frames shown at `times` (n,) seconds, in the order given; images (n, H, W, 3).

        Times after the end give the last frame. Raises OptionError for negative or non-finite times.
        """
        wanted = options.check_times(times)
        painter = Painter(options.check_size(size) or self.size)
        unique, back = np.unique(wanted, return_inverse=True)
        shown_times = np.zeros(len(unique))
        images = np.zeros((len(unique), painter.size[1], painter.size[0], 3), np.uint8)
        previous: Shown | None = None
        for i, shown in enumerate(self._shown(unique.tolist(), math.inf)):
            shown_times[i] = shown.time
            images[i] = images[i - 1] if shown is previous else painter.paint(shown.frame)
            previous = shown
        return Frames(shown_times[back], images[back])

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
        """Yields the frame shown at each start + (k + phase) / fps before `end`, streaming forward.

        `max_frames` thins the requests out evenly; with it alone they spread over the whole span; with neither every
        frame comes once, at its own time. A cut file ends at its watermark. Raises OptionError at once, VideoError
        when the file has gone.
        """
        begin, stop = options.check_span(start, end, self.duration)
        painter = Painter(options.check_size(size) or self.size)
        if fps is None and max_frames is None:
            return self._every(begin, stop, painter)
        requests = Requests.uniform(fps, max_frames, phase, begin, stop)
        return self._sampled(requests, painter)

    def audio(self, start: float = 0.0, end: float | None = None, rate: int = 16000) -> NDArray[np.float32]:
        """Returns mono sound in [-1, 1], float32, round((end - start) * rate) samples; silence where there is none."""
        begin, stop = options.check_span(start, end, self.duration, inside=False)
        rate = options.check_rate(rate)
        result = np.zeros(round((stop - begin) * rate), np.float32)
        done = 0
        for part in self._sound(begin, len(result), rate):
            result[done : done + len(part)] = part
            done += len(part)
        return result

    def audio_blocks(
        self, rate: int = 16000, step_s: float = 0.5, start: float = 0.0, end: float | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yields the sound of [start, end) in blocks of round(step_s * rate) samples; the last is filled with silence."""
        begin, stop = options.check_span(start, end, self.duration, inside=False)
        rate = options.check_rate(rate)
        step = options.check_number(step_s, "step_s")
        if not 1.0 <= step * rate <= 60.0 * rate:
            raise OptionError(
                f"step_s must be from one sample to 60 s, not {step:g}", option="step_s", value=step_s
            )
        count = max(0, math.ceil((stop - begin) / step - 1e-9))
        needed = round((count - 1) * step * rate) + round(step * rate) if count else 0
        inside = min(needed, round((stop - begin) * rate))
        return sound.blocks(self._sound(begin, inside, rate), rate, step, count)

    def close(self) -> None:
        """Lets go of the file; passes that are still open end, later ones raise VideoError."""
        self._closed = True
        for one in list(self._passes):
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sampled(self, requests: Requests, painter: Painter) -> Iterator[Frame]:
        times = requests.times.tolist()
        previous: Shown | None = None
        image = np.zeros((0, 0, 3), np.uint8)
        for tick, shown in enumerate(self._shown(times, self.duration)):
            if shown is not previous:
                image, previous = painter.paint(shown.frame), shown
            yield Frame(shown.time, image, tick, times[tick])

    def _every(self, start: float, end: float, painter: Painter) -> Iterator[Frame]:
        one = self._pass()
        try:
            tick = 0
            for shown in one.start_at(start):
                if shown.time >= end:
                    break
                if shown.time >= start:
                    yield Frame(shown.time, painter.paint(shown.frame), tick, shown.time)
                    tick += 1
        finally:
            one.close()

    def _shown(self, times: list[float], end: float) -> Iterator[Shown]:
        """Yields the frame shown at each of the sorted times; after a cut, and from `end` on, it stops."""
        one: Pictures | None = None
        try:
            i = 0
            while i < len(times):
                stop = i + 1
                while stop < len(times) and times[stop] - times[stop - 1] <= SEEK_S:
                    stop += 1
                one = one or self._pass()
                current: Shown | None = None
                for shown in one.start_at(times[i], times[i:stop]):
                    while i < stop and current is not None and times[i] < shown.time:
                        yield current
                        i += 1
                    current = shown
                    if i >= stop:
                        break
                if current is None:
                    raise not_a_video(self._path)
                limit = min(end, self.watermark) if end < math.inf else end
                while i < stop and times[i] < limit:
                    yield current
                    i += 1
                if i < stop:
                    return
        finally:
            if one is not None:
                one.close()

    def _sound(self, start: float, count: int, rate: int) -> Iterator[NDArray[np.float32]]:
        self._check_open()
        return sound.pieces(self._source, self._damage, start, count, rate)

    def _pass(self) -> Pictures:
        self._check_open()
        one = Pictures(self._source, self._damage, self._threads)
        self._passes.add(one)
        return one

    def _check_open(self) -> None:
        if self._closed:
            raise VideoError(f"{self._path} was closed", path=self._path, hint="open it again")

    def _first(self) -> Shown:
        """Decodes the first frame: the proof that this is a video."""
        one = Pictures(self._source, Damage(), threads=1)
        try:
            first = next(one.start_at(0.0), None)
        finally:
            one.close()
        if first is None:
            raise not_a_video(self._path)
        return first
