"""Following a source as it plays: one iterator over ticks, whatever the source is.

A file or a folder of images is replayed; an address, a camera or a pipe is taken in by a thread. Either way ticks stand
on one exact grid, and what goes wrong is told in one line each, between the ticks where it happened.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kairos.errors import OptionError
from kairos.video import options
from kairos.video.connection import Place
from kairos.video.folder import ImageFolder
from kairos.video.ingest import Ingest
from kairos.video.reader import VideoFile
from kairos.video.replay import Replay
from kairos.video.tick import Feed, Notice, Tick
from kairos.video.video import Size

if TYPE_CHECKING:
    from kairos.video.video import Video

__all__ = ["Live", "follow"]

EVENTS = 1000  # notices that are kept
TELL_S = 5.0  # dropped ticks are told at most this often
POLL_S = 0.2  # notices are passed on at least this often while no tick comes


def follow(
    source: str | os.PathLike[str],
    *,
    fps: float,
    size: Size,
    audio_rate: int | None = 16000,
    realtime: bool = False,
    network: bool = False,
    stall_s: float = 10.0,
    retries: int = 8,
    backlog_s: float = 2.0,
    rate: float | None = None,
    tell: Callable[[Notice], None] | None = None,
) -> Live:
    """See `kairos.video.live`."""
    fps = options.check_fps(fps)
    sides = options.check_size(size)
    if sides is None:
        raise OptionError(
            "size must be given: pictures of a stream may change theirs", option="size", value=size
        )
    hertz = None if audio_rate is None else options.check_rate(audio_rate)
    stall_s = _check_seconds(stall_s, "stall_s", least=0.1)
    backlog_s = _check_seconds(backlog_s, "backlog_s", least=0.0)
    if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= 1_000_000:
        raise OptionError(
            f"retries must be a whole number from 0 on, not {retries!r}", option="retries", value=retries
        )
    place = Place.of(source)
    images_rate = fps if rate is None else options.check_fps(rate, "rate")
    if rate is not None and not os.path.isdir(place.given):
        raise OptionError("rate is for a folder of images only", option="rate", value=rate)
    place.check(network)
    feed: Feed
    if place.kind == "path":
        folder = ImageFolder(place.given, images_rate) if os.path.isdir(place.given) else None
        video = VideoFile(place.given) if folder is None else None
        feed = Replay(
            video=video,
            images=folder,
            fps=fps,
            size=sides,
            rate=hertz,
            realtime=realtime,
            backlog_s=backlog_s,
        )
    else:
        feed = Ingest(
            place,
            fps=fps,
            size=sides,
            rate=hertz,
            wall=realtime or place.kind != "pipe",
            stall_s=stall_s,
            retries=retries,
            backlog_s=backlog_s,
        )
    return Live(place.name, feed, tell)


class Live:
    """An iterator over the ticks of a source, and a context manager that closes it.

    `events` keeps the last 1000 notices; `tell` is called with each, by whoever iterates, before the tick that follows it.
    """

    def __init__(self, name: str, feed: Feed, tell: Callable[[Notice], None] | None = None) -> None:
        self.name = name
        self.events: deque[Notice] = deque(maxlen=EVENTS)
        self._feed = feed
        self._call = tell
        self._lost = 0
        self._lost_told = -TELL_S
        self._time = 0.0

    def __repr__(self) -> str:
        return f"<Live {self.name!r} at {self._time:.1f} s>"

    @property
    def has_audio(self) -> bool:
        """Whether ticks carry sound."""
        return self._feed.has_audio

    @property
    def paced(self) -> bool:
        """Whether ticks come in real time, so that waiting for several of them costs time."""
        return self._feed.paced

    @property
    def duration(self) -> float | None:
        """Seconds in all; None where only the end will tell."""
        return self._feed.duration

    @property
    def video(self) -> Video | None:
        """The file that is replayed (its `gaps` and `watermark` say what was damaged), if it is one."""
        return self._feed.video

    def __iter__(self) -> Iterator[Tick]:
        return self

    def __next__(self) -> Tick:
        while (tick := self.poll(POLL_S)) is None:
            if self.over:
                raise StopIteration
        return tick

    @property
    def over(self) -> bool:
        """Whether no tick will come any more, and everything was told."""
        return self._feed.over and not self._feed.notices and not self._lost

    def poll(self, timeout_s: float) -> Tick | None:
        """Returns the next tick, or None where there is none within `timeout_s` seconds; tells what there is to tell."""
        try:
            tick = self._feed.poll(timeout_s)
        except BaseException:
            self._tell_all()
            raise
        if tick is not None:
            self._time = tick.time
            self._lost += tick.dropped
        self._tell_lost(tick is None and self._feed.over)
        self._tell_all()
        return tick

    def close(self) -> None:
        """Ends the threads and lets go of the source; iterating ends. May be called from any thread."""
        self._feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell_lost(self, over: bool) -> None:
        now = time.monotonic()
        if self._lost and (over or now - self._lost_told >= TELL_S):
            ticks = "1 tick" if self._lost == 1 else f"{self._lost} ticks"
            self._tell(
                Notice(
                    self._time, "dropped", f"{ticks} dropped: nobody took them in time, or they never came"
                )
            )
            self._lost, self._lost_told = 0, now

    def _tell_all(self) -> None:
        while self._feed.notices:
            self._tell(self._feed.notices.popleft())

    def _tell(self, notice: Notice) -> None:
        self.events.append(notice)
        if self._call is not None:
            self._call(notice)


def _check_seconds(value: object, option: str, least: float) -> float:
    seconds = options.check_number(value, option)
    if not least <= seconds <= 86400.0:
        raise OptionError(
            f"{option} must be {least:g} to 86400 s, not {seconds:g}", option=option, value=value
        )
    return seconds
