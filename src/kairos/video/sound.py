"""One pass over the sound stream: mono samples on a fixed grid, placed by their timestamps.

Unusual: sound is never assumed to be contiguous. Each decoded piece is put where its timestamp says; holes, a late
start and damage become silence of the right length, and a drift is corrected as soon as it exceeds JITTER_S.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kairos.video.damage import Damage
from kairos.video.source import Source, open_container

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

__all__ = ["Stretches", "blocks", "mono", "pieces"]

Samples = NDArray[np.float32]

PREROLL_S = 0.5  # AAC needs a frame before the first good one, Opus 80 ms, MP3 its bit reservoir
JITTER_S = 0.03  # timestamps in whole milliseconds, and the rounding of encoders, stay below this
CHUNK_S = 0.5  # decoded sound is resampled in pieces of this length
MAX_ERRORS = 200


def pieces(source: Source, damage: Damage, start: float, count: int, rate: int) -> Iterator[Samples]:
    """Yields float32 arrays that together hold `count` mono samples at `rate` Hz from `start` seconds on."""
    done = 0
    if source.sound is not None and count > 0:
        for begin, samples in _resampled(source, damage, start, start + count / rate, rate):
            first = round((begin - start) * rate)
            samples = samples[max(0, done - first) : max(0, count - first)]
            first = max(first, done)
            if len(samples):
                yield from _silence(first - done, rate)
                yield np.clip(samples, -1.0, 1.0)
                done = first + len(samples)
            if done >= count:
                break
    yield from _silence(count - done, rate)


def blocks(parts: Iterator[Samples], rate: int, step_s: float, count: int) -> Iterator[Samples]:
    """Cuts a stream into `count` blocks of round(step_s * rate) samples; block k starts at sample round(k * step_s * rate)."""
    size = round(step_s * rate)
    held = np.zeros(0, np.float32)
    offset = 0  # the stream's index of held[0]
    for k in range(count):
        first = round(k * step_s * rate)
        gathered = [held[max(0, first - offset) :]]
        have = len(gathered[0])
        offset = max(offset, first)
        while have < size:
            part = next(parts, None)
            if part is None:
                part = np.zeros(size - have, np.float32)
            gathered.append(part)
            have += len(part)
        held = np.concatenate(gathered)
        yield held[:size].copy()


def mono(frame: AudioFrame) -> Samples:
    """Returns the mean of a frame's channels as float32 (n,), full scale 1."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, len(frame.layout.channels)).T
    mixed = raw.mean(axis=0, dtype=np.float64)
    if raw.dtype.kind == "u":
        mixed = (mixed - 128.0) / 128.0
    elif raw.dtype.kind == "i":
        mixed /= 2.0 ** (8 * raw.dtype.itemsize - 1)
    return np.nan_to_num(mixed).astype(np.float32)


def _silence(count: int, rate: int) -> Iterator[Samples]:
    while count > 0:
        yield np.zeros(min(count, rate), np.float32)
        count -= rate


def _resampled(
    source: Source, damage: Damage, start: float, end: float, rate: int
) -> Iterator[tuple[float, Samples]]:
    """Yields (time of the first sample, samples at `rate`) of each contiguous stretch of sound, piece by piece."""
    stretches = Stretches(rate, start)
    with closing(_decoded(source, damage, start)) as decoded:
        for time, samples, own_rate in decoded:
            if time >= end:
                break
            yield from stretches.add(time, samples, own_rate)
    yield from stretches.flush()


class Stretches:
    """Resamples decoded pieces to `rate` Hz on the grid that starts at `start` seconds, one contiguous stretch after another.

    `chunk_s` is how much is resampled at once, in seconds: more is faster, less is sooner.
    """

    def __init__(self, rate: int, start: float = 0.0, chunk_s: float = CHUNK_S) -> None:
        self._rate, self._start, self._chunk_s = rate, start, chunk_s
        self._run: _Run | None = None

    def add(self, time: float, samples: Samples, own_rate: int) -> Iterator[tuple[float, Samples]]:
        """Takes samples at `own_rate` that start at `time`; yields (time of the first sample, samples at the rate)."""
        run = self._run
        if run is not None and (own_rate != run.own_rate or abs(time - run.next_time) > JITTER_S):
            yield from self.flush()
        if self._run is None:
            skip = _on_grid((time - self._start) * own_rate, own_rate / self._rate)
            samples, time = samples[skip:], time + skip / own_rate
            self._run = _Run(time, own_rate, self._rate, self._chunk_s)
        yield from self._run.add(samples)

    def flush(self) -> Iterator[tuple[float, Samples]]:
        """Ends the stretch; yields what the resampler still holds."""
        run, self._run = self._run, None
        if run is not None:
            yield from run.flush()


