"""One pass over the picture stream: verified seek, then frames in presentation order.

Unusual: a seek is never believed. The first decoded frame must lie at or before the time asked for; if it does not, the
seek is repeated from further back, doubling, and at last the file is reopened and decoded from its start.
A frame that was decoded from lost references is not shown: after damage the pass waits for the next key frame, though
at most TAINT_S seconds, and notes the span.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kairos.video.damage import Damage
from kairos.video.schedule import plan
from kairos.video.source import Source, open_container

if TYPE_CHECKING:
    from av import Packet, VideoFrame

__all__ = ["Pictures", "Shown"]

TAINT_S = 2.0  # after damage without a key frame, frames are shown again after this long
BACK_OFF_S = 1.0  # first step back of a seek that landed too late; doubles
GROUP_PACKETS, GROUP_BYTES = 600, 32 << 20  # a longer group of pictures is scheduled piece by piece
REORDER = 24  # packets looked ahead; H.264 and HEVC reorder over at most 16
DRAIN_PACKETS = 12  # emptying the decoder's threads costs about as much as decoding this many packets
MAX_THREADS = 9  # each holds a frame or two: 25 MB at 4K
MAX_ERRORS = 200  # demuxing errors in a row before the rest of the file is given up
# Codecs whose non-reference frames FFmpeg recognises exactly (HEVC's may serve higher temporal layers).
SKIPPABLE = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9"})
HIDDEN_FRAMES = frozenset({"vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "libaom-av1"})


class Shown(NamedTuple):
    """A decoded frame and its presentation time in seconds on the clock."""

    time: float
    frame: VideoFrame


class _Damaged(Exception):
    """A pass that leaves frames out has met damage."""


class Pictures:
    """One pass. `threads` 1 starts faster, 0 (as many as cores, and one) decodes faster."""

    def __init__(self, source: Source, damage: Damage, threads: int = 0) -> None:
        self.source = source
        self.damage = damage
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = threads or min(MAX_THREADS, cores + 1)  # one more than cores, as FFmpeg itself does
        self._container: Any = None
        self._stream: Any = None
        self._sound_end = 0.0
        self._open()

    def close(self) -> None:
        """Closes the file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def start_at(self, t: float, wanted: Sequence[float] | None = None) -> Iterator[Shown]:
        """Yields frames with strictly increasing times, the first at or before `t` seconds (or the stream's first).

        `wanted`, sorted seconds, says which times matter: frames that none of them shows may be left out.
        """
        last = -float("inf")
        try:
            for shown in self._sought(t, wanted):
                last = shown.time
                yield shown
        except _Damaged:
            # Frames that were left out may be the last good ones: decode everything from here on.
            for shown in self._sought(max(t, last), None):
                if shown.time > last:
                    yield shown

    def _sought(self, t: float, wanted: Sequence[float] | None) -> Iterator[Shown]:
        import av

        back = 0.0
        while t - back > 0.0:
            target = self.source.pts(t - back, self._stream.time_base)
            self._fresh = False
            try:
                self._container.seek(target, backward=True, stream=self._stream)
            except av.FFmpegError:
                break
            found = self._forward(wanted, from_start=False)
            first = next(found, None)
            if first is not None and first.time <= t:
                yield first
                yield from found
                return
            back = back * 2 or BACK_OFF_S
            self._reset()
        if not self._fresh:
            self._open()
        yield from self._forward(wanted, from_start=True)

    def _open(self) -> None:
        self.close()
        self._container = open_container(self.source.path)
        self._fresh = True  # stands at its start
        self._stream = self._container.streams[self.source.picture]
        self._context = self._stream.codec_context
        self._context.thread_type = "AUTO" if self._threads > 1 else "NONE"
        self._context.thread_count = self._threads
        self._reset()

    def _reset(self) -> None:
        """Forgets what was being decoded."""
        with suppress(Exception):  # a context that was never opened has nothing to flush
            self._context.flush_buffers()
        self._context.skip_frame = "DEFAULT"
        self._watch = _Watch(self)

    def _forward(self, wanted: Sequence[float] | None, from_start: bool) -> Iterator[Shown]:
        """Yields frames from where the container stands."""
        self._fresh = False
        self._reset()
        self._watch.strict = wanted is not None
        last = -float("inf")
        for shown in self._decoded(wanted, from_start):
            if shown.time > last:
                last = shown.time
                yield shown
        if self._at_end:
            self._watch.end_of_file(last, self._sound_end)

    def _decoded(self, wanted: Sequence[float] | None, from_start: bool) -> Iterator[Shown]:
        packets = self._packets(from_start)
        buffer: deque[Packet] = deque()
        before: list[float] = []
        skippable = self._context.name in SKIPPABLE
        self._at_end = True
        clean = True  # the decoder holds what the next packet refers to
        while True:
            size, closed, ended = _fill(buffer, packets)
            if not buffer:
                break
            group = [buffer.popleft() for _ in range(size)]
            times = self._times(group)
            ahead = self._times([buffer[i] for i in range(min(REORDER, len(buffer)))])
            if wanted is not None and before and times is not None and min(times) > wanted[-1]:
                self._at_end = False  # all that is wanted lies behind: the rest of the file is not read
                break
            stop, shown = len(group), None
            if wanted is not None and times is not None and ahead is not None:
                schedule = plan(before, times, ahead, wanted, closed and not ended)
                shown = schedule.shown
                if len(group) - schedule.stop >= DRAIN_PACKETS or schedule.stop == 0:
                    stop = schedule.stop
            before = (times or [])[-REORDER:]
            if stop and not clean:
                self._reset_decoder()
                clean = True
            for i in range(stop):
                skip = skippable and shown is not None and not shown[i]
                yield from self._feed(group[i], skip)
            if stop < len(group) and clean:
                yield from self._drain()
                clean = False
        if clean:
            yield from self._drain()

    def _feed(self, packet: Packet, skip: bool) -> Iterator[Shown]:
        import av

        self._context.skip_frame = "NONREF" if skip else "DEFAULT"
        time = self._time(packet)
        self._watch.fed(time, expected=not skip and not packet.is_discard)
        if packet.is_corrupt and time is not None:
            self._watch.error(time)
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            self._watch.error(time)
            return
        for frame in frames:
            yield from self._watch.frame(frame)

    def _drain(self) -> Iterator[Shown]:
        import av

        self._context.skip_frame = "DEFAULT"
        while True:
            try:
                frames = self._context.decode(None)
            except (EOFError, av.error.EOFError):
                return
            except (av.FFmpegError, ValueError):
                self._watch.error(None)
                continue
            for frame in frames:
                yield from self._watch.frame(frame)
            return

    def _reset_decoder(self) -> None:
        self._context.flush_buffers()
        self._watch.flushed()

    def _packets(self, from_start: bool) -> Iterator[Packet]:
        """Yields the picture's packets, after a seek from a key frame on; broken stretches of the file are stepped over."""
        import av

        errors, waiting = 0, not from_start
        streams = [self._stream]
        if self.source.picture_end is None and self.source.sound is not None:
            # Only the sound can tell a picture that ends early from a file that was cut.
            streams.append(self._container.streams[self.source.sound])
        while errors < MAX_ERRORS:
            try:
                for packet in self._container.demux(streams):
                    errors = 0
                    if packet.stream_index != self._stream.index:
                        self._hear(packet)
                        continue
                    if packet.size == 0:
                        continue
                    waiting = waiting and not packet.is_keyframe
                    if not waiting:
                        yield packet
                return
            except (EOFError, av.error.EOFError):
                return
            except av.FFmpegError:
                # A generator that has raised is over; a new one goes on where the file stands.
                errors += 1
                self._watch.error(None)

    def _hear(self, packet: Packet) -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = self.source.seconds(packet.pts + (packet.duration or 0), packet.time_base)
            self._sound_end = max(self._sound_end, end)

    def _time(self, packet: Packet) -> float | None:
        return None if packet.pts is None else self.source.seconds(packet.pts, self._stream.time_base)

    def _times(self, packets: Sequence[Packet]) -> list[float] | None:
        times = [self._time(packet) for packet in packets]
        return None if None in times else times  # type: ignore[return-value]


