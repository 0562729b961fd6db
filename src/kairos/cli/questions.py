"""Questions that are typed, or piped in, while something plays: one a line."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable

__all__ = ["asks", "listen"]

READ_BYTES = 4096


def asks(source: str) -> bool:
    """Whether questions may come on stdin: it is a terminal in the foreground or a pipe, and not the source itself.

    A file is not read: in `while read line; do kairos watch ...; done < list` it belongs to the loop.
    """
    if source == "-" or sys.stdin is None:
        return False
    try:
        number = sys.stdin.fileno()
        if os.isatty(number):
            return _in_foreground(number)
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _in_foreground(terminal: int) -> bool:
    """Whether reading from the terminal would not stop the process, as it does a job in the background."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except (AttributeError, OSError):  # no job control here
        return True


def listen(ask: Callable[[str], None]) -> None:
    """Calls `ask` with each line of stdin, in a thread that ends with stdin or with the process."""
    # Read past sys.stdin: a thread that waits inside of its buffer would hold the buffer's lock when the process ends.
    threading.Thread(target=_read, args=(sys.stdin.fileno(), ask), name="questions", daemon=True).start()


def _read(number: int, ask: Callable[[str], None]) -> None:
    rest = b""
    while True:
        try:
            read = os.read(number, READ_BYTES)
        except OSError:
            return
        *lines, rest = (rest + read).split(b"\n")
        if not read and rest:
            lines, rest = [rest], b""
        for line in lines:
            ask(line.decode("utf-8", "replace"))
        if not read:
            return
