"""What tests of live streams share: how one is read to its end, and what its ticks must keep."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kairos.video import Notice, Tick, live

FPS, SIZE = 5.0, (128, 96)


def sending(data: bytes, claimed: int | None = None, then_silence: bool = False) -> Callable[..., None]:
    """A connection that sends data as an HTTP answer, and says nothing more or hangs up."""

    def answer(client: socket.socket, over: threading.Event) -> None:
        length = len(data) if claimed is None else claimed
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % length)
        client.sendall(data)
        if then_silence:
            over.wait(20.0)

    return answer


def silent(client: socket.socket, over: threading.Event) -> None:
    """A connection that never answers."""
    over.wait(20.0)


def follow(address: str, **options: Any) -> tuple[list[Tick], list[Notice]]:
    """All ticks of an address, and what was told meanwhile."""
    source = live(address, **{"fps": FPS, "size": SIZE, "network": True, "backlog_s": 60, **options})
    with source:
        ticks = list(source)
    assert not threads()
    return ticks, list(source.events)


def threads() -> list[threading.Thread]:
    """The threads of streams that are still open."""
    return [thread for thread in threading.enumerate() if thread.name == "kairos-ingest"]


def kinds(notices: list[Notice]) -> list[str]:
    return [notice.kind for notice in notices]


def on_the_grid(ticks: list[Tick]) -> None:
    """Times are exact, never go back, and every tick that is missing was counted."""
    at = [round(tick.time * FPS) for tick in ticks]
    assert [tick.time for tick in ticks] == [k / FPS for k in at]
    assert [tick.dropped for tick in ticks] == [b - a - 1 for a, b in zip([-1, *at], at, strict=False)]


def pour(sink: Any, *parts: bytes, close: bool = True) -> None:
    """Writes parts to a pipe from a thread of its own."""

    def run() -> None:
        with suppress(OSError):  # the other side may go
            for part in parts:
                sink.write(part)
            if close:
                sink.close()

    threading.Thread(target=run, daemon=True).start()
