"""What the world is made of, and the words for it.

Objects are colour x shape x size; events have a start and an end; sounds are bound to some events and free elsewhere.
A few colour x shape and event x sound pairs are held out: the training split neither shows nor says them, so that the
`composition` split measures whether parts are understood or memorised.
"""

from __future__ import annotations

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 38, 38),
    "green": (36, 168, 60),
    "blue": (44, 76, 232),
    "yellow": (238, 220, 44),
    "purple": (152, 52, 196),
    "orange": (244, 136, 24),
    "cyan": (56, 208, 220),
    "white": (246, 246, 246),
}
SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "ring", "cross")
SIZES: dict[str, float] = {"small": 0.082, "large": 0.128}  # radius as a fraction of the frame's side
SOUNDS: tuple[str, ...] = ("beep", "chime", "knock", "buzz")
EVENTS: tuple[str, ...] = (
    "enter",
    "leave",
    "left",
    "right",
    "up",
    "down",
    "grow",
    "shrink",
    "colour",
    "blink",
    "spin",
    "hide",
    "collide",
    "follow",
)
NUMBERS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six")
ORDINALS: tuple[str, ...] = ("first", "second", "third")

COLOUR_NAMES: tuple[str, ...] = tuple(COLOURS)
CUP = len(SHAPES)  # the shape index of the cup, a prop that is never a subject

# One shape a colour; every shape is held out once or twice, so every colour and every shape is trained on.
HELD_OUT_LOOKS: frozenset[tuple[str, str]] = frozenset(
    {
        ("red", "star"),
        ("green", "circle"),
        ("blue", "triangle"),
        ("yellow", "ring"),
        ("purple", "square"),
        ("orange", "cross"),
        ("cyan", "star"),
        ("white", "triangle"),
    }
)
HELD_OUT_BONDS: frozenset[tuple[str, str]] = frozenset(
    {
        ("enter", "buzz"),
        ("leave", "beep"),
        ("left", "chime"),
        ("right", "knock"),
        ("up", "buzz"),
        ("down", "beep"),
        ("grow", "knock"),
        ("shrink", "chime"),
        ("colour", "beep"),
        ("blink", "buzz"),
        ("spin", "knock"),
        ("hide", "chime"),
        ("collide", "beep"),
        ("follow", "buzz"),
    }
)

# Each event's verb phrases as (third person, base form); the first is the one that answers and captions use.
PHRASES: dict[str, tuple[tuple[str, str], ...]] = {
    "enter": (("enters", "enter"), ("comes in", "come in")),
    "leave": (("leaves", "leave"), ("goes out", "go out")),
    "left": (
        ("moves left", "move left"),
        ("goes left", "go left"),
        ("slides to the left", "slide to the left"),
    ),
    "right": (
        ("moves right", "move right"),
        ("goes right", "go right"),
        ("slides to the right", "slide to the right"),
    ),
    "up": (("moves up", "move up"), ("goes up", "go up"), ("rises", "rise")),
    "down": (("moves down", "move down"), ("goes down", "go down"), ("sinks", "sink")),
    "grow": (("grows", "grow"), ("gets bigger", "get bigger")),
    "shrink": (("shrinks", "shrink"), ("gets smaller", "get smaller")),
    "colour": (("changes colour", "change colour"),),
    "blink": (("blinks", "blink"), ("flashes", "flash")),
    "spin": (("spins", "spin"), ("rotates", "rotate")),
    "hide": (("hides under a cup", "hide under a cup"), ("disappears under a cup", "disappear under a cup")),
    "collide": (("collides", "collide"),),
    "follow": (("follows", "follow"),),
}
