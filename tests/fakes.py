"""A model small enough to be read: it sees colours and hears loudness. It keeps every rule that tasks rely on.

`ColourModel` finds when a colour fills the picture, from the very frames that it is shown, so that a test can tell
whether the right frames arrived at the right times. `PaintedVideo` is such a video without a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kairos.timeline import Moment

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}
WORDS = {*COLOURS, "the", "when", "is", "it", "what", "loud", "?"}


class ColourModel:
    def __init__(self, fps: float = 2.0, image_size: int = 16, audio_rate: int = 8000) -> None:
        self.config = SimpleNamespace(
            fps=fps, image_size=image_size, audio_rate=audio_rate, presence_threshold=0.5
        )
        self.name = "colours"

    def unknown_words(self, text: str) -> list[str]:
        return [word for word in text.lower().split() if word not in WORDS]

    def session(self) -> ColourSession:
        return ColourSession(self.config)


class ColourSession:
    def __init__(self, config: SimpleNamespace) -> None:
        self.config = config
        self.frames = np.zeros((0, 3))
        self.loud: list[float] = []
        self.chunks: list[int] = []
        self.said: list[str] = []
        self.length: float | None = None

    def see(self, frames: np.ndarray, audio: np.ndarray | None) -> None:
        size = self.config.image_size
        assert self.length is None, "seen after the end"
        assert frames.dtype == np.uint8
        assert frames.shape[1:] == (size, size, 3)
        if audio is None:
            self.loud += [0.0] * len(frames)
        else:
            assert audio.dtype == np.float32
            assert audio.shape == (len(frames) * round(self.config.audio_rate / self.config.fps),)
            self.loud += np.abs(audio).reshape(len(frames), -1).mean(axis=1).tolist()
        self.frames = np.concatenate([self.frames, frames.reshape(len(frames), -1, 3).mean(axis=1)])
        self.chunks.append(len(frames))

    def say(self, query: str) -> None:
        self.said.append(query)

    def rollback(self) -> None:
        self.said.pop()

    @property
    def query(self) -> str | None:
        return self.said[-1] if self.said else None

    def end(self, duration_s: float) -> None:
        self.length = duration_s

    @property
    def ticks(self) -> int:
        return len(self.frames)

    @property
    def scores(self) -> SimpleNamespace:
        times = (np.arange(self.ticks) + 1) / self.config.fps
        return SimpleNamespace(times=times, relevance=self._relevance(), informative=np.asarray(self.loud))

    @property
    def presence(self) -> float:
        return float(self._relevance().max(initial=0.0))

    def spans(self, top: int = 5) -> list[tuple[float, float, float]]:
        relevance = self._relevance()
        inside = np.concatenate([[False], relevance > 0.5, [False]])
        edges = np.flatnonzero(np.diff(inside.astype(int)))
        fps, length = self.config.fps, self.length
        assert length is not None, "spans before the end"
        spans = [
            (a / fps, min(b / fps, length), float(relevance[a:b].mean()))
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        return sorted(spans, key=lambda span: -span[2])[:top]

    def reply(self, max_words: int = 24) -> SimpleNamespace:
        abstained = self.presence < 0.5
        text = "" if abstained else " ".join(f"it is {self.query}".split()[:max_words])
        return SimpleNamespace(text=text, confidence=0.9, spans=self.spans(), abstained=abstained)

    def captions(self) -> list[tuple[float, float, str, float]]:
        told = []
        for colour in COLOURS:
            self.say(colour)
            told += [(start, end, f"the picture is {colour}", score) for start, end, score in self.spans()]
            self.rollback()
        return told

    def _relevance(self) -> np.ndarray:
        named = [COLOURS[word] for word in (self.query or "").lower().split() if word in COLOURS]
        if not named:
            return np.zeros(self.ticks)
        distance = np.abs(self.frames - np.asarray(named[0])).mean(axis=1)
        return np.clip(1.0 - distance / 60.0, 0.0, 1.0)


class PaintedVideo:
    """A video that is one colour at a time: `paint` lists (start, end, colour), black elsewhere."""

    def __init__(
        self,
        duration: float,
        paint: list[tuple[float, float, str]],
        *,
        sound: list[tuple[float, float]] | None = None,
        gaps: tuple[Moment, ...] = (),
        watermark: float | None = None,
    ) -> None:
        self.duration, self.paint, self.sound = duration, paint, sound
        self.gaps, self.watermark = gaps, duration if watermark is None else watermark
        self.path, self.name, self.size = Path("painted.mp4"), "painted.mp4", (64, 48)
        self.has_audio = sound is not None
        self.asked: list[float] = []

    def image(self, t: float, size: int | tuple[int, int]) -> np.ndarray:
        wide, high = (size, size) if isinstance(size, int) else size
        colour = next((COLOURS[name] for start, end, name in self.paint if start <= t < end), (0, 0, 0))
        return np.broadcast_to(np.asarray(colour, np.uint8), (high, wide, 3))

    def frames(self, times: list[float], size: int | tuple[int, int]) -> SimpleNamespace:
        images = np.stack([self.image(t, size) for t in times])
        return SimpleNamespace(times=np.asarray(times, np.float64), images=images)

    def sample(
        self, fps: float, *, size: int, phase: float, start: float = 0.0, end: float | None = None
    ) -> Iterator[SimpleNamespace]:
        tick = 0
        stop = min(self.duration if end is None else end, self.watermark)
        while (at := start + (tick + phase) / fps) < stop:
            self.asked.append(at)
            yield SimpleNamespace(time=at, at=at, tick=tick, image=self.image(at, size))
            tick += 1

    def audio_blocks(self, rate: int, step_s: float, start: float, end: float) -> Iterator[np.ndarray]:
        for k in range(int(np.ceil((min(end, self.duration) - start) / step_s))):
            t = start + k * step_s + np.arange(round(rate * step_s)) / rate
            loud = np.zeros(len(t), np.float32)
            for lo, hi in self.sound or ():
                loud[(t >= lo) & (t < hi)] = 0.5
            yield loud
