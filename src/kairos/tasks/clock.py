"""Seconds as a person reads them."""

from __future__ import annotations

__all__ = ["clock"]


def clock(seconds: float) -> str:
    """Seconds as `3.1 s` below a minute, `1:03.1` and `1:02:03.1` above."""
    tenths = round(seconds * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