def _on_grid(offset: float, step: float) -> int:
    """How many samples to leave out so that the next falls nearest to the grid: a part then equals the same part of the whole."""
    few = range(math.ceil(step))
    return min(few, key=lambda skip: abs((offset + skip) / step - round((offset + skip) / step)), default=0)


class _Run:
    """A stretch of sound without a hole: one resampler, one origin of time."""

    def __init__(self, time: float, own_rate: int, rate: int, chunk_s: float) -> None:
        from av import AudioResampler

        self.own_rate = own_rate
        self._chunk_s = chunk_s
        self._origin = time
        self._rate = rate
        self._in = self._out = 0
        self._held: list[Samples] = []
        self._held_count = 0
        self._resampler: AudioResampler | None = (
            None if own_rate == rate else AudioResampler(format="flt", layout="mono", rate=rate)
        )

    @property
    def next_time(self) -> float:
        return self._origin + self._in / self.own_rate

    def add(self, samples: Samples) -> Iterator[tuple[float, Samples]]:
        self._in += len(samples)
        self._held.append(samples)
        self._held_count += len(samples)
        if self._held_count >= self._chunk_s * self.own_rate:
            yield from self._convert(last=False)

    def flush(self) -> Iterator[tuple[float, Samples]]:
        yield from self._convert(last=True)

    def _convert(self, last: bool) -> Iterator[tuple[float, Samples]]:
        samples = np.concatenate(self._held) if self._held else np.zeros(0, np.float32)
        self._held, self._held_count = [], 0
        if self._resampler is not None:
            samples = self._resample(self._resampler, samples, last)
        if len(samples):
            time = self._origin + self._out / self._rate
            self._out += len(samples)
            yield time, samples

    def _resample(self, resampler: AudioResampler, samples: Samples, last: bool) -> Samples:
        from av import AudioFrame

        out: list[Any] = []
        if len(samples):
            frame = AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
            frame.sample_rate = self.own_rate
            out += resampler.resample(frame)
        if last and self._in:
            out += resampler.resample(None)
        parts = [part.to_ndarray()[0] for part in out if part is not None]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _decoded(
    source: Source, damage: Damage, start: float
) -> Generator[tuple[float, Samples, int], None, None]:
    """Yields (time, samples, rate) in order, the first at or before `start` (verified seek) where there is such."""
    import av

    assert source.sound is not None
    container = open_container(source.path)
    try:
        stream: Any = container.streams[source.sound]
        back = PREROLL_S
        while start - back > 0.0:
            try:
                container.seek(source.pts(start - back, stream.time_base), backward=True, stream=stream)
            except av.FFmpegError:
                break
            found = _forward(container, stream, source, damage)
            first = next(found, None)
            if first is not None and first[0] <= start - back / 2:
                yield first
                yield from found
                return
            back *= 2
            with suppress(Exception):
                stream.codec_context.flush_buffers()
        container.close()
        container = open_container(source.path)
        yield from _forward(container, container.streams[source.sound], source, damage)
    finally:
        container.close()


def _forward(
    container: Any, stream: Any, source: Source, damage: Damage
) -> Iterator[tuple[float, Samples, int]]:
    import av

    errors, following = 0, 0.0
    while errors < MAX_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                try:
                    frames = packet.decode()
                except (av.FFmpegError, ValueError):
                    if packet.pts is not None and packet.duration:
                        lost = source.seconds(packet.pts, stream.time_base)
                        length = float(packet.duration * stream.time_base)
                        damage.add(max(lost, 0.0), lost + length, "sound")
                    continue
                for frame in frames:
                    if not frame.samples or not frame.sample_rate:
                        continue
                    time = following
                    if frame.pts is not None:
                        time = source.seconds(frame.pts, frame.time_base or stream.time_base)
                    following = time + frame.samples / frame.sample_rate
                    yield time, mono(frame), frame.sample_rate
            return
        except (EOFError, av.error.EOFError):
            return
        except av.FFmpegError:
            errors += 1
