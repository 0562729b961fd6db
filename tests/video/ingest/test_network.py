"""Streams from servers: exact where all is well, told in one line where it is not, opened again, never endless."""

from __future__ import annotations

import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import FPS, SIZE, follow, kinds, on_the_grid, sending, silent, threads

from kairos.errors import VideoError
from kairos.video import Tick, ingest, live


def test_a_whole_stream_equals_the_file(
    serve: Any, stream: Path, expected: list[Tick], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SLACK_S", 5.0)  # even where this machine is busy
    began = time.monotonic()
    ticks, notices = follow(serve(sending(stream.read_bytes())))
    assert time.monotonic() - began > 1.2  # not faster than it plays
    assert len(ticks) == len(expected) == 10
    on_the_grid(ticks)
    for ours, truth in zip(ticks, expected, strict=True):
        np.testing.assert_array_equal(ours.image, truth.image)
        np.testing.assert_allclose(ours.audio, truth.audio, atol=1e-4)
    assert kinds(notices) == ["end"]


def test_a_stream_that_breaks_off_is_opened_again(serve: Any, stream: Path, read_number: Any) -> None:
    data = stream.read_bytes()
    address = serve(sending(data[: len(data) // 2], len(data)), sending(data))
    ticks, notices = follow(address)
    on_the_grid(ticks)
    assert [kind for kind in kinds(notices) if kind != "stall"] == ["reconnect", "reconnect", "end"]
    assert "has broken off: connecting again in 0.1 s, attempt 1 of 8" in notices[0].text
    assert "is back after" in notices[1].text
    numbers = [read_number(tick.image) for tick in ticks]
    again = next(i for i in range(1, len(numbers)) if numbers[i] < numbers[i - 1])
    assert numbers[:again] == sorted(numbers[:again])
    assert max(numbers[again:]) >= 45  # the second connection was seen to its end
    assert ticks[-1].time > 2.0


def test_a_stream_that_does_not_come_back_is_given_up(serve: Any, stream: Path) -> None:
    data = stream.read_bytes()
    ticks, notices = follow(serve(sending(data[: len(data) // 2], len(data))), retries=2)
    assert ticks
    assert [kind for kind in kinds(notices) if kind != "stall"] == ["reconnect", "reconnect", "end"]
    assert "refuses the connection: connecting again in 0.2 s, attempt 2 of 2" in notices[-2].text
    assert "given up" in notices[-1].text


def test_a_stream_that_never_answers(serve: Any) -> None:
    began = time.monotonic()
    with pytest.raises(VideoError, match="gave nothing for 1 s"):
        follow(serve(silent), stall_s=0.6)
    assert time.monotonic() - began < 5.0


def test_a_stream_that_stalls_is_held_and_then_opened_again(serve: Any, stream: Path) -> None:
    data = stream.read_bytes()
    address = serve(sending(data[: len(data) // 2], len(data), then_silence=True), sending(data))
    ticks, notices = follow(address, stall_s=1.6)
    on_the_grid(ticks)
    told = kinds(notices)
    assert told[0] == "stall"
    assert [kind for kind in told if kind != "stall"][:2] == ["reconnect", "reconnect"]
    held = [i for i in range(1, len(ticks)) if np.array_equal(ticks[i].image, ticks[i - 1].image)]
    assert 2 <= len(held) <= 1.6 * FPS + 1  # no longer than stall_s
    assert not ticks[held[-1]].audio.any()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda client, over: client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            "answers 404",
        ),
        (lambda client, over: client.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "answers 5"),
        (sending(b"<html>not here</html>" * 400), "is not a video stream"),
        (sending(b""), "."),
    ],
)
def test_a_server_without_a_video(serve: Any, answer: Any, words: str) -> None:
    with pytest.raises(VideoError, match=words):
        follow(serve(answer), stall_s=1.0)


def test_sound_alone_is_no_video(serve: Any, clips: Any, tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp2", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="holds no picture"):
        follow(serve(sending(path.read_bytes())))


def test_closing_inside_a_network_read_does_not_wait_for_it(serve: Any, stream: Path) -> None:
    data = stream.read_bytes()
    source = live(
        serve(sending(data[: len(data) // 2], len(data), then_silence=True)),
        fps=FPS, size=SIZE, network=True, stall_s=2.0,
    )  # fmt: skip
    next(source)
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 1.5
    assert list(source) == []
    for thread in threads():  # it ends with its read
        thread.join(6.0)
    assert not threads()


def test_a_camera_over_rtsp(serve: Any, stream: Path, expected: list[Tick]) -> None:
    """A server in a few lines: a transport stream in RTP packets inside of the connection, then it hangs up."""
    data = stream.read_bytes()
    description = (
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:1\r\n"
    )
    headers = {
        "OPTIONS": (b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN", b""),
        "DESCRIBE": (b"Content-Type: application/sdp", description),
        "SETUP": (b"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1", b""),
        "PLAY": (b"Session: 1", b""),
    }
    first = b"OPTIONS"  # `serve` has read the first request already

    def answer(client: socket.socket, over: threading.Event) -> None:
        request, number = first, 1
        while True:
            header, body = headers[request.split()[0].decode()]
            client.sendall(
                b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n%s\r\nContent-Length: %d\r\n\r\n"
                % (number, header, len(body))
                + body
            )
            if request.startswith(b"PLAY"):
                break
            request, number = client.recv(65536), number + 1
        for i, at in enumerate(range(0, len(data), 1316)):
            packet = (
                struct.pack(">BBHII", 0x80, 33, i, int(at / len(data) * 180_000), 1) + data[at : at + 1316]
            )
            client.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)

    address = serve(answer).replace("http://", "rtsp://me:secret@")
    ticks, notices = follow(address, retries=0)
    np.testing.assert_array_equal(ticks[3].image, expected[3].image)
    assert len(ticks) >= 9
    assert "has broken off: given up" in notices[-1].text
    assert not any("secret" in notice.text for notice in notices)


def test_datagrams(stream: Path, read_number: Any) -> None:
    data = stream.read_bytes()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    over = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not over.is_set():  # again and again: its timestamps go back each time
                for at in range(0, len(data), 1316):
                    sender.sendto(data[at : at + 1316], ("127.0.0.1", port))
                    over.wait(1.0 / (len(data) / 1316))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        with live(f"udp://127.0.0.1:{port}", fps=FPS, size=SIZE, network=True, stall_s=3.0) as source:
            ticks = [next(source) for _ in range(15)]
    finally:
        over.set()
        thread.join()
    on_the_grid(ticks)
    assert len({read_number(tick.image) for tick in ticks}) > 5


def playlist(*segments: str) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0"]
    for segment in segments:
        lines += ["#EXTINF:2.0,", segment]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def test_a_playlist_is_followed(serve: Any, stream: Path, expected: list[Tick]) -> None:
    segment = serve(*[sending(stream.read_bytes())] * 3)
    ticks, notices = follow(serve(sending(playlist(segment)), name="list.m3u8"))
    assert len(ticks) == len(expected)
    np.testing.assert_array_equal(ticks[5].image, expected[5].image)
    assert kinds(notices) == ["end"]


def test_a_playlist_from_the_network_names_no_local_file(serve: Any, stream: Path) -> None:
    with pytest.raises(VideoError):
        follow(serve(sending(playlist(f"file://{stream}")), name="list.m3u8"), stall_s=1.0)
