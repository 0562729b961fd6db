"""A stream into ticks: a thread decodes, whoever iterates takes, and the time of day decides where they disagree.

Two ways to treat time. A pipe is read as it comes and waits for its reader: its own timestamps are the time, nothing is
dropped. Everything live (and a pipe with `wall`) goes by the time of day: what comes early waits, what does not come is
replaced by the last picture, what is not taken in time is dropped, and a broken connection is opened again while time
goes on.

Only the thread touches PyAV. It ends within a fraction of a second of `close`, except inside a network read, which ends
by its own time limit; `close` does not wait for that.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kairos.errors import VideoError
from kairos.video.backoff import Backoff
from kairos.video.clock import Clock
from kairos.video.connection import BROKE_OFF, Place, connect, reason
from kairos.video.grid import Grid
from kairos.video.painter import Painter
from kairos.video.pictures import TAINT_S
from kairos.video.sound import Stretches, mono
from kairos.video.source import MAX_DURATION_S, best_stream, start_of
from kairos.video.tick import Notice, Tick

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer

    from kairos.video.video import Video

__all__ = ["Ingest"]

LEAD_S = 0.25  # a stream may run this far ahead of the time of day before it has to wait
CATCH_UP = 0.01  # one that stays ahead is followed by that much faster: its own clock is a little fast, or it sent a backlog
SLACK_S = 1.0  # a tick may be this late before the last picture stands in for it
LATE_S = 1.0  # pictures that stay late for so long are what there is: time is set by them
PROBE_S = 5.0  # opening takes in at most this much of a live stream
STEADY_S = 5.0  # a connection that has lasted so long is well: the next break starts with the shortest delay
PATIENCE_S = 30.0  # a container may keep the sound of a fragment behind all of its pictures
CHUNK_S = 0.1  # sound is resampled in pieces of this length
LONGEST_FRAME_S = 1
JOIN_S = 0.5  # `close` waits so long for the thread


class Ingest:
    """Feeds ticks from a stream. The constructor returns when the first picture is there; raises VideoError if none comes."""

    def __init__(
        self,
        place: Place,
        *,
        fps: float,
        size: tuple[int, int],
        rate: int | None,
        wall: bool,
        stall_s: float,
        retries: int,
        backlog_s: float,
    ) -> None:
        self.notices: deque[Notice] = deque()
        self.video: Video | None = None
        self.duration: float | None = None
        self.paced = wall
        self._place, self._fps, self._rate = place, fps, rate
        self._stall_s, self._backlog_s = stall_s, backlog_s
        self._slack_s = min(SLACK_S, stall_s / 2)
        self._backoff = Backoff(retries)
        self._painter = Painter(size)
        self._grid = self._new_grid()
        self._most = math.ceil((backlog_s + 2 * PROBE_S) * fps) + 2  # ticks that wait, at most
        self._clock = Clock()
        self._changed = threading.Condition()  # guards the grid and the ticks that are ready
        self._ready: deque[tuple[float, Tick]] = deque()  # with the moment at which each could be taken
        self._dropped = 0
        self._stop = threading.Event()  # for the thread
        self._closed = False
        self._error: BaseException | None = None
        self._ended = False  # nothing more comes from the thread
        self._zero: float | None = None  # the moment at which the video's clock stood at 0
        self._held_at = -math.inf  # when the last picture last stood in for one, or a pipe was last silent
        self._seen_at = -math.inf  # when the last picture came
        self._early = False  # the next picture is there, and not due
        self._late_since: float | None = None
        self._arrival = time.monotonic()  # the last sign of life
        self._picture: Any = None  # the streams of the connection
        self._sound: Any = None
        self._stretches: Stretches | None = None
        self._step = Fraction(1, 25)
        self._tainted: float | None = None
        self._size: tuple[int, int] | None = None
        self._end = 0.0  # where picture and sound have got to
        self._opened_at: float | None = None
        self._broke_at = 0.0
        self._given_up: str | None = None
        self._thread = threading.Thread(target=self._run, name="kairos-ingest", daemon=True)
        self._thread.start()
        try:
            self._wait_for_a_picture()
        except BaseException:
            self.close()
            raise

    @property
    def has_audio(self) -> bool:
        """Whether the first connection had sound."""
        return self._rate is not None

    @property
    def over(self) -> bool:
        """Whether no tick will come any more."""
        with self._changed:
            return self._closed or (self._ended and not self._ready and self._error is None)

    def poll(self, timeout_s: float) -> Tick | None:
        """Returns the next tick, or None where there is none within `timeout_s`. Raises what the thread has met."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                self._hold()
                self._drop_aged()
                if self._ready:
                    tick = self._ready.popleft()[1]
                    dropped, self._dropped = tick.dropped + self._dropped, 0
                    self._heard()  # while nobody took, nothing had to come
                    self._changed.notify_all()
                    return tick._replace(dropped=dropped)
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                left = until - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._watch_for_silence()
                self._changed.wait(min(left, 0.1))
        return None

    def close(self) -> None:
        """Ends the thread, waiting at most JOIN_S for it."""
        self._stop.set()
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    # What the reader does, under the lock.

    def _wait_for_a_picture(self) -> None:
        began = time.monotonic()
        with self._changed:
            while not self._grid.started and not self._ended:
                now = time.monotonic()
                silent = self._place.kind == "pipe" and now - self._arrival > self._stall_s
                if silent or now - began > 3 * self._stall_s:
                    waited = now - began
                    raise VideoError(
                        f"{self._place.name} gave no picture in {waited:.0f} s",
                        path=self._place.name,
                        hint="check that it is on, or allow it more with stall_s",
                    )
                self._changed.wait(0.1)
            if self._error is not None:
                error, self._error = self._error, None
                raise error

    def _now(self) -> float:
        """The time of day on the video's clock."""
        return time.monotonic() - (self._zero or 0.0)

    def _hold(self) -> None:
        """Live only: where nothing has come in time, the last picture stands in."""
        if not self.paced or self._zero is None or self._ended:
            return
        now, step = self._now(), 1.0 / self._fps
        silent = time.monotonic() - self._seen_at
        if silent < self._slack_s or now < self._grid.given + step + self._slack_s:
            return
        shown_to = self._grid.time
        ticks = self._grid.hold(now - self._slack_s)
        for tick in ticks:
            self._ready.append((self._zero + tick.time + step + self._slack_s, tick))
        if self._grid.time > shown_to and not self._early:
            self._tell_silence(f"{self._place.name} gives no picture: the last one is held", shown_to)

    def _drop_aged(self) -> None:
        """Live only: ticks that have waited longer than the backlog allows give way to newer ones."""
        limit = time.monotonic() - self._backlog_s
        while (
            self.paced
            and len(self._ready) > 1
            and (self._ready[0][0] < limit or len(self._ready) > self._most)
        ):
            self._dropped += 1 + self._ready.popleft()[1].dropped

    def _watch_for_silence(self) -> None:
        silent = time.monotonic() - self._arrival
        if self._place.kind == "pipe":
            if silent > self._stall_s:
                self._tell_silence(f"nothing on standard input for {self._stall_s:g} s", self._grid.time)
            if silent <= self._stall_s * (self._backoff.retries + 1):
                return
        elif silent <= 3 * self._stall_s + self._slack_s:
            return
        self._finish(f"{self._place.name} gave nothing for {silent:.0f} s")
        self._stop.set()

    def _finish(self, why: str) -> None:
        """Under the lock: gives what is left, and says why nothing more comes."""
        self._give(self._grid.end(self._end))
        self._tell("end", why, max(self._end, self._grid.given))
        self._ended = True

    def _tell_silence(self, text: str, time_s: float) -> None:
        """Tells each silence once; a stream that comes a little too slowly is not told every second."""
        now = time.monotonic()
        if now - self._held_at > STEADY_S:
            self._tell("stall", text, time_s)
        self._held_at = now

    # What the thread does.

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                broken = self._connection()
                if not self._grid.started and not self._stop.is_set():
                    name, why = self._place.name, broken or "ended before its first picture"
                    raise VideoError(f"{name} {why}", path=name, hint="check it with a player")
                if broken is None or not self._wait_to_reconnect(broken):
                    break
        except BaseException as error:
            self._error = error
        with self._changed:
            if not self._stop.is_set() and self._error is None:
                self._finish(self._given_up or f"{self._place.name} has ended")
            self._ended = True
            self._changed.notify_all()

    def _new_grid(self) -> Grid:
        patience = self._slack_s if self.paced else PATIENCE_S
        return Grid(self._fps, self._painter, self._rate, hold_s=self._stall_s, patience_s=patience)

    def _connection(self) -> str | None:
        """Opens the place and reads it until it ends. Returns None at a proper end, else what broke."""
        import av

        began, self._opened_at = time.monotonic(), None
        try:
            container = connect(self._place, self._stall_s, self._stop.is_set, self._heard)
        except VideoError as error:
            if not self._grid.started:
                raise
            return error.message.removeprefix(self._place.name).strip()
        with container:
            self._heard()
            self._picture = best_stream(container, "video")
            if self._picture is None:
                return "holds no picture"
            self._begin(container, min(time.monotonic() - began, PROBE_S))
            try:
                for packet in container.demux([s for s in (self._picture, self._sound) if s is not None]):
                    if self._stop.is_set():
                        return None
                    self._heard()
                    self._take(packet)
            except av.FFmpegError as error:
                if not isinstance(error, EOFError):
                    return reason(error, self._place, self._stall_s)[0]
            for begin, samples in self._stretches.flush() if self._stretches is not None else ():
                self._give_sound(begin, samples)
        finite = self._place.kind == "pipe" or self._place.given.lower().startswith("http")
        return None if finite else BROKE_OFF

    def _begin(self, container: InputContainer, opening_s: float) -> None:
        """A connection is open: sets the clock by it."""
        sound: Any = best_stream(container, "audio")
        with self._changed:
            start = start_of(container, self._picture, sound)
            if not self._grid.started:
                self._rate = None if sound is None else self._rate
                self._grid = self._new_grid()
                self._clock.anchor(start, 0.0)
                if self.paced:
                    self._zero = time.monotonic() - opening_s
            else:
                at = max(self._grid.time, self._now() - opening_s)
                self._clock.anchor(start, at)
                gone = time.monotonic() - self._broke_at
                self._tell("reconnect", f"{self._place.name} is back after {gone:.1f} s", at)
            self._sound = None if self._rate is None else sound
            self._stretches = None if self._rate is None else Stretches(self._rate, chunk_s=CHUNK_S)
        self._opened_at = time.monotonic()
        self._tainted = self._late_since = None
        rate = float(self._picture.average_rate or self._picture.guessed_rate or 0.0)
        self._step = Fraction(1, max(1, min(1000, round(rate)))) if rate else Fraction(1, 25)

    def _take(self, packet: Packet) -> None:
        import av

        try:
            frames: list[Any] = list(packet.decode())
        except (av.FFmpegError, ValueError):
            frames = []
            if packet.stream_index == self._picture.index:
                self._tainted = math.inf  # since the next frame that comes out
        for frame in frames:
            if packet.stream_index == self._picture.index:
                self._see(frame)
            elif frame.samples and frame.sample_rate:
                self._hear(frame)

    def _see(self, frame: VideoFrame) -> None:
        length = _seconds(frame.duration or None, frame.time_base) or self._step
        time_s = self._time(self._picture, frame, min(length, Fraction(LONGEST_FRAME_S)))
        if not self._is_whole(frame, time_s):
            return
        self._wait_for(time_s)
        with self._changed:
            if self._stop.is_set():
                return
            size = (frame.width, frame.height)
            if self._size is not None and size != self._size:
                old, new = (f"{w} x {h}" for w, h in (self._size, size))
                self._tell("resolution", f"the picture is {new} pixels now, it was {old}", time_s)
            self._size = size
            self._seen_at = time.monotonic()
            time_s = self._set_by_late(time_s)
            self._end = max(self._end, time_s + float(length))
            self._give(self._grid.picture(time_s, frame))

    def _hear(self, frame: Any) -> None:
        assert self._stretches is not None
        length = Fraction(frame.samples, frame.sample_rate)
        time_s = self._time(self._sound, frame, length)
        for begin, samples in self._stretches.add(time_s, mono(frame), frame.sample_rate):
            self._give_sound(begin, samples)

    def _give_sound(self, begin: float, samples: Any) -> None:
        assert self._rate is not None
        with self._changed:
            self._end = max(self._end, begin + len(samples) / self._rate)
            self._give(self._grid.sound(begin, samples))

    def _time(self, stream: Any, frame: Any, length: Fraction) -> float:
        """The frame's time on the clock; tells where the timestamps went back or leapt."""
        leap = MAX_DURATION_S
        if self.paced:  # further ahead than the time of day is no hole
            leap = self._stall_s + max(0.0, self._now() - self._grid.time)
        stamp = _seconds(frame.pts, frame.time_base or stream.time_base)
        found = self._clock.at(stream.index, stamp, length, leap)
        if found.fresh:
            way = "back" if found.leap < 0 else "ahead"
            text = f"the timestamps leap {way} by {abs(found.leap):.1f} s: time goes on from here"
            self._tell("backwards", text, found.time)
        return found.time

    def _is_whole(self, frame: VideoFrame, time_s: float) -> bool:
        """Keeps back what was decoded from lost references: until a key frame, at most TAINT_S."""
        if frame.is_corrupt:
            self._tainted = time_s
        elif self._tainted is not None:
            self._tainted = min(self._tainted, time_s)
            if frame.key_frame or time_s - self._tainted >= TAINT_S:
                self._tainted = None
        return self._tainted is None

    def _wait_for(self, time_s: float) -> None:
        """Live: until a picture is due. A pipe: until there is room for its ticks."""
        if not self.paced:
            with self._changed:
                while len(self._ready) >= self._most and not self._stop.is_set():
                    self._changed.wait(0.5)
                    self._heard()
            return
        while (early := time_s - self._now() - LEAD_S) > 0 and not self._stop.is_set():
            self._early = True
            self._stop.wait(min(early, 0.2))
            self._zero = (self._zero or 0.0) - CATCH_UP * min(early, 0.2)
            self._heard()
        self._early = False

    def _set_by_late(self, time_s: float) -> float:
        """Live: where pictures stay late, what comes is what there is, and time is set so that they are in time."""
        now, late = time.monotonic(), self._now() - time_s
        if not self.paced or late <= self._slack_s:
            self._late_since = None
            return time_s
        self._late_since = self._late_since or now
        if now - self._late_since < LATE_S:  # a backlog that comes faster than it plays catches up by itself
            return time_s
        self._late_since = None
        if time_s >= self._grid.time - 1.0 / self._fps:
            self._zero = (self._zero or 0.0) + late
            return time_s
        self._clock.delay(late)  # their ticks were given without them
        return time_s + late

    def _wait_to_reconnect(self, broken: str) -> bool:
        """Tells what broke and waits; returns whether to try again."""
        now = time.monotonic()
        if self._opened_at is not None:
            self._broke_at = now
            if now - self._opened_at >= STEADY_S:
                self._backoff.reset()
        delay = self._backoff.delay() if self._place.reopens else None
        name = self._place.name
        if delay is None:
            tries = self._backoff.retries
            tried = "" if not self._place.reopens else f", attempts to connect again: {tries}"
            self._given_up = f"{name} {broken}: given up{tried}"
            return False
        count = f"attempt {self._backoff.attempts} of {self._backoff.retries}"
        self._tell("reconnect", f"{name} {broken}: connecting again in {delay:g} s, {count}")
        until = now + delay
        while (left := until - time.monotonic()) > 0 and not self._stop.wait(min(left, 0.5)):
            self._heard()
        return not self._stop.is_set()

    def _give(self, ticks: list[Tick]) -> None:
        now = time.monotonic()
        self._ready.extend((now, tick) for tick in ticks)
        self._drop_aged()
        if ticks or not self._grid.started:
            self._changed.notify_all()

    def _heard(self) -> None:
        self._arrival = time.monotonic()

    def _tell(self, kind: str, text: str, time_s: float | None = None) -> None:
        self.notices.append(Notice(self._grid.time if time_s is None else time_s, kind, text))


def _seconds(stamp: int | None, time_base: Fraction | None) -> Fraction | None:
    return None if stamp is None or time_base is None else Fraction(stamp) * time_base
