"""Clips painted on the spot, for tests that want a real file."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from fakes import COLOURS


def write_clip(
    path: Path,
    paint: list[tuple[float, float, str]],
    duration: float = 8.0,
    *,
    sound: bool = True,
    **container_options: str,
) -> Path:
    """One colour at a time, black elsewhere, 10 frames a second; a tone as long as the picture."""
    rate, hz = 10, 16000
    with av.open(str(path), "w", options=container_options) as container:
        picture = container.add_stream("mpeg4", rate=rate)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        picture.gop_size = 5
        tone = container.add_stream("aac", rate=hz, layout="mono") if sound else None
        for index in range(round(duration * rate)):
            colour = next((COLOURS[name] for a, b, name in paint if a <= index / rate < b), (0, 0, 0))
            image = np.broadcast_to(np.asarray(colour, np.uint8), (48, 64, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if tone is not None:
            wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(duration * hz)) / hz).astype(np.float32)
            for first in range(0, len(wave) - 1023, 1024):
                block = av.AudioFrame.from_ndarray(
                    wave[None, first : first + 1024], format="fltp", layout="mono"
                )
                block.sample_rate, block.pts = hz, first
                container.mux(tone.encode(block))
            container.mux(tone.encode())
    return path
