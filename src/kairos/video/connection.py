"""Opening a stream with PyAV: an address, a camera, or a container on standard input.

Unlike a file, a stream may keep one waiting: every wait here ends by itself. Network protocols are opened for addresses
only, and a playlist that came from the network cannot name a local file.
"""

from __future__ import annotations

import errno
import os
import re
import select
import ssl
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from kairos.errors import VideoError
from kairos.video.source import FORMATS

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["BROKE_OFF", "SCHEMES", "Pipe", "Place", "connect", "reason", "redacted"]

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "tcp", "udp")
PROTOCOLS = "http,https,httpproxy,tcp,tls,udp,rtp,rtmp,rtmps,crypto"  # never "file"
ADDRESS_FORMATS = f"{FORMATS},hls,rtsp,mpjpeg"
BROKE_OFF = "has broken off"
POLL_S = 0.1  # how soon a wait for standard input notices that it should end
CAMERA_FORMAT = "v4l2"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class Place:
    """A source of ticks. `kind` is "address", "camera", "pipe" or "path"; `name` is what may be shown of it."""

    given: str
    kind: str
    name: str

    @classmethod
    def of(cls, source: str | os.PathLike[str]) -> Place:
        """Tells what kind of source is meant, without opening it."""
        given = os.fspath(source)
        if given == "-":
            return cls(given, "pipe", "standard input")
        if _SCHEME.match(given) and not os.path.exists(given):
            return cls(given, "address", redacted(given))
        if re.match(r"/dev/video\d+$", given) or _is_device(given):
            return cls(given, "camera", given)
        return cls(given, "path", given)

    @property
    def reopens(self) -> bool:
        """Whether it can be opened again after it broke."""
        return self.kind != "pipe"

    def check(self, network: bool) -> None:
        """Raises VideoError where it is clear without opening that nothing will come."""
        if self.kind == "address":
            scheme = urlsplit(self.given).scheme.lower()
            if scheme not in SCHEMES:
                raise VideoError(
                    f"{self.name}: {scheme}:// is not opened",
                    path=self.name,
                    hint="one of " + ", ".join(SCHEMES),
                )
            if not network:
                raise VideoError(
                    f"{self.name} is an address on the network, which is opened only when asked for",
                    path=self.name,
                    hint="pass network=True",
                )
        elif self.kind == "camera" and not os.path.exists(self.given):
            raise VideoError(
                f"there is no camera {self.name}", path=self.name, hint="plug it in, or look in /dev/video*"
            )


class Pipe:
    """Standard input as PyAV reads it: waits for data in short steps, so that `stopped` ends it promptly."""

    name = "standard input"

    def __init__(self, descriptor: int, stopped: Callable[[], bool], heard: Callable[[], None]) -> None:
        self._descriptor, self._stopped, self._heard = descriptor, stopped, heard

    def read(self, count: int) -> bytes:
        """Returns at most `count` bytes; none at the end, or when stopped."""
        while not self._stopped():
            if select.select([self._descriptor], [], [], POLL_S)[0]:
                data = os.read(self._descriptor, count)
                self._heard()
                return data
        return b""


def connect(
    place: Place, stall_s: float, stopped: Callable[[], bool], heard: Callable[[], None]
) -> InputContainer:
    """Opens a stream; no read of an address takes longer than `stall_s` seconds. Raises VideoError in one line.

    `stopped` says that the wait for a pipe should end, `heard` is told when something came out of it.
    """
    import av

    file: Any = place.given
    options: dict[str, Any] = {"metadata_errors": "replace"}
    # Timestamps that wrap are set straight by our clock: FFmpeg would take any step back for a wrap.
    inner = {"correct_ts_overflow": "0"}
    if place.kind == "address":
        options["timeout"] = (stall_s, stall_s)
        inner |= {"protocol_whitelist": PROTOCOLS, "format_whitelist": ADDRESS_FORMATS}
        inner |= {"rtsp_transport": "tcp", "tls_verify": "1"}
        authorities = ssl.get_default_verify_paths().cafile
        if authorities:
            inner["ca_file"] = authorities
    elif place.kind == "camera":
        options["format"] = CAMERA_FORMAT
    else:
        file = Pipe(_descriptor(place), stopped, heard)
        inner |= {"protocol_whitelist": "pipe", "format_whitelist": FORMATS}
    started = time.monotonic()
    try:
        return av.open(file, mode="r", container_options=inner, **options)
    except (av.FFmpegError, OSError, ValueError) as error:
        why, hint = reason(error, place, stall_s)
        if why == BROKE_OFF:
            why = "cannot be read"
        if place.kind == "pipe" and not stopped():
            hint = "it must play from its start: MPEG-TS, Matroska or fragmented MP4"
        elif isinstance(error, av.error.ExitError):
            why = f"gave nothing for {max(stall_s, time.monotonic() - started):.0f} s"
        raise VideoError(f"{place.name} {why}", path=place.name, hint=hint) from error


def reason(error: Exception, place: Place, stall_s: float) -> tuple[str, str | None]:
    """Returns what happened to a place, to be read after its name, and the way out."""
    import av

    code = getattr(error, "errno", None)
    camera = place.kind == "camera"
    if isinstance(error, av.error.ExitError) or code == errno.ETIMEDOUT:
        return f"gave nothing for {stall_s:g} s", "check that it is on, or allow it more with stall_s"
    if camera and code == errno.EBUSY:
        return "is in use by another program", "close the other program"
    if camera and code in (errno.EACCES, errno.EPERM):
        return "may not be opened", "check its permissions: on most systems the group video may"
    if camera and code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "is gone", "plug it in again"
    if camera:
        return "is not a camera that gives pictures", "look for another one in /dev/video*"
    if code == errno.ECONNREFUSED:
        return "refuses the connection", "check the address and that it is serving"
    if isinstance(error, av.error.HTTPError | av.error.HTTPClientError):
        text = re.sub(r"^Server returned ", "", error.strerror or "an error")
        return f"answers {text}", "check the address"
    if isinstance(error, av.error.InvalidDataError):
        return "is not a video stream", "check it with a player"
    if place.kind == "address":
        return BROKE_OFF, "check the address with a player"
    return "is not a video stream", "check it with a player"


def redacted(address: str) -> str:
    """Returns an address without the name and password in it."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return address.split("://")[0] + "://..."
    return urlunsplit(parts._replace(netloc=host))


def _descriptor(place: Place) -> int:
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise VideoError(
            "standard input is closed", path=place.name, hint="pipe a container to it"
        ) from error
    if os.isatty(descriptor):
        raise VideoError(
            "standard input is a terminal, not a video",
            path=place.name,
            hint="pipe a container to it: ffmpeg -i SOURCE -f mpegts - | kairos watch - ...",
        )
    return descriptor


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
