"""The model that sees colours, in a duet: it says what colour there is as soon as one that it was asked for appears.

`ColourDuet` keeps every rule that `Watch` relies on; `Playing` is a source whose ticks a test lays out by hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import numpy as np
from fakes import COLOURS, ColourModel

from kairos.errors import InputError
from kairos.model.trigger import PRESETS, Trigger
from kairos.video.tick import Notice, Tick

NARRATION = {"narrate", "video", "tell", "me", "whenever", "something", "looks"}


class DuetModel(ColourModel):
    """Knows the words of standing queries, too, and remembers how its duets were opened."""

    def __init__(self, **sizes: float) -> None:
        super().__init__(**sizes)
        self.duets: list[ColourDuet] = []

    def unknown_words(self, text: str) -> list[str]:
        return [word for word in super().unknown_words(text) if word not in NARRATION]

    def duet(self, **options: object) -> ColourDuet:
        self.duets.append(ColourDuet(self.config, **options))
        return self.duets[-1]


class ColourDuet:
    """Relevance is how much the picture is in the colour asked for, in any where none is named; so is informative, at
    the first tick of a colour."""

    def __init__(
        self,
        config: SimpleNamespace,
        *,
        trigger: Trigger | None,
        heads: str,
        keep_replies: bool,
        window: int | None,
    ) -> None:
        self.config, self.trigger, self.window = config, trigger or PRESETS["magqa"], window
        self.heads, self.keep_replies = heads, keep_replies
        self.chunks: list[int] = []
        self.ticks = 0
        self.loudest = 0.0
        self.texts: list[str] = []
        self._deciding, self._scores = [], []
        self._last: str | None = None

    def say(self, text: str) -> int:
        if len(text) > 200:
            raise InputError("the query is longer than the window", hint="say it in fewer words")
        self.texts.append(text)
        self._deciding.append(self.trigger.start())
        self._scores.append(deque(maxlen=self.window))
        return len(self.texts) - 1

    def see(self, frames: np.ndarray, audio: np.ndarray | None) -> list[SimpleNamespace]:
        size = self.config.image_size
        assert frames.dtype == np.uint8
        assert frames.shape == (len(frames), size, size, 3)
        if audio is not None:
            assert audio.shape == (len(frames) * round(self.config.audio_rate / self.config.fps),)
            self.loudest = max(self.loudest, float(np.abs(audio).max()))
        self.chunks.append(len(frames))
        return [said for frame in frames for said in self._tick(frame)]

    def _tick(self, frame: np.ndarray) -> list[SimpleNamespace]:
        self.ticks += 1
        time = self.ticks / self.config.fps
        mean = frame.reshape(-1, 3).mean(0)
        colour = next((name for name, rgb in COLOURS.items() if np.abs(mean - rgb).mean() < 30), None)
        new, self._last = colour is not None and colour != self._last, colour
        said = []
        for q, text in enumerate(self.texts):
            named = [word for word in text.split() if word in COLOURS]
            relevance = float(colour is not None and (not named or colour in named))
            informative = float(new) if relevance else 0.0
            self._scores[q].append((time, relevance, informative))
            if self._deciding[q].speaks(time, relevance, informative):
                words = f"the picture is {colour}"
                if self._deciding[q].new(time, words):
                    said.append(
                        SimpleNamespace(
                            query=q,
                            time=time,
                            text=words,
                            confidence=0.9,
                            relevance=relevance,
                            informative=informative,
                        )
                    )
        return said

    def scores(self, query: int, last: int | None = None) -> SimpleNamespace:
        values = np.array(self._scores[query], np.float64).reshape(-1, 3)
        values = values if last is None else values[-last:]
        return SimpleNamespace(times=values[:, 0], relevance=values[:, 1], informative=values[:, 2])

    def end(self, duration_s: float) -> None:
        pass


def ticks(colours: Iterable[str | None], *, size: int = 16, fps: float = 2.0, start: int = 0) -> list[Tick]:
    """One tick a colour, black for None, without sound."""
    return [
        Tick(k / fps, np.full((size, size, 3), COLOURS.get(colour or "", (0, 0, 0)), np.uint8), None)
        for k, colour in enumerate(colours, start=start)
    ]


class Playing:
    """A source that gives ticks one after the other. An entry may also be a Notice, an exception to raise, None (nothing
    came in time) or something to call."""

    def __init__(
        self,
        entries: Iterable[Tick | Notice | Exception | Callable[[], object] | None],
        *,
        paced: bool = False,
        duration: float | None = None,
    ) -> None:
        self.entries = deque(entries)
        self.events: deque[Notice] = deque()
        self.video = None
        self.paced, self.duration = paced, duration
        self.closed = 0

    @property
    def over(self) -> bool:
        return not self.entries or self.closed > 0

    def poll(self, timeout_s: float) -> Tick | None:
        while self.entries and not self.closed:
            entry = self.entries.popleft()
            if isinstance(entry, Notice):
                self.events.append(entry)
            elif isinstance(entry, Tick):
                return entry
            elif isinstance(entry, Exception):
                raise entry
            elif entry is None:
                return None
            else:
                entry()
        return None

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> Playing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
