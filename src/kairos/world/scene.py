"""Scenes: objects, events and sounds on one clock, and their state at any time.

A scene is exact and continuous in time: whoever renders it chooses the rate. Nothing here knows pixels or words.
Lengths are fractions of the frame's side (x to the right, y down), times are seconds, spans are half-open.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kairos.world.lexicon import COLOUR_NAMES, COLOURS, CUP, EVENTS, SHAPES, SIZES


@dataclass(frozen=True)
class Thing:
    """An object: its looks when first seen, and where it starts."""

    colour: str
    shape: str
    size: str
    x: float
    y: float
    angle: float = 0.0
    sized: bool = False  # only its size tells it from another object of the same colour and shape

    @property
    def look(self) -> tuple[str, str]:
        return self.colour, self.shape

    @property
    def radius(self) -> float:
        return SIZES[self.size]


@dataclass(frozen=True)
class Event:
    """Something that `thing` does during [start, end); `other` is its partner, `sound` what is heard exactly then."""

    kind: str
    thing: int
    start: float
    end: float
    dx: float = 0.0
    dy: float = 0.0
    amount: float = 0.0  # grow, shrink: factor; spin: radians a second; blink: half period in seconds
    colour: str = ""  # the colour turned to
    other: int = -1
    sound: str = ""

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.end


@dataclass(frozen=True)
class Sound:
    """A sound heard during [start, end)."""

    kind: str
    start: float
    end: float

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.end


@dataclass(frozen=True)
class Scene:
    """One clip: everything that is seen and heard in it."""

    seed: int
    split: str
    duration: float
    things: tuple[Thing, ...]
    events: tuple[Event, ...]
    sounds: tuple[Sound, ...]

    def of(self, thing: int, kind: str | None = None) -> list[Event]:
        """Events of one object in order of time, of one kind if given; both partners of a collision count."""
        return [
            e
            for e in self.events
            if (e.thing == thing or (e.kind == "collide" and e.other == thing))
            and (kind is None or e.kind == kind)
        ]


@dataclass
class States:
    """The state of every sprite at T times: arrays (N, T); the cups, one a hiding, come after the things."""

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    rgb: np.ndarray = field(repr=False)  # (N, T, 3) in [0, 1]
    alpha: np.ndarray = field(repr=False)
    shape: np.ndarray = field(repr=False)  # (N,) index into SHAPES, or CUP
    colour: np.ndarray = field(
        repr=False
    )  # (N, T) index into COLOURS of what is shown; -1 in between and for cups
    event: np.ndarray = field(repr=False)  # (N, T) index into EVENTS of what the sprite does, -1 for nothing


def states_at(scene: Scene, times: np.ndarray) -> States:
    """Every sprite's state at the times (T,), seconds."""
    t = np.asarray(times, np.float64)
    n, hides = len(scene.things), [e for e in scene.events if e.kind == "hide"]
    total = n + len(hides)

    def zeros() -> np.ndarray:
        return np.zeros((total, len(t)))

    s = States(
        x=zeros(),
        y=zeros(),
        radius=zeros(),
        angle=zeros(),
        rgb=np.zeros((total, len(t), 3)),
        alpha=np.ones((total, len(t))),
        shape=np.array([SHAPES.index(thing.shape) for thing in scene.things] + [CUP] * len(hides)),
        colour=np.full((total, len(t)), -1),
        event=np.full((total, len(t)), -1),
    )
    for i, thing in enumerate(scene.things):
        s.x[i], s.y[i], s.radius[i], s.angle[i] = thing.x, thing.y, thing.radius, thing.angle
        s.rgb[i] = np.asarray(COLOURS[thing.colour]) / 255.0
        s.colour[i] = COLOUR_NAMES.index(thing.colour)
    for e in scene.events:
        i, j = e.thing, e.other
        on = (t >= e.start) & (t < e.end)
        p = np.clip((t - e.start) / (e.end - e.start), 0.0, 1.0)
        s.event[i][on] = EVENTS.index(e.kind)
        if e.kind == "collide":
            reach = np.where(p < 0.5, 2 * p, 1 - 1.3 * (p - 0.5))  # there, and back to 0.35
            s.x[i] += e.dx * reach
            s.y[i] += e.dy * reach
            push = 0.3 * np.clip(2 * p - 1, 0, 1)
            s.x[j] += e.dx * push
            s.y[j] += e.dy * push
            s.event[j][on] = EVENTS.index(e.kind)
        elif e.dx or e.dy:
            s.x[i] += e.dx * p
            s.y[i] += e.dy * p
            if e.kind == "follow":
                s.x[j] += e.dx * p
                s.y[j] += e.dy * p
                # the one that is followed just moves, which nobody asks about: its label says so
                along = ("left", "right") if abs(e.dx) > abs(e.dy) else ("up", "down")
                s.event[j][on] = EVENTS.index(along[int((e.dx + e.dy) > 0)])
        elif e.kind in ("grow", "shrink"):
            s.radius[i] *= 1 + (e.amount - 1) * p
        elif e.kind == "spin":
            s.angle[i] += e.amount * np.clip(t - e.start, 0, e.end - e.start)
        elif e.kind == "blink":
            off = on & (((t - e.start) // e.amount).astype(int) % 2 == 0)
            s.alpha[i][off] = 0.0
        elif e.kind == "colour":
            mix = np.clip(np.minimum(t - e.start, e.end - t) / 0.2, 0, 1)[:, None]
            s.colour[i][(mix[:, 0] > 0.1)] = -1
            s.colour[i][(mix[:, 0] > 0.9)] = COLOUR_NAMES.index(e.colour)
            s.rgb[i] = s.rgb[i] * (1 - mix) + mix * np.asarray(COLOURS[e.colour]) / 255.0
    cup = n
    for e in hides:  # the cups are placed last, when every position is known
        i = e.thing
        covered = np.clip(np.minimum(t - e.start, e.end - t) / 0.35, 0, 1)
        s.radius[cup] = 1.3 * s.radius[i]
        s.x[cup] = s.x[i]
        s.y[cup] = s.y[i] - (1 - covered) * (s.y[i] + 2 * s.radius[cup])  # comes from above the frame
        on = (t >= e.start) & (t < e.end)
        s.alpha[cup] = on
        s.rgb[cup] = (0.62, 0.56, 0.5)
        s.event[cup][on] = EVENTS.index("hide")
        cup += 1
    return s
