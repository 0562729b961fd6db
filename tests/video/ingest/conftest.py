"""Streams for tests, and both ways on which they come: served on this machine, and through a pipe."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streams import FPS, SIZE

from kairos.video import Tick, ingest, live
from kairos.video.backoff import Backoff


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules, with shorter waits before the next attempt."""
    monkeypatch.setattr(ingest, "Backoff", partial(Backoff, first_s=0.1))


@pytest.fixture(scope="session")
def stream(make_clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a transport stream that starts at 100 s, with a beep."""
    path = tmp_path_factory.mktemp("stream") / "stream.ts"
    return make_clip(
        path, range(50), gop=10, offset_s=100, sound_s=2.0, beeps=[(0.6, 1.1)], sound_codec="mp2"
    )


@pytest.fixture(scope="session")
def expected(stream: Path) -> list[Tick]:
    """The ticks of the same stream as a file."""
    return list(live(stream, fps=FPS, size=SIZE))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves connections one after the other, each as its function says; returns the address."""
    listening: list[socket.socket] = []
    over = threading.Event()

    def start(*connections: Callable[[socket.socket, threading.Event], None], name: str = "a.ts") -> str:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(20.0)
        listening.append(server)

        def attend(client: socket.socket, answer: Callable[..., None]) -> None:
            with client, suppress(OSError):  # the other side may go
                client.recv(65536)
                answer(client, over)

        def run() -> None:
            for answer in connections:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=attend, args=(client, answer), daemon=True).start()
            server.close()  # whoever comes now is refused

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/{name}"

    yield start
    over.set()
    for server in listening:
        server.close()


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The writing end of what is standard input here."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as sink:
        with os.fdopen(reading, "rb") as source:
            monkeypatch.setattr(sys, "stdin", source)
            yield sink
