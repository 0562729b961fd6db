"""Sources of video with one exact clock. Importing this loads no decoder; opening a file does."""

from __future__ import annotations

import os
from typing import Any

from kairos.video.video import Frame, Frames, StreamInfo, Video

__all__ = ["Frame", "Frames", "StreamInfo", "Video", "open"]


def open(path: str | os.PathLike[str], **options: Any) -> Video:
    """Opens a video file; `threads` (0: one per core) is the only option. Raises VideoError if nothing decodes."""
    from kairos.video.reader import VideoFile

    return VideoFile(path, **options)
