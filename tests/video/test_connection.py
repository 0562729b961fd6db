"""What may be opened as a stream, and what is said when it cannot be: one line, with the way out, without passwords."""

from __future__ import annotations

import errno
import os
import pty
import socket
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from kairos.errors import VideoError
from kairos.video import live
from kairos.video.connection import Place, redacted


def refused(source: Any, **options: Any) -> VideoError:
    with pytest.raises(VideoError) as caught:
        live(source, **{"fps": 2.0, "size": 32, "stall_s": 1.0, **options})
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("-", "pipe"),
        ("http://a/b.m3u8", "address"),
        ("RTSP://cam/1", "address"),
        ("ftp://a/b", "address"),
        ("/dev/video0", "camera"),
        ("/dev/null", "camera"),
        ("/dev/video0.mp4", "path"),
        ("a.mp4", "path"),
        ("c:/a.mp4", "path"),
        (Path("x"), "path"),
    ],
)
def test_kinds(source: Any, kind: str) -> None:
    assert Place.of(source).kind == kind


def test_a_file_with_a_name_like_an_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    (tmp_path / "http:" / "a.mp4").write_bytes(b"x")
    assert Place.of("http://a.mp4").kind == "path"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@cam:554/1?x=2", "rtsp://cam:554/1?x=2"),
        ("http://a/b@c", "http://a/b@c"),
        ("http://[bad:secret@x", "http://..."),
    ],
)
def test_passwords_are_never_shown(address: str, shown: str) -> None:
    assert redacted(address) == shown


def test_an_address_is_opened_only_when_asked_for() -> None:
    error = refused("http://me:secret@127.0.0.1/a.ts")
    assert "network=True" in str(error)
    assert "secret" not in str(error)
    assert "secret" not in str(error.path)


@pytest.mark.parametrize("scheme", ["file", "concat", "ftp", "data", "subfile"])
def test_other_protocols_are_not_opened(scheme: str, clips: Any) -> None:
    error = refused(f"{scheme}://{clips['single'].path}", network=True)
    assert f"{scheme}:// is not opened" in str(error)


def test_nobody_serves_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = refused(f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}/a.ts", network=True)
    assert "refuses the connection" in str(error)
    assert "secret" not in str(error)


def test_a_camera_that_is_not_there() -> None:
    assert "there is no camera /dev/video9876" in str(refused("/dev/video9876"))


def test_a_device_that_is_no_camera() -> None:
    assert "/dev/null is not a camera" in str(refused("/dev/null"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EBUSY, "is in use by another program"),
        (errno.EACCES, "may not be opened"),
        (errno.ENODEV, "is gone"),
        (errno.EINVAL, "is not a camera"),
    ],
)
def test_a_camera_that_cannot_be_opened(code: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opener(file: str, **options: Any) -> None:
        asked.append((file, options["format"]))
        av.error.err_check(-code, file)

    monkeypatch.setattr(av, "open", opener)
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    assert f"/dev/video0 {words}" in str(refused("/dev/video0"))
    assert asked == [("/dev/video0", "v4l2")]


def test_standard_input_that_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as terminal, os.fdopen(ours):
        monkeypatch.setattr(sys, "stdin", terminal)
        assert "is a terminal" in str(refused("-"))


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in str(refused("-"))
