"""Sources of video with one exact clock. Importing this loads no decoder; opening a file does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kairos.video.tick import Notice, Tick
from kairos.video.video import Frame, Frames, StreamInfo, Video

if TYPE_CHECKING:
    from kairos.video.follow import Live

__all__ = ["Frame", "Frames", "Notice", "StreamInfo", "Tick", "Video", "live", "open"]


def open(path: str | os.PathLike[str], **options: Any) -> Video:
    """Opens a video file; `threads` (0: one per core) is the only option. Raises VideoError if nothing decodes."""
    from kairos.video.reader import VideoFile

    return VideoFile(path, **options)


def live(source: str | os.PathLike[str], *, fps: float, size: int | tuple[int, int], **options: Any) -> Live:
    """Follows a source as it plays: an iterator over `Tick`s of 1 / `fps` s, images of `size`, and a context manager.

    `source` is a video file, a folder of images, a camera (/dev/video0), an address (http, https, HLS, rtsp, rtmp, tcp, udp),
    or "-" for a container on standard input. Options, with their defaults:

    - `audio_rate=16000`: Hz of the sound in a tick; None for none.
    - `realtime=False`: a file, folder or pipe in real time instead of as fast as it is read.
    - `network=False`: whether an address may be opened.
    - `stall_s=10`: so long a hole is filled with the last picture, and so long a network read may take.
    - `retries=8`: attempts in a row to open a broken stream again, 0.5, 1, 2, ... 30 s apart.
    - `backlog_s=2.0`: live ticks that were not taken for so long are dropped.
    - `rate=None`: images a second of a folder; None for one a tick.
    - `tell=None`: called with each `Notice`; they are kept in `.events`, too.

    Raises VideoError (one line) for a source that is missing, busy, no video, or never starts; OptionError for absurd options.
    """
    from kairos.video.follow import follow

    return follow(source, fps=fps, size=size, **options)
