"""What this reader promises beyond the protocol: no decoder at import, bounded memory, honest identity."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from kairos.errors import OptionError, VideoError
from kairos.video import identity, sound
from kairos.video import open as open_file
from kairos.video.damage import Damage
from kairos.video.options import Requests
from kairos.video.painter import display_size


@pytest.fixture(scope="module")
def three_hours(make_clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds at 10 frames/s, copied 1080 times without encoding anew."""
    folder = tmp_path_factory.mktemp("long")
    short = make_clip(folder / "short.mp4", range(100), Fraction(1, 10), gop=100, size=(64, 48))
    path = folder / "long.mp4"
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        facts = [(packet.pts, packet.dts) for packet in packets]
        length = int(10 / stream.time_base)
        for k in range(1080):
            for packet, (pts, dts) in zip(packets, facts, strict=True):
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts, packet.dts = pts + k * length, dts + k * length
                target.mux(packet)
    return path


def test_importing_loads_no_decoder() -> None:
    code = "import sys, kairos.video; assert not {'av', 'torch', 'pysubs2', 'pycocotools'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_three_hours(three_hours: Path, read_number: Any) -> None:
    with open_file(three_hours) as video:
        assert video.duration == pytest.approx(10800.0, abs=0.2)
        tracemalloc.start()
        count = 0
        for frame in video.sample(0.05, phase=0.5, size=(64, 48)):
            count += 1
            assert read_number(frame.image) == round(frame.time * 10) % 100
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 540
        assert peak < 16 << 20
        times = [10799.9, 0.05, 7200.55, 3600.0]
        found = video.frames(times)
        assert [read_number(image) for image in found.images] == [99, 0, 5, 0]
        blocks = video.audio_blocks(16000, 0.5, start=10000.0)
        assert len(next(blocks)) == 8000


def test_identity(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"abc")
    assert identity.content_id(small) == hashlib.sha256((3).to_bytes(8, "little") + b"abc").hexdigest()
    data = np.random.default_rng(0).bytes(5 << 20)
    large = tmp_path / "large"
    large.write_bytes(data)
    first = identity.content_id(large)
    for position in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[position] ^= 1
        large.write_bytes(changed)
        assert identity.content_id(large) != first


@pytest.mark.parametrize("threads", [-1, 65, 1.5, True, "2"])
def test_threads(clips: Any, threads: Any) -> None:
    with pytest.raises(OptionError, match="threads"):
        open_file(clips["single"].path, threads=threads)


def test_one_thread_shows_the_same(clips: Any) -> None:
    with (
        open_file(clips["gop250"].path, threads=1) as one,
        open_file(clips["gop250"].path, threads=4) as four,
    ):
        for a, b in zip(one.sample(3), four.sample(3), strict=True):
            assert a.time == b.time
            np.testing.assert_array_equal(a.image, b.image)


def test_leaving_frames_out_changes_no_pixel(clips: Any) -> None:
    for name in ("gop250", "open_gop", "transport"):
        with open_file(clips[name].path) as video:
            every = {frame.time: frame.image for frame in video.sample()}
            for frame in video.sample(1.7, phase=0.5):
                np.testing.assert_array_equal(frame.image, every[frame.time])


def test_requests() -> None:
    assert Requests.uniform(2.0, None, 0.5, 0.0, 20.0).times.tolist() == [0.25 + k / 2 for k in range(40)]
    assert Requests.uniform(2.0, None, 0.0, 1.0, 1.2).times.tolist() == [1.0]
    assert Requests.uniform(2.0, None, 0.5, 1.0, 1.2).count == 0
    assert Requests.uniform(10.0, 3, 0.0, 0.0, 3.0).times.tolist() == [0.0, 1.0, 2.0]
    assert Requests.uniform(1.0, 10, 0.0, 0.0, 3.0).count == 3
    for fps in (0.1, 3.0, 24.0, 29.97):
        for seconds in (1.0, 7.3, 1001.0):
            times = Requests.uniform(fps, None, 0.0, 0.0, seconds).times
            assert len(times) == pytest.approx(seconds * fps, abs=1.0)
            assert times[-1] < seconds


def test_too_many_requests(three_hours: Path) -> None:
    with open_file(three_hours) as video, pytest.raises(OptionError, match="frames"):
        video.sample(1000.0)


def test_display_size() -> None:
    assert display_size(704, 576, Fraction(16, 11), 0) == (1024, 576)
    assert display_size(1920, 1080, Fraction(1), -90) == (1080, 1920)
    assert display_size(1920, 1080, Fraction(1), 180) == (1920, 1080)


def test_damage() -> None:
    damage = Damage()
    assert damage.gaps == ()
    damage.add(3.0, 4.0, "picture")
    damage.add(3.5, 5.0, "picture")
    damage.add(1.0, 1.0, "picture")
    damage.add(2.0, 2.5, "sound")
    assert [(gap.start, gap.end, gap.label) for gap in damage.gaps] == [
        (2.0, 2.5, "sound"),
        (3.0, 5.0, "picture"),
    ]
    damage.cut(7.0, 9.0, measured=False)
    damage.cut(7.2, 9.0, measured=True)
    damage.cut(6.0, 9.0, measured=False)
    damage.cut(7.1, 9.0, measured=True)
    assert damage.end == 7.2
    assert damage.gaps[-1].start == 7.2


@pytest.mark.parametrize(
    ("layout", "kind", "dtype", "full"),
    [
        ("s16", "packed", np.int16, 32767),
        ("s32p", "planar", np.int32, 2**31 - 1),
        ("u8", "packed", np.uint8, 255),
    ],
)
def test_mono(layout: str, kind: str, dtype: Any, full: int) -> None:
    channels = np.array([[full, full, full, full], [0, 0, 0, 0]])
    if layout == "u8":
        channels[1] = 128
    raw = channels if kind == "planar" else channels.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(raw.astype(dtype)), layout, "stereo")
    frame.sample_rate = 8000
    np.testing.assert_allclose(sound.mono(frame), [0.5] * 4, atol=0.01)


def test_a_file_that_goes_away(clips: Any, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    path.write_bytes(clips["silent"].path.read_bytes())
    video = open_file(path)
    path.unlink()
    with pytest.raises(VideoError, match="gone"):
        list(video.sample(2))
    with pytest.raises(VideoError, match="gone"):
        video.audio()


def test_repr(clips: Any) -> None:
    with open_file(clips["constant"].path) as video:
        assert repr(video) == "<Video 'constant.mp4': 4.00 s, 128 x 96, 25.00 frames/s, with sound>"
