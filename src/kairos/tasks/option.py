"""What a task may be told beside its query, with the limits stated once.

A wrong value is refused in the same words wherever it came from: Python, command line, HTTP or an agent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kairos.errors import OptionError

__all__ = ["HEAD", "TOP", "WATCHING", "Option"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a task: a number with limits, a word of `choices`, a flag, or a box; `default` None: it may be left out.

    `type` is float, int, str, bool, or tuple for a box, x1, y1, x2, y2 in source pixels; `above` is an open lower limit,
    `least` and `most` are closed ones, in the option's unit.
    """

    name: str
    help: str
    type: type[float] | type[int] | type[str] | type[bool] | type[tuple] = float
    default: float | int | str | bool | None = None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Returns the value in the option's type; raises OptionError that names the option and its range."""
        if value is None:
            return self.default
        if self.type in (str, bool):
            if not isinstance(value, self.type) or (self.choices and value not in self.choices):
                raise self.error(value)
            return value
        if self.type is tuple:
            return self._box(value)
        number = self._number(value)
        low = (self.above is not None and not number > self.above) or (
            self.least is not None and number < self.least
        )
        if low or (self.most is not None and number > self.most):
            raise self.error(value)
        return number

    @property
    def flag(self) -> str:
        """The name on a command line: `max-words`."""
        return self.name.replace("_", "-")

    def error(self, value: Any) -> OptionError:
        """What to raise where `value` is outside of the range."""
        shown = f"{value:g}" if isinstance(value, float) else value
        if self.type is tuple and isinstance(value, tuple | list):
            shown = ",".join(f"{side:g}" if isinstance(side, int | float) else str(side) for side in value)
        wrong = {float: "is out of range", int: "is out of range", tuple: "is no box"}.get(
            self.type, "is not known"
        )
        return OptionError(
            f"--{self.flag} {shown} {wrong}", option=self.name, value=value, hint=f"give {self.range}"
        )

    @property
    def range(self) -> str:
        """The values that it takes, in words: `a number above 0`."""
        if self.type is bool:
            return "true or false"
        if self.type is str:
            return " or ".join(self.choices) or "words"
        if self.type is tuple:
            return "x1,y1,x2,y2 in pixels, x2 above x1 and y2 above y1"
        words = "a whole number" if self.type is int else "a number"
        if self.above is not None:
            words += f" above {self.above:g}"
        if self.least is not None:
            words += f" of {self.least:g} or more" if self.most is None else f" from {self.least:g}"
        if self.most is not None:
            words += f" to {self.most:g}" if self.least is not None else f", at most {self.most:g}"
        return words

    def schema(self) -> dict[str, Any]:
        """The option as a JSON schema."""
        if self.type is tuple:
            sides = {"items": {"type": "number"}, "minItems": 4, "maxItems": 4}
            return {"type": "array", "description": f"{self.help}: {self.range}", **sides}
        schema: dict[str, Any] = {
            "type": {int: "integer", float: "number", str: "string", bool: "boolean"}[self.type],
            "description": self.help,
            "enum": list(self.choices) or None,
            "default": self.default,
            "exclusiveMinimum": self.above,
            "minimum": self.least,
            "maximum": self.most,
        }
        return {key: value for key, value in schema.items() if value is not None}

    def _box(self, value: Any) -> tuple[float, ...]:
        """Four finite numbers with an area, from a sequence or from words: `10,20,30,40`."""
        sides = value.replace(",", " ").split() if isinstance(value, str) else value
        try:
            box = tuple(float(side) for side in sides)
        except (TypeError, ValueError):
            raise self.error(value) from None
        if len(box) != 4 or not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
            raise self.error(value)
        return box

    def _number(self, value: Any) -> float | int:
        if isinstance(value, bool):
            raise self.error(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self.error(value) from None
        if not math.isfinite(number) or (self.type is int and number != int(number)):
            raise self.error(value)
        return int(number) if self.type is int else number


WATCHING = (
    Option(name="start", help="where to begin watching, seconds", least=0.0),
    Option(name="end", help="where to stop watching, seconds", above=0.0),
    Option(
        name="fps",
        help="frames looked at in a second of video; at most the model's own rate, which is the default",
        above=0.0,
    ),
)
"""The options that every task shares."""

TOP = Option(name="top", help="how many moments at most", type=int, default=5, least=1, most=100)

HEAD = Option(
    name="head",
    help="what finds the moments: the query track, or the temporal head behind its task token",
    type=str,
    default="track",
    choices=("track", "temporal"),
)
