"""Clips made on the spot, with the number of each frame drawn in its pixels, so that a wrong frame cannot hide."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

COLUMNS, ROWS = 4, 3  # the number, 12 bits, as black and white tiles
BEEP_HZ, SOUND_RATE = 1000, 48000


@dataclass(frozen=True)
class Clip:
    """A file and the truth about it: the time of each numbered frame, in seconds from the container's start."""

    path: Path
    times: list[float]
    duration: float
    size: tuple[int, int] = (128, 96)
    beeps: list[tuple[float, float]] = field(default_factory=list)
    has_audio: bool = False

    def number_at(self, t: float) -> int:
        """The number of the frame shown at t."""
        return max(0, int(np.searchsorted(self.times, t, side="right")) - 1)


def draw(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    bits = np.array([(number >> bit) & 1 for bit in range(COLUMNS * ROWS)], np.uint8).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    image = np.repeat((bits * 255)[rows][:, columns, None], 3, axis=2)
    image[:, :, 2] = np.roll(np.linspace(0, 255, width, dtype=np.uint8), number * 3)  # something that moves
    return image


def number_in(image: NDArray[np.uint8]) -> int:
    """Reads the number back from the middle of each tile."""
    height, width = image.shape[:2]
    number = 0
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        y, x = int((row + 0.5) * height / ROWS), int((column + 0.5) * width / COLUMNS)
        dy, dx = max(1, height // ROWS // 4), max(1, width // COLUMNS // 4)
        number |= int(image[y - dy : y + dy, x - dx : x + dx, :2].mean() > 127) << bit
    return number


def sound_of(seconds: float, beeps: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    t = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    on = np.zeros(len(t), bool)
    for start, end in beeps:
        on |= (t >= start) & (t < end)
    return (0.5 * np.sin(2 * np.pi * BEEP_HZ * t) * on).astype(np.float32)


def write(
    path: Path,
    pts: Sequence[int],
    time_base: Fraction = Fraction(1, 25),
    *,
    size: tuple[int, int] = (128, 96),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    gop: int = 25,
    container_options: dict[str, str] | None = None,
    sound_s: float | None = None,
    beeps: Sequence[tuple[float, float]] = (),
    sound_codec: str = "aac",
    offset_s: int = 0,
    rotate: int = 0,
    aspect: Fraction | None = None,
    second_picture: bool = False,
    pixel_format: str = "yuv420p",
) -> Path:
    """Encodes frame i at pts[i]. `rotate`: the file stores the picture turned, and says how to turn it back."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stored = size[::-1] if rotate % 180 else size
        stream = _picture(container, codec, stored, gop, time_base, options, pixel_format)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        other = None
        if second_picture:
            other = _picture(container, codec, (64, 48), gop, time_base, options, pixel_format)
        sound: Any = None
        if sound_s is not None:
            sound = container.add_stream(sound_codec, rate=SOUND_RATE, layout="stereo")
        if rotate:
            stream.set_display_rotation(rotate)
        shift = int(offset_s / time_base)
        jobs: list[tuple[float, Any, Any]] = []
        for number, stamp in enumerate(pts):
            image = np.ascontiguousarray(np.rot90(draw(number, size), -rotate // 90))
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = stamp + shift, time_base
            jobs.append((float(stamp * time_base), stream, frame))
            if other is not None:
                small = av.VideoFrame.from_ndarray(draw(4095 - number, (64, 48)), "rgb24")
                small.pts, small.time_base = stamp + shift, time_base
                jobs.append((float(stamp * time_base), other, small))
        if sound is not None and sound_s is not None:
            wave = sound_of(sound_s, beeps)
            for first in range(0, len(wave), 1024):
                piece = np.repeat(wave[None, first : first + 1024], 2, axis=0)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", "stereo")
                frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
                frame.pts = first + offset_s * SOUND_RATE
                jobs.append((first / SOUND_RATE, sound, frame))
        for _, target, frame in sorted(jobs, key=lambda job: job[0]):
            container.mux(target.encode(frame))
        for target in (stream, other, sound):
            if target is not None:
                container.mux(target.encode(None))
    return path


def _picture(
    container: Any,
    codec: str,
    size: tuple[int, int],
    gop: int,
    time_base: Fraction,
    options: Any,
    pixel_format: str,
) -> Any:
    stream = container.add_stream(codec, rate=round(1 / time_base) if time_base < 1 else 1)
    stream.width, stream.height = size
    stream.pix_fmt = pixel_format
    stream.codec_context.gop_size = gop
    stream.codec_context.time_base = time_base
    stream.codec_context.thread_count = 1
    stream.options = (
        {"preset": "veryfast", "bf": "3", **(options or {})} if codec == "libx264" else options or {}
    )
    return stream


VARIABLE = [0, 1, 2, 3, 10, 11, 30, 31, 32, 60, 75, 76, 90, 140, 141, 150, 200, 201, 202, 230]


def _constant(folder: Path) -> Clip:
    path = write(folder / "constant.mp4", range(100), sound_s=4.0, beeps=[(1.0, 1.5), (2.25, 3.0)])
    return Clip(path, [i / 25 for i in range(100)], 4.0, beeps=[(1.0, 1.5), (2.25, 3.0)], has_audio=True)


def _variable(folder: Path) -> Clip:
    path = write(folder / "variable.mp4", VARIABLE, Fraction(1, 50), gop=8)
    # The muxer gives the last frame a length of its own.
    return Clip(path, [stamp / 50 for stamp in VARIABLE], 5.02)


def _variable_webm(folder: Path) -> Clip:
    path = write(
        folder / "variable.webm", VARIABLE, Fraction(1, 50), codec="libvpx", gop=8,
        options={"deadline": "realtime", "cpu-used": "8", "b": "2M"},
    )  # fmt: skip
    return Clip(path, [stamp / 50 for stamp in VARIABLE], 4.62)


def _long_gop(folder: Path) -> Clip:
    path = write(
        folder / "gop250.mp4", range(600), gop=250, options={"b-pyramid": "strict", "sc_threshold": "0"}
    )
    return Clip(path, [i / 25 for i in range(600)], 24.0)


def _open_gop(folder: Path) -> Clip:
    options = {"x264-params": "open-gop=1:scenecut=0:keyint=20:bframes=3:b-pyramid=normal"}
    path = write(folder / "open_gop.mp4", range(200), gop=20, options=options)
    return Clip(path, [i / 25 for i in range(200)], 8.0)


def _transport(folder: Path) -> Clip:
    path = write(
        folder / "transport.ts",
        range(200),
        gop=50,
        offset_s=7,
        sound_s=8.0,
        beeps=[(3.0, 3.5)],
        sound_codec="mp2",
    )
    early = 481 / 48000  # the sound's encoder delay: it starts before the picture, and the clock with it
    times = [i / 25 + early for i in range(200)]
    return Clip(path, times, 8.0 + early, beeps=[(3.0 + early, 3.5 + early)], has_audio=True)


def _rotated(turn: int) -> Callable[[Path], Clip]:
    def make(folder: Path) -> Clip:
        path = write(folder / f"rotated{turn}.mp4", range(50), rotate=turn)
        return Clip(path, [i / 25 for i in range(50)], 2.0)

    return make


def _oblong(folder: Path) -> Clip:
    path = write(folder / "oblong.mp4", range(50), aspect=Fraction(16, 11))
    return Clip(path, [i / 25 for i in range(50)], 2.0, size=(186, 96))


def _odd(folder: Path) -> Clip:
    path = write(folder / "odd.mkv", range(50), size=(101, 77), pixel_format="yuv444p")
    return Clip(path, [i / 25 for i in range(50)], 2.0, size=(101, 77))


def _long_sound(folder: Path) -> Clip:
    path = write(folder / "long_sound.mp4", range(50), sound_s=5.0, beeps=[(3.5, 4.5)])
    return Clip(path, [i / 25 for i in range(50)], 5.0, beeps=[(3.5, 4.5)], has_audio=True)


def _silent(folder: Path) -> Clip:
    path = write(folder / "silent.mp4", range(50), sound_s=2.0)
    return Clip(path, [i / 25 for i in range(50)], 2.0, has_audio=True)


def _single(folder: Path) -> Clip:
    return Clip(write(folder / "single.mp4", [0]), [0.0], 0.04)


def _several(folder: Path) -> Clip:
    path = write(folder / "several.mkv", range(50), second_picture=True, sound_s=2.0)
    return Clip(path, [i / 25 for i in range(50)], 2.0, has_audio=True)


def _intra(folder: Path) -> Clip:
    path = write(folder / "intra.avi", range(100), codec="mjpeg", pixel_format="yuvj420p", options={"q": "3"})
    return Clip(path, [i / 25 for i in range(100)], 4.0)


def _mpeg4(folder: Path) -> Clip:
    path = write(folder / "mpeg4.avi", range(100), codec="mpeg4", gop=30, options={"b": "2M"})
    return Clip(path, [i / 25 for i in range(100)], 4.0)


def _vp9(folder: Path) -> Clip:
    options = {"deadline": "realtime", "cpu-used": "8", "b": "2M"}
    path = write(folder / "vp9.webm", range(100), codec="libvpx-vp9", gop=30, options=options)
    return Clip(path, [i / 25 for i in range(100)], 4.0)


MAKERS: dict[str, Callable[[Path], Clip]] = {
    "constant": _constant,
    "variable": _variable,
    "variable_webm": _variable_webm,
    "gop250": _long_gop,
    "open_gop": _open_gop,
    "transport": _transport,
    "rotated90": _rotated(90),
    "rotated180": _rotated(180),
    "rotated270": _rotated(270),
    "oblong": _oblong,
    "odd": _odd,
    "long_sound": _long_sound,
    "silent": _silent,
    "single": _single,
    "several": _several,
    "intra": _intra,
    "mpeg4": _mpeg4,
    "vp9": _vp9,
}


class Clips:
    """Makes each clip once, when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Clip] = {}

    def __getitem__(self, name: str) -> Clip:
        if name not in self._made:
            self._made[name] = MAKERS[name](self.folder)
        return self._made[name]

    def damaged(self, name: str, start: float, end: float) -> Path:
        """A copy of a clip whose bytes in [start, end) of its length are noise."""
        path = self[name].path
        data = bytearray(path.read_bytes())
        first, last = round(len(data) * start), round(len(data) * end)
        data[first:last] = random.Random(1).randbytes(last - first)
        copy = self.folder / f"damaged_{start}_{end}_{path.name}"
        copy.write_bytes(data)
        return copy

    def cut(self, name: str, part: float) -> Path:
        """A copy of the first part (0..1) of a clip."""
        path = self[name].path
        data = path.read_bytes()
        copy = self.folder / f"cut_{part}_{path.name}"
        copy.write_bytes(data[: round(len(data) * part)])
        return copy


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return Clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def read_number() -> Callable[[NDArray[np.uint8]], int]:
    return number_in


@pytest.fixture(scope="session")
def real_videos() -> Path:
    """The folder of real clips; tests that need it are skipped where it is absent."""
    places = [Path(os.environ["KAIROS_SHARED"])] if "KAIROS_SHARED" in os.environ else []
    places.append(Path(__file__).resolve().parents[3] / "shared")
    for place in places:
        folder = place / "data" / "videos"
        if (folder / "events.json").is_file():
            return folder
    pytest.skip("no real clips: set KAIROS_SHARED to the folder that holds data/videos")
