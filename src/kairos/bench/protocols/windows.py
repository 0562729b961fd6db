"""Windows as every benchmark's files have them: lists of [start, end] or [start, end, score], in seconds."""

from __future__ import annotations

from math import isfinite
from typing import Any

from kairos.bench.annotations.gathering import Place
from kairos.bench.protocols.source import Source

__all__ = ["Windows", "length", "listed", "numbers", "windows"]

Windows = list[list[float]]


def windows(source: Source, place: Place, value: Any, video_s: float | None, *, what: str) -> Windows | None:
    """The windows that `value` lists, each as [start, end, score]; None where one breaks a rule, which is then noted.

    Without scores the order is the ranking. A window that is reversed, or lies wholly outside of the video (`video_s` seconds
    long, if known), is a problem; one that only ends a little after it is kept as it is.
    """
    if type(value) is not list:
        source.problem(place, f"{what} must be a list of windows, not {value!r:.60}")
        return None
    result = []
    for k, window in enumerate(value):
        reason = _wrong(window, video_s)
        if reason:
            source.problem(place, f"{what}[{k}] {reason}")
            return None
        score = float(window[2]) if len(window) == 3 else float(-k)
        result.append([float(window[0]), float(window[1]), score])
    return result


def _wrong(window: Any, video_s: float | None) -> str | None:
    if type(window) is not list or not 2 <= len(window) <= 3:
        return f"must be [start, end] or [start, end, score], not {window!r:.60}"
    for number in window:
        if type(number) not in (int, float):
            return f"must hold numbers, not {number!r:.40}"
        if not isfinite(number):
            return f"must hold finite numbers, not {number!r}"
    start, end = window[:2]
    if end < start:
        return f"is reversed: [{start:g}, {end:g}]"
    if end < 0 or (video_s is not None and start > video_s):
        of = "" if video_s is None else f" of {video_s:g} s"
        return f"lies outside of the video{of}: [{start:g}, {end:g}]"
    return None


def numbers(source: Source, place: Place, value: Any, *, what: str) -> list[float] | None:
    """A list of finite numbers; None where it is none, which is then noted."""
    if type(value) is not list or not all(type(x) is float or type(x) is int for x in value):
        source.problem(place, f"{what} must be a list of numbers")
    elif not all(map(isfinite, value)):
        source.problem(place, f"{what} must hold finite numbers")
    else:
        return value
    return None


def length(source: Source, place: Place, value: Any) -> float | None:
    """A video's length in seconds, above 0; None where it is none, which is then noted."""
    return source.found.length(place, value)


def listed(source: Source, place: str, entry: Any, name: str) -> list[Any]:
    """The list that an object holds under a name; none where it does not, which is then noted."""
    found = entry.get(name) if isinstance(entry, dict) else None
    if isinstance(found, list):
        return found
    source.problem(place, f"must be an object with {name}, a list")
    return []
