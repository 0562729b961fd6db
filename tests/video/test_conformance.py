"""What every reader must do. A new reader joins by adding how it opens a file to READERS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kairos.errors import OptionError, VideoError
from kairos.video import Video
from kairos.video import open as open_file

READERS: dict[str, Callable[..., Video]] = {"file": open_file}
CLIPS = [
    "constant", "variable", "variable_webm", "gop250", "open_gop", "transport", "rotated90", "rotated180", "rotated270",
    "oblong", "odd", "long_sound", "silent", "single", "several", "intra", "mpeg4", "vp9",
]  # fmt: skip
WITH_SOUND = ["constant", "transport", "long_sound"]


@pytest.fixture(params=sorted(READERS))
def opened(request: pytest.FixtureRequest) -> Callable[..., Video]:
    return READERS[request.param]


@pytest.fixture(params=CLIPS)
def clip(request: pytest.FixtureRequest, clips: Any) -> Any:
    return clips[request.param]


@pytest.fixture
def video(opened: Callable[..., Video], clip: Any) -> Any:
    with opened(clip.path) as video:
        yield video


def is_shown(clip: Any, number: int, time: float, at: float) -> bool:
    """Whether frame `number`, said to be of `time`, is the one shown at `at` (containers round times to 0.1 ms or so)."""
    near = {clip.number_at(at - 1e-4), clip.number_at(at + 1e-4)}
    return number in near and abs(clip.times[number] - time) < 1e-3 and (time <= at or number == 0)


class TestFacts:
    def test_protocol(self, video: Video, clip: Any) -> None:
        assert isinstance(video, Video)
        assert video.name == clip.path.name
        assert video.path == str(clip.path)

    def test_size_is_upright_with_square_pixels(self, video: Video, clip: Any) -> None:
        assert video.size == clip.size

    def test_duration(self, video: Video, clip: Any) -> None:
        assert video.duration == pytest.approx(clip.duration, abs=0.05)
        assert video.watermark == video.duration
        assert video.has_audio == clip.has_audio

    def test_identity_is_of_the_content(
        self, opened: Callable[..., Video], clips: Any, tmp_path: Path
    ) -> None:
        one, other = clips["constant"].path, clips["silent"].path
        copy = tmp_path / "another name.mp4"
        copy.write_bytes(one.read_bytes())
        assert opened(one).id == opened(copy).id != opened(other).id

    def test_streams(self, opened: Callable[..., Video], clips: Any) -> None:
        with opened(clips["several"].path) as video:
            assert [stream.kind for stream in video.streams] == ["video", "video", "audio"]
            assert [stream.used for stream in video.streams] == [True, False, True]
            assert video.streams[1].size == (64, 48)


class TestFrames:
    def test_every_frame_once_at_its_time(self, video: Video, clip: Any, read_number: Any) -> None:
        frames = list(video.sample())
        assert [read_number(frame.image) for frame in frames] == list(range(len(clip.times)))
        np.testing.assert_allclose([frame.time for frame in frames], clip.times, atol=1e-3)
        assert [frame.tick for frame in frames] == list(range(len(clip.times)))

    @pytest.mark.parametrize(("fps", "phase"), [(2, 0.5), (0.7, 0.0), (7, 0.25), (60, 0.0)])
    def test_sample(self, video: Video, clip: Any, read_number: Any, fps: float, phase: float) -> None:
        frames = list(video.sample(fps, phase=phase))
        assert len(frames) == int(np.ceil(video.duration * fps - phase - 1e-9))
        for k, frame in enumerate(frames):
            assert frame.tick == k
            assert frame.at == pytest.approx((k + phase) / fps)
            assert is_shown(clip, read_number(frame.image), frame.time, frame.at)

    def test_sample_of_a_span(self, video: Video, clip: Any, read_number: Any) -> None:
        start, end = video.duration * 0.4, video.duration * 0.8
        frames = list(video.sample(10, start=start, end=end))
        assert len(frames) == int(np.ceil((end - start) * 10 - 1e-9))
        for frame in frames:
            assert start <= frame.at < end
            assert is_shown(clip, read_number(frame.image), frame.time, frame.at)

    def test_max_frames_spread_evenly(self, video: Video) -> None:
        few = [frame.at for frame in video.sample(max_frames=4)]
        np.testing.assert_allclose(few, np.arange(4) * video.duration / 4)
        thinned = [frame.at for frame in video.sample(50, max_frames=2, phase=0.5)]
        np.testing.assert_allclose(thinned, (np.arange(2) + 0.5) * video.duration / 2)

    def test_frames_at_any_time_in_any_order(self, video: Video, clip: Any, read_number: Any) -> None:
        times = np.random.default_rng(3).uniform(0, video.duration, 12)
        found = video.frames(times)
        assert found.images.shape == (12, clip.size[1], clip.size[0], 3)
        assert found.images.dtype == np.uint8
        assert found.times.dtype == np.float64
        for at, time, image in zip(times, found.times, found.images, strict=True):
            assert is_shown(clip, read_number(image), time, at)

    def test_frames_exactly_at_their_times(self, video: Video, clip: Any, read_number: Any) -> None:
        true = np.array([frame.time for frame in video.sample(size=32)])[:: max(1, len(clip.times) // 8)]
        found = video.frames(true[::-1])
        np.testing.assert_array_equal(found.times, true[::-1])
        for time, image in zip(true[::-1], found.images, strict=True):
            assert is_shown(clip, read_number(image), time, time)

    def test_after_the_end_the_last_frame(self, video: Video, clip: Any, read_number: Any) -> None:
        found = video.frames([video.duration + 5.0, 0.0, 0.0])
        assert [read_number(image) for image in found.images] == [len(clip.times) - 1, 0, 0]

    def test_no_times_no_frames(self, video: Video) -> None:
        assert video.frames([], size=8).images.shape == (0, 8, 8, 3)

    def test_size(self, video: Video, read_number: Any, clip: Any) -> None:
        assert video.frames([0.0], size=64).images.shape == (1, 64, 64, 3)
        frame = next(iter(video.sample(1, size=(80, 60), start=video.duration * 0.6)))
        assert frame.image.shape == (60, 80, 3)
        assert is_shown(clip, read_number(frame.image), frame.time, frame.at)

    def test_two_passes_at_once(self, opened: Callable[..., Video], clips: Any, read_number: Any) -> None:
        clip = clips["gop250"]
        with opened(clip.path) as video:
            for early, late in zip(video.sample(5, end=4.0), video.sample(5, start=12.0), strict=False):
                video.frames([20.0], size=16)
                assert is_shown(clip, read_number(early.image), early.time, early.at)
                assert is_shown(clip, read_number(late.image), late.time, late.at)

    def test_few_frames_of_a_long_file(
        self, opened: Callable[..., Video], clips: Any, read_number: Any
    ) -> None:
        clip = clips["gop250"]
        with opened(clip.path) as video:
            for frame in video.sample(0.1):
                assert is_shown(clip, read_number(frame.image), frame.time, frame.at)


class TestSound:
    @pytest.mark.parametrize("name", WITH_SOUND)
    def test_beeps_are_where_they_were(self, opened: Callable[..., Video], clips: Any, name: str) -> None:
        clip = clips[name]
        with opened(clip.path) as video:
            sound = video.audio()
        assert sound.dtype == np.float32
        assert len(sound) == round(video.duration * 16000)
        assert np.abs(sound).max() <= 1.0
        loud = np.abs(sound).reshape(-1)[: len(sound) // 80 * 80].reshape(-1, 80).max(axis=1) > 0.15
        edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]]))) * 80 / 16000
        np.testing.assert_allclose(edges, np.ravel(clip.beeps), atol=0.012)

    @pytest.mark.parametrize("name", WITH_SOUND)
    def test_a_part_equals_the_part_of_the_whole(
        self, opened: Callable[..., Video], clips: Any, name: str
    ) -> None:
        with opened(clips[name].path) as video:
            whole = video.audio()
            for start, end in [(0.0, 0.5), (1.2, 1.9), (2.9, 4.0)]:
                part = video.audio(start, end)
                assert len(part) == round((end - start) * 16000)
                first = round(start * 16000)
                np.testing.assert_allclose(part, whole[first : first + len(part)], atol=0.06)

    @pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
    def test_length_is_exact_at_any_rate(self, opened: Callable[..., Video], clips: Any, rate: int) -> None:
        with opened(clips["constant"].path) as video:
            for start, end in [(0.0, 0.123), (1.0, 1.0), (3.3, 7.77)]:
                assert video.audio(start, end, rate).shape == (round((end - start) * rate),)
            loud = np.flatnonzero(np.abs(video.audio(0.0, None, rate)) > 0.2)
            assert loud[0] / rate == pytest.approx(1.0, abs=0.005)

    @pytest.mark.parametrize("step", [0.5, 0.3, 1.0])
    def test_blocks_equal_the_whole(self, opened: Callable[..., Video], clips: Any, step: float) -> None:
        with opened(clips["long_sound"].path) as video:
            blocks = list(video.audio_blocks(16000, step))
            assert len(blocks) == int(np.ceil(video.duration / step - 1e-9))
            assert all(block.shape == (round(step * 16000),) for block in blocks)
            joined = np.concatenate(blocks)
            whole = video.audio()
            np.testing.assert_array_equal(joined[: len(whole)], whole)
            assert not joined[len(whole) :].any()

    def test_blocks_of_a_fraction_of_a_sample_do_not_drift(
        self, opened: Callable[..., Video], clips: Any
    ) -> None:
        with opened(clips["long_sound"].path) as video:
            whole = video.audio(0.0, None, 16000)
            for k, block in enumerate(video.audio_blocks(16000, 1 / 7)):
                first = round(k / 7 * 16000)
                np.testing.assert_array_equal(block[: len(whole) - first], whole[first : first + len(block)])

    @pytest.mark.parametrize("name", ["variable", "silent", "gop250"])
    def test_silence(self, opened: Callable[..., Video], clips: Any, name: str) -> None:
        with opened(clips[name].path) as video:
            assert np.abs(video.audio(0.5, 3.5)).max() < 1e-3
            assert sum(len(block) for block in video.audio_blocks(16000, 0.5, end=1.0)) == 16000


class TestDamage:
    @pytest.mark.parametrize("name", ["gop250", "transport", "open_gop"])
    def test_in_the_middle(
        self, opened: Callable[..., Video], clips: Any, read_number: Any, name: str
    ) -> None:
        clip = clips[name]
        with opened(clips.damaged(name, 0.45, 0.5)) as video:
            frames = list(video.sample(5, phase=0.5))
            assert len(frames) == int(np.ceil(video.duration * 5 - 0.5 - 1e-9))
            gaps = [gap for gap in video.gaps if gap.label == "picture"]
            assert gaps
            assert sum(gap.duration for gap in gaps) < 0.4 * clip.duration
            wrong = [f.at for f in frames if not is_shown(clip, read_number(f.image), f.time, f.at)]
            assert wrong
            assert all(any(gap.contains(at) for gap in gaps) for at in wrong)
            assert all(frame.time <= frame.at for frame in frames)

    def test_found_by_single_frames_too(
        self, opened: Callable[..., Video], clips: Any, read_number: Any
    ) -> None:
        clip = clips["transport"]
        path = clips.damaged("transport", 0.45, 0.5)
        with opened(path) as video:
            list(video.sample())
            gap = max(video.gaps, key=lambda gap: gap.duration)
        for at in np.linspace(gap.start - 0.5, gap.end + 0.5, 9):
            with opened(path) as video:
                found = video.frames([at])
            number = read_number(found.images[0])
            assert clip.times[number] == pytest.approx(found.times[0], abs=1e-3)
            assert found.times[0] <= at
            if not gap.contains(at):
                assert is_shown(clip, number, found.times[0], at)

    @pytest.mark.parametrize("name", ["faststart.mp4", "cut.mkv", "cut.webm"])
    def test_a_cut_file_ends_at_its_watermark(
        self, opened: Callable[..., Video], make_clip: Any, tmp_path: Path, name: str, read_number: Any
    ) -> None:
        webm = name.endswith("webm")
        whole = make_clip(
            tmp_path / name,
            range(200),
            sound_s=8.0,
            gop=25,
            container_options={"movflags": "faststart"} if name.endswith("mp4") else {},
            codec="libvpx" if webm else "libx264",
            sound_codec="libopus" if webm else "aac",
            options={"deadline": "realtime", "cpu-used": "8"} if webm else None,
        )
        data = whole.read_bytes()
        whole.write_bytes(data[: len(data) * 6 // 10])
        with opened(whole) as video:
            assert video.duration == pytest.approx(8.0, abs=0.1)
            if name.endswith("mp4"):
                assert video.watermark < 7.0  # its index tells before anything is read
            frames = list(video.sample(10))
            assert 3.0 < video.watermark < 7.0
            assert frames[-1].at < video.watermark <= frames[-1].at + 0.1 + 1e-6
            assert read_number(frames[-1].image) == round(frames[-1].time * 25)
            (gap,) = [gap for gap in video.gaps if gap.label == "picture"]
            assert gap.start == video.watermark
            assert gap.end == pytest.approx(8.0, abs=0.1)
            assert len(video.audio()) == round(video.duration * 16000)

    def test_sound_longer_than_picture_is_no_cut(
        self, opened: Callable[..., Video], make_clip: Any, tmp_path: Path
    ) -> None:
        for name in ("a.mp4", "a.mkv"):
            with opened(make_clip(tmp_path / name, range(50), sound_s=5.0)) as video:
                assert len(list(video.sample(2))) == int(np.ceil(video.duration * 2 - 1e-9))
                assert video.watermark == video.duration
                assert video.gaps == ()


class TestBadInput:
    def bad(self, opened: Callable[..., Video], path: Path | str) -> VideoError:
        with pytest.raises(VideoError) as caught:
            opened(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
        assert caught.value.path == str(path)
        assert caught.value.exit_code == 2
        return caught.value

    def test_missing(self, opened: Callable[..., Video], tmp_path: Path) -> None:
        assert "does not exist" in self.bad(opened, tmp_path / "none.mp4").message

    def test_directory(self, opened: Callable[..., Video], tmp_path: Path) -> None:
        assert "directory" in self.bad(opened, tmp_path).message

    def test_empty(self, opened: Callable[..., Video], tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        assert "empty" in self.bad(opened, tmp_path / "empty.mp4").message

    @pytest.mark.parametrize("suffix", [".mp4", ".txt", ".webm", ".ts", ".mkv"])
    @pytest.mark.parametrize("kind", ["text", "noise", "zeros", "json", "subtitles"])
    def test_not_a_video(self, opened: Callable[..., Video], tmp_path: Path, kind: str, suffix: str) -> None:
        content = {
            "text": b"hello, this is only text\n" * 400,
            "noise": np.random.default_rng(0).bytes(200_000),
            "zeros": bytes(100_000),
            "json": b'{"kind": "ask"}\n',
            "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nhello\n",
        }[kind]
        path = tmp_path / f"{kind}{suffix}"
        path.write_bytes(content)
        assert "not a video" in self.bad(opened, path).message

    @pytest.mark.parametrize("part", [0.0005, 0.01, 0.5, 0.9])
    def test_cut_before_the_index(self, opened: Callable[..., Video], clips: Any, part: float) -> None:
        self.bad(opened, clips.cut("constant", part))

    def test_index_without_data(self, opened: Callable[..., Video], make_clip: Any, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.mp4", range(50), container_options={"movflags": "faststart"})
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"mdat") + 8])
        self.bad(opened, path)

    def test_only_sound(self, opened: Callable[..., Video], tmp_path: Path) -> None:
        import wave

        path = tmp_path / "sound.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(16000))
        assert "no picture" in self.bad(opened, path).message

    @pytest.mark.parametrize(
        "playlist",
        [
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\n{path}\n#EXT-X-ENDLIST\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile '{path}'\n",
        ],
    )
    def test_a_playlist_is_not_followed(
        self, opened: Callable[..., Video], clips: Any, tmp_path: Path, playlist: str
    ) -> None:
        for suffix in (".mp4", ".m3u8", ".txt"):
            path = tmp_path / f"list{suffix}"
            path.write_text(playlist.format(path=clips["transport"].path))
            self.bad(opened, path)

    def test_an_address_is_not_opened(self, opened: Callable[..., Video]) -> None:
        assert "addresses are not opened" in str(self.bad(opened, "http://127.0.0.1:9/a.mp4"))

    @pytest.mark.parametrize("path", ["", "a\0b.mp4"])
    def test_not_a_name(self, opened: Callable[..., Video], path: str) -> None:
        with pytest.raises(VideoError):
            opened(path)

    def test_odd_names(self, opened: Callable[..., Video], clips: Any, tmp_path: Path) -> None:
        for name in ("pipe:0.mp4", "a b%03d.mp4", "-i.mp4", "Zeit ü.mp4", "c?x#y.mp4"):
            (tmp_path / name).write_bytes(clips["single"].path.read_bytes())
            assert len(list(opened(tmp_path / name).sample())) == 1


class TestOptions:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"fps": -3},
            {"fps": 0},
            {"fps": float("nan")},
            {"fps": float("inf")},
            {"fps": 1e9},
            {"fps": "2"},
            {"fps": True},
            {"max_frames": 0},
            {"max_frames": -1},
            {"max_frames": 2.5},
            {"fps": 2, "phase": 1.0},
            {"fps": 2, "phase": -0.1},
            {"fps": 2, "phase": float("nan")},
            {"fps": 2, "start": -1},
            {"fps": 2, "start": 3.0, "end": 1.0},
            {"fps": 2, "start": 99.0},
            {"fps": 2, "end": float("nan")},
            {"fps": 2, "size": 0},
            {"fps": 2, "size": (0, 4)},
            {"fps": 2, "size": (4, 4, 4)},
            {"fps": 2, "size": 10**6},
            {"fps": 2, "size": 2.5},
        ],
    )
    def test_sample(self, opened: Callable[..., Video], clips: Any, wrong: dict[str, Any]) -> None:
        with opened(clips["silent"].path) as video, pytest.raises(OptionError) as caught:
            video.sample(**wrong)  # at once, not only when the first frame is asked for
        assert caught.value.option in wrong

    @pytest.mark.parametrize("times", [[-1.0], [float("nan")], ["x"], [[0.0]], [None]])
    def test_frames(self, opened: Callable[..., Video], clips: Any, times: Any) -> None:
        with opened(clips["silent"].path) as video, pytest.raises(OptionError):
            video.frames(times)

    def test_audio(self, opened: Callable[..., Video], clips: Any) -> None:
        with opened(clips["silent"].path) as video:
            for wrong in [(-1.0, None), (2.0, 1.0), (float("nan"), None), (0.0, float("inf"))]:
                with pytest.raises(OptionError):
                    video.audio(*wrong)
            for rate in (0, -1, 16000.5, 10**9):
                with pytest.raises(OptionError):
                    video.audio(rate=rate)
            for step in (0, -1, float("nan"), 1e9, 1e-9):
                with pytest.raises(OptionError):
                    video.audio_blocks(16000, step)

    def test_closed(self, opened: Callable[..., Video], clips: Any) -> None:
        video = opened(clips["silent"].path)
        running = video.sample(2)
        next(running)
        video.close()
        with pytest.raises(VideoError, match="closed"):
            video.frames([0.0])
        with pytest.raises(VideoError, match="closed"):
            list(video.sample(2))