class _Watch:
    """Compares the frames that come out with the packets that went in, and keeps tainted frames back."""

    def __init__(self, pictures: Pictures) -> None:
        self._source = pictures.source
        self._damage = pictures.damage
        self._time_base = pictures._stream.time_base
        self._hides = pictures._context.name in HIDDEN_FRAMES
        self._step = 1.0 / pictures.source.rate if pictures.source.rate else 0.04
        self._pending: list[tuple[float, bool]] = []
        self._last: float | None = None  # time of the last frame that came out, shown or not
        self._good: float | None = None  # time of the last frame shown
        self._lost_at: float | None = None  # start of the damage that is not over yet
        self._error_at: float | None = None
        self.strict = False  # a pass that leaves frames out must not meet damage

    def fed(self, time: float | None, expected: bool) -> None:
        if time is not None:
            self._pending.append((time, expected))

    def error(self, time: float | None) -> None:
        """A packet could not be decoded, or the container is broken here."""
        if self.strict:
            raise _Damaged
        self._error_at = max(time or 0.0, self._error_at or 0.0, self._last or 0.0)
        if self._lost_at is None:
            self._lost_at = float("inf")  # not known until the next frame comes out

    def flushed(self) -> None:
        """The decoder was emptied on purpose: what it did not give is not lost."""
        self._pending.clear()
        self._last = None

    def frame(self, frame: VideoFrame) -> Iterator[Shown]:
        time = self._time_of(frame)
        missing = sorted(
            (t, e) for t, e in self._pending if t < time and (self._last is None or t > self._last)
        )
        self._pending = [(t, e) for t, e in self._pending if t > time]
        first_out, self._last = self._last is None, time
        if not self._hides and not first_out and sum(expected for _, expected in missing) >= 2:
            self.error(max(t for t, _ in missing))
        if frame.is_corrupt:
            self.error(time)
        if self._lost_at is not None and not self._is_over(time, frame, missing):
            return
        self._good = time
        yield Shown(time, frame)

    def end_of_file(self, last: float, sound_end: float) -> None:
        """Nothing follows: what is lost is lost until the claimed end, and a file that ends early was cut."""
        tail = (last if self._good is None else self._good) + self._step
        claimed = self._source.picture_end or self._source.duration
        reach = tail if self._source.picture_end is not None else max(tail, sound_end)
        if self._lost_at is not None:
            tail = reach = max(0.0, min([self._lost_at, *(t for t, _ in self._pending), tail]))
            self._damage.add(tail, claimed, "picture")
        if last > -float("inf") and reach < claimed - max(0.25, 3 * self._step):
            self._damage.cut(tail, claimed, measured=True)

    def _is_over(self, time: float, frame: VideoFrame, missing: list[tuple[float, bool]]) -> bool:
        """Says whether the damage ends at this frame; notes the span so far."""
        assert self._lost_at is not None
        after = -float("inf") if self._good is None else self._good
        begin = min([self._lost_at, time, *(t for t, _ in missing if t > after)])
        if begin == time and self._good is not None and time - self._good > 2.5 * self._step:
            begin = self._good + self._step  # packets vanished with their timestamps
        self._lost_at = begin
        self._damage.add(max(begin, 0.0), time, "picture")
        error_at = self._error_at or 0.0
        clean = not frame.is_corrupt
        if clean and time > error_at and (frame.key_frame or time - error_at >= TAINT_S):
            self._lost_at = self._error_at = None
            return True
        return False

    def _time_of(self, frame: VideoFrame) -> float:
        if frame.pts is None:
            return 0.0 if self._last is None else self._last + self._step
        return self._source.seconds(frame.pts, frame.time_base or self._time_base)


def _fill(buffer: deque[Packet], packets: Iterator[Packet]) -> tuple[int, bool, bool]:
    """Reads ahead; returns (packets in the first group, whether a key frame follows it, whether the file ended)."""
    size = total = 0
    for i, packet in enumerate(buffer):
        if i and packet.is_keyframe and not size:
            size = i
        total += packet.size
    ended = False
    while not (size and len(buffer) >= size + REORDER):
        if not size and (len(buffer) >= GROUP_PACKETS + REORDER or total >= GROUP_BYTES):
            return max(1, len(buffer) - REORDER), False, False
        following = next(packets, None)
        if following is None:
            ended = True
            break
        if buffer and following.is_keyframe and not size:
            size = len(buffer)
        buffer.append(following)
        total += following.size
    return (size, True, False) if size else (len(buffer), False, ended)
