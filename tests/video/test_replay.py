"""A file or a folder as ticks: to the pixel and the sample what a session of the same file is shown."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from kairos.errors import OptionError, VideoError
from kairos.tasks.stream import watch
from kairos.video import Tick, live
from kairos.video import open as open_file
from kairos.video.folder import natural

CONFIG = SimpleNamespace(fps=2.0, image_size=64, audio_rate=16000)


class Recorder:
    """A session that keeps what it is shown."""

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.sound: list[np.ndarray] = []

    def see(self, frames: np.ndarray, audio: np.ndarray | None) -> None:
        self.images += list(frames)
        self.sound += [] if audio is None else [audio]

    def end(self, duration_s: float) -> None:
        pass


@pytest.mark.parametrize(
    "name",
    ["constant", "variable", "transport", "long_sound", "rotated90", "single", "several", "variable_webm"],
)
def test_equals_what_a_session_is_shown(clips: Any, name: str) -> None:
    session = Recorder()
    with open_file(clips[name].path) as video:
        watch(session, video, config=CONFIG)  # type: ignore[arg-type]
    with live(clips[name].path, fps=2.0, size=64) as source:
        assert source.has_audio == clips[name].has_audio
        assert source.duration == pytest.approx(clips[name].duration, abs=0.03)
        ticks = list(source)
    assert [tick.time for tick in ticks] == [k / 2 for k in range(len(session.images))]
    np.testing.assert_array_equal(np.stack([tick.image for tick in ticks]), np.stack(session.images))
    if session.sound:
        np.testing.assert_array_equal(
            np.concatenate([tick.audio for tick in ticks]), np.concatenate(session.sound)
        )
        assert {(tick.audio.dtype, len(tick.audio)) for tick in ticks} == {(np.dtype(np.float32), 8000)}
    else:
        assert all(tick.audio is None for tick in ticks)
    assert [event.kind for event in source.events] == ["end"]


def test_a_cut_file_ends_where_it_was_cut(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "cut.mp4", range(100), gop=25, size=(64, 48), container_options={"movflags": "faststart"}
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    session = Recorder()
    with open_file(path) as video:
        watch(session, video, config=CONFIG)  # type: ignore[arg-type]
    with live(path, fps=2.0, size=64) as source:
        assert len(list(source)) == len(session.images) < 8
        (end,) = source.events
        assert "was cut" in end.text
        assert source.video is not None
        assert source.video.gaps


def test_no_sound_where_none_is_wanted(clips: Any) -> None:
    with live(clips["silent"].path, fps=2.0, size=64, audio_rate=None) as source:
        assert not source.has_audio
        assert next(source).audio is None


def test_real_time_gives_each_tick_at_its_end(clips: Any) -> None:
    with live(clips["silent"].path, fps=10.0, size=32, realtime=True) as source:
        assert source.paced
        began = time.monotonic()
        taken = []
        for _ in source:
            taken.append(time.monotonic() - began)
            if len(taken) == 8:
                break
    # The first may be late by what decoding it takes; none is early.
    assert all(at >= (k + 1) / 10 - 0.005 for k, at in enumerate(taken))
    assert not source.events


def test_real_time_drops_what_nobody_takes(clips: Any) -> None:
    told: list = []
    with live(
        clips["constant"].path, fps=10.0, size=32, realtime=True, backlog_s=0.3, tell=told.append
    ) as source:
        first = next(source)
        time.sleep(1.2)
        second = next(source)
        missing = round((second.time - first.time) * 10) - 1
        assert second.dropped == missing >= 6
        assert any(notice.kind == "dropped" and f"{missing} ticks" in notice.text for notice in told)
        assert list(source.events) == told


def test_closing_ends_a_wait_at_once(clips: Any) -> None:
    source = live(clips["constant"].path, fps=0.1, size=32, realtime=True)
    seen: list[Tick] = []
    thread = threading.Thread(target=lambda: seen.extend(source))
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    source.close()
    thread.join(5.0)
    assert time.monotonic() - began < 1.0
    assert not seen
    assert list(source) == []
    source.close()


# Folders of images.


def save(path: Path, image: np.ndarray, codec: str = "png", pixel_format: str = "rgb24") -> Path:
    with av.open(str(path.with_name("one.png")), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream(codec, rate=1)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = pixel_format
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    path.with_name("one.png").rename(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images 1 to 12, grey 10 to 120, of two sizes and formats; names that sort otherwise than numbers."""
    for number in range(1, 13):
        grey = np.full((24 + number % 2, 32, 3), number * 10, np.uint8)
        if number % 3:
            save(tmp_path / f"shot {number}.png", grey)
        else:
            save(tmp_path / f"shot {number}.JPG", grey, "mjpeg", "yuvj420p")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "below").mkdir()
    return tmp_path


