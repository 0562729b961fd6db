"""Which options a reader accepts: the limits stated once, for Python and the command line alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kairos.errors import OptionError
from kairos.video.video import Size

__all__ = [
    "MAX_FPS",
    "MAX_RATE_HZ",
    "MAX_SIDE_PX",
    "Requests",
    "check_fps",
    "check_number",
    "check_rate",
    "check_size",
    "check_span",
    "check_times",
]

MAX_FPS = 1000.0
MAX_SIDE_PX = 16384
MIN_RATE_HZ, MAX_RATE_HZ = 100, 768_000
MAX_FRAMES = 10_000_000


@dataclass(frozen=True)
class Requests:
    """The times to sample: `start` + (k + `phase`) / `fps` for k < `count`, in seconds."""

    start: float
    fps: float
    phase: float
    count: int

    @classmethod
    def uniform(
        cls, fps: float | None, max_frames: int | None, phase: float, start: float, end: float
    ) -> Requests:
        """Returns the requests inside [start, end); `max_frames` thins them out evenly where there would be more."""
        phase = check_number(phase, "phase")
        if not 0.0 <= phase < 1.0:
            raise OptionError(f"phase must be in [0, 1), not {phase:g}", option="phase", value=phase)
        if max_frames is not None:
            if isinstance(max_frames, bool) or not isinstance(max_frames, int | np.integer) or max_frames < 1:
                raise OptionError(
                    f"max_frames must be a whole number from 1 on, not {max_frames!r}",
                    option="max_frames",
                    value=max_frames,
                )
            max_frames = int(max_frames)
        length = end - start
        if fps is None:
            assert max_frames is not None
            fps = max_frames / length
            return cls(start, fps, phase, max_frames)
        fps = check_fps(fps)
        # The smallest k that is not inside any more; the tolerance keeps 20.0 s * 2 fps at 40 in spite of rounding.
        count = max(0, math.ceil(length * fps - phase - 1e-9))
        if max_frames is not None and count > max_frames:
            fps, count = max_frames / length, max_frames
        if count > MAX_FRAMES:
            raise OptionError(
                f"fps {fps:g} asks for {count} frames",
                option="fps",
                value=fps,
                hint="lower fps or set max_frames",
            )
        return cls(start, fps, phase, count)

    @property
    def times(self) -> NDArray[np.float64]:
        """The requested times (count,) in seconds."""
        return self.start + (np.arange(self.count, dtype=np.float64) + self.phase) / self.fps


def check_number(value: object, option: str) -> float:
    """Returns a finite float."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise OptionError(f"{option} must be a number, not {value!r}", option=option, value=value)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise OptionError(f"{option} must be finite, not {result}", option=option, value=value)
    return result


def check_fps(value: object, option: str = "fps") -> float:
    """Returns a rate of frames per second."""
    fps = check_number(value, option)
    if not 0.0 < fps <= MAX_FPS:
        raise OptionError(
            f"{option} must be above 0 and at most {MAX_FPS:g}, not {fps:g}", option=option, value=value
        )
    return fps


def check_span(start: object, end: object, duration: float, inside: bool = True) -> tuple[float, float]:
    """Returns (start, end) in seconds with 0 <= start <= end; `end` None means the duration.

    With `inside`, start must lie before the end of the video, and end is clamped to it.
    """
    start_s = check_number(start, "start")
    end_s = duration if end is None else check_number(end, "end")
    if start_s < 0:
        raise OptionError(f"start must not be negative: {start_s:g} s", option="start", value=start)
    if inside and start_s >= duration:
        raise OptionError(
            f"start {start_s:g} s lies after the end of the video ({duration:g} s)",
            option="start",
            value=start,
        )
    if end_s < start_s:
        if end is None:
            return start_s, start_s
        raise OptionError(f"end {end_s:g} s lies before start {start_s:g} s", option="end", value=end)
    return start_s, min(end_s, duration) if inside else end_s


def check_size(size: Size) -> tuple[int, int] | None:
    """Returns (width, height) in pixels, or None."""
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int | np.integer) else size
    if (
        not isinstance(sides, tuple | list)
        or len(sides) != 2
        or any(isinstance(side, bool) or not isinstance(side, int | np.integer) for side in sides)
        or not all(1 <= side <= MAX_SIDE_PX for side in sides)
    ):
        raise OptionError(
            f"size must be a side or (width, height) of 1 to {MAX_SIDE_PX} pixels, not {size!r}",
            option="size",
            value=size,
        )
    return int(sides[0]), int(sides[1])


def check_rate(rate: object) -> int:
    """Returns a sampling rate in Hz."""
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer):
        raise OptionError(f"rate must be a whole number of Hz, not {rate!r}", option="rate", value=rate)
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise OptionError(
            f"rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, not {rate}", option="rate", value=rate
        )
    return int(rate)


def check_times(times: ArrayLike) -> NDArray[np.float64]:
    """Returns times (n,) in seconds, finite and not negative."""
    try:
        result = np.array(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"times must be numbers, not {times!r}", option="times", value=times) from error
    result = result.reshape(1) if result.ndim == 0 else result
    if result.ndim != 1 or not np.isfinite(result).all() or (result < 0).any():
        raise OptionError(
            "times must be a list of finite seconds, none negative", option="times", value=times
        )
    return result
