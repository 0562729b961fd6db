"""A line at the foot of the terminal: how much was watched and how fast. What is printed passes above it.

A user may type on the same line, behind the prompt: the status is drawn beside the cursor, never over what is typed.
"""

from __future__ import annotations

import sys
import threading
import time

__all__ = ["Status"]

WIDTH = 46
EVERY_S = 0.2
SAVE, RESTORE, CLEAR = "\x1b7", "\x1b8", "\r\x1b[2K"


class Status:
    """Draws on stderr where that is a terminal; elsewhere, and when quiet, does nothing. For several threads."""

    def __init__(self, *, asks: bool, quiet: bool) -> None:
        self._on = not quiet and sys.stderr.isatty()
        self._prompt = "> " if asks else ""
        self._words = ""
        self._fresh = True  # the line is empty, the cursor at its beginning
        self._drawn = 0.0
        self._lock = threading.Lock()

    def show(self, words: str) -> None:
        """Draws the words, a few times a second at most."""
        now = time.monotonic()
        if not self._on or now - self._drawn < EVERY_S:
            return
        self._drawn = now
        with self._lock:
            self._words = words[:WIDTH].ljust(WIDTH)
            if self._fresh:
                self._write(f"\r{self._words}{self._prompt}")
            else:
                self._write(f"{SAVE}\r{self._words}{RESTORE}")
            self._fresh = False

    def clear(self) -> None:
        """Makes room: what is printed next stands where the status was."""
        if self._on:
            with self._lock:
                self._write(CLEAR)
                self._fresh, self._drawn = True, 0.0

    def entered(self) -> None:
        """The user pressed Enter: the terminal is on a new line."""
        with self._lock:
            self._fresh, self._drawn = True, 0.0

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