def greys(ticks: list[Tick]) -> list[int]:
    return [round(float(tick.image.mean()) / 10) for tick in ticks]


def test_images_come_in_natural_order_one_a_tick(folder: Path) -> None:
    with live(folder, fps=2.0, size=16) as source:
        assert (source.duration, source.has_audio, source.paced) == (6.0, False, False)
        ticks = list(source)
    assert greys(ticks) == list(range(1, 13))
    assert [tick.time for tick in ticks] == [k / 2 for k in range(12)]
    assert {tick.image.shape for tick in ticks} == {(16, 16, 3)}


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (4.0, [2, 4, 6, 8, 10, 12]),
        (1.0, [k for k in range(1, 13) for _ in "ab"]),
        (24.0, [7]),
        (1000.0, [12]),
    ],
)
def test_images_at_another_rate(folder: Path, rate: float, expected: list[int]) -> None:
    assert greys(list(live(folder, fps=2.0, size=16, rate=rate))) == expected


def test_a_name_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    save(tmp_path / "img%03d.png", np.full((8, 8, 3), 50, np.uint8))
    assert greys(list(live(tmp_path, fps=2.0, size=16))) == [5]


def test_an_image_that_is_none_is_told_and_the_one_before_stays(folder: Path) -> None:
    (folder / "shot 1.png").write_bytes(b"")
    (folder / "shot 5.png").write_bytes(b"no image at all" * 20)
    with live(folder, fps=2.0, size=16) as source:
        assert greys(list(source)) == [2, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11, 12]
        bad = [event for event in source.events if event.kind == "dropped"]
        assert [event.text.split("shot ")[1][:5] for event in bad] == ["1.png", "5.png"]


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="holds no images") as caught:
        live(tmp_path, fps=2.0, size=16)
    assert caught.value.hint
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(VideoError, match=r"no image of .* can be read"):
        list(live(tmp_path, fps=2.0, size=16))


def test_natural_order() -> None:
    names = ["a10.png", "a2.png", "A1.png", "b.png", "2.png", "10.png", "a2b10.png", "a2b9.png", "²3.png"]
    assert sorted(names, key=natural) == [
        "2.png", "10.png", "A1.png", "a2.png", "a2b9.png", "a2b10.png", "a10.png", "b.png", "²3.png",
    ]  # fmt: skip


# What is refused.


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": float("nan")}, "fps"),
        ({"size": 0}, "size"),
        ({"size": None}, "size"),
        ({"audio_rate": 1.5}, "rate"),
        ({"stall_s": 0}, "stall_s"),
        ({"stall_s": "10"}, "stall_s"),
        ({"retries": -1}, "retries"),
        ({"retries": True}, "retries"),
        ({"backlog_s": -1}, "backlog_s"),
        ({"rate": 2.0}, "rate is for a folder"),
    ],
)
def test_absurd_options(clips: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        live(clips["single"].path, **{"fps": 2.0, "size": 32, **options})


def test_files_that_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(VideoError, match="is not a video"):
        live(tmp_path / "noise.mp4", fps=2.0, size=32)
    with pytest.raises(VideoError, match="does not exist"):
        live(tmp_path / "none.mp4", fps=2.0, size=32)


def test_a_file_that_goes_away(clips: Any, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    shutil.copy(clips["silent"].path, path)
    source = live(path, fps=2.0, size=32)
    path.unlink()
    with pytest.raises(VideoError, match="gone"):
        list(source)
