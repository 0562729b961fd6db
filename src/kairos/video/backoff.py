"""How long to wait before the next attempt: half a second, doubling."""

from __future__ import annotations

__all__ = ["FIRST_S", "LONGEST_S", "Backoff"]

FIRST_S = 0.5
LONGEST_S = 30.0


class Backoff:
    """Delays of 0.5, 1, 2, ... 30, 30 seconds, at most `retries` of them in a row."""

    def __init__(self, retries: int, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self.retries = retries
        self.attempts = 0
        self._first_s, self._longest_s = first_s, longest_s

    def delay(self) -> float | None:
        """Returns the seconds to wait before the next attempt; None where there is no attempt left."""
        if self.attempts >= self.retries:
            return None
        self.attempts += 1
        return min(self._longest_s, self._first_s * 2.0 ** min(self.attempts - 1, 64))

    def reset(self) -> None:
        """Starts again from the first delay: the source is well."""
        self.attempts = 0
