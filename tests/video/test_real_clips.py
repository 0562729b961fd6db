"""Real clips that nobody here made, read whole; skipped where they are absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kairos.video import open as open_file

NAMES = [
    "anet_v_GGSY1Qvo990.mp4", "askanything_yoga.mp4", "autoeditor_example.mp4", "bmt_women_long_jump.mp4",
    "cotracker_apple.mp4", "ffwasm_bbb_180_10s_vp9.webm", "imageio_cockatoo.mp4", "intel_bottle-detection.mp4",
    "llamafactory_cooking.avi", "lrs3_ted_talk.mp4", "moviepy_big_buck_bunny_0_30.webm",
    "psd_issue-195-aspect-ratio.mp4", "psd_testvideo.mp4", "pysot_bag.avi", "sam2_01_dog.mp4", "sam2_05_juggle.mp4",
    "samtrack_blackswan.mp4", "timer1_OHOFG.mp4", "torchcodec_h265_video.mp4", "torchcodec_nasa_13013.mp4",
    "univtg_charades.mp4", "videollama_dog_barking.mp4", "videor1_video1.mp4",
]  # fmt: skip
SUBTITLES_RUN_ON = {
    "torchcodec_nasa_13013.mp4"
}  # its container ends with its subtitles, 3.5 s after the picture


def cuts(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much each frame differs from the one before."""
    grey = images.mean(axis=3)
    return np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_reads(name: str, real_videos: Path) -> None:
    facts = json.loads((real_videos / "events.json").read_text())[name]
    with open_file(real_videos / name) as video:
        if name not in SUBTITLES_RUN_ON:
            assert video.duration == pytest.approx(facts["duration"], abs=0.11)
            assert video.rate == pytest.approx(facts["fps_avg"], rel=0.02)
        assert video.has_audio == (facts["audio"] != "none")
        frames = [(frame.time, frame.at, frame.image.mean()) for frame in video.sample(2, size=32, phase=0.5)]
        assert len(frames) == int(np.ceil(video.duration * 2 - 0.5))
        assert all(time <= at for time, at, _ in frames)
        assert video.gaps == ()
        assert video.watermark == video.duration
        middle = len(frames) // 2
        single = video.frames([frames[middle][1], frames[0][1]], size=32)
        assert single.times.tolist() == [frames[middle][0], frames[0][0]]
        assert single.images[0].mean() == frames[middle][2]
        sound = video.audio()
        assert len(sound) == round(video.duration * 16000)
        if not video.has_audio or "digital silence" in facts["audio"]:
            assert np.abs(sound).max() < 1e-3


def test_hard_cut_at_its_time(real_videos: Path) -> None:
    with open_file(real_videos / "psd_testvideo.mp4") as video:
        found = video.frames(np.array([1.0, 1.002]), size=64)
    assert found.times[1] == pytest.approx(1.001, abs=1e-3)
    assert found.times[0] < 1.0
    assert cuts(found.images)[0] > 40


@pytest.mark.parametrize(
    ("name", "tolerance", "times"),
    [
        ("psd_issue-195-aspect-ratio.mp4", 0.06, [2.80, 6.80, 12.04, 16.84, 19.36]),
        ("llamafactory_cooking.avi", 0.04, [1.571]),
        ("moviepy_big_buck_bunny_0_30.webm", 0.05, [11.795, 15.67, 22.961]),
        ("torchcodec_nasa_13013.mp4", 0.04, [8.008]),
    ],
)
def test_cuts_at_their_times(name: str, tolerance: float, times: list[float], real_videos: Path) -> None:
    with open_file(real_videos / name) as video:
        for cut in times:
            around = cut + np.linspace(-0.5, 0.5, 51)
            found = video.frames(around, size=48)
            change = cuts(found.images)
            assert found.times[int(change.argmax()) + 1] == pytest.approx(cut, abs=tolerance)


def test_sizes(real_videos: Path) -> None:
    with open_file(real_videos / "psd_issue-195-aspect-ratio.mp4") as video:
        assert video.size == (1024, 576)  # 704 x 576 with pixels of 16:11
    with open_file(real_videos / "torchcodec_nasa_13013.mp4") as video:
        assert video.size == (480, 270)  # the larger of its two pictures
        assert [stream.used for stream in video.streams if stream.kind == "video"] == [False, True]


def test_sound_on_and_off_at_its_times(real_videos: Path) -> None:
    on = [(0.18, 0.66), (1.32, 4.78), (5.06, 10.38), (10.72, 13.04), (13.86, 17.30), (39.96, 40.56)]
    with open_file(real_videos / "autoeditor_example.mp4") as video:
        for sound in (
            video.audio(0.0, 42.0),
            np.concatenate(list(video.audio_blocks(16000, 0.5, 0.0, 42.0))),
        ):
            level = np.sqrt(np.square(sound.reshape(-1, 320)).mean(axis=1))
            loud = level > 1e-3  # 20 ms windows against -60 dB, as the times were measured
            for start, end in on:
                inside = loud[round(start / 0.02) + 2 : round(end / 0.02) - 2]
                assert inside.mean() > 0.6
                assert not loud[round(start / 0.02) - 6 : round(start / 0.02) - 2].any()
                assert not loud[round(end / 0.02) + 2 : round(end / 0.02) + 6].any()
            assert not loud[round(17.4 / 0.02) : round(39.9 / 0.02)].any()


def test_frame_numbers_of_an_hevc_clip(real_videos: Path) -> None:
    with open_file(real_videos / "torchcodec_h265_video.mp4") as video:
        forward = list(video.sample())
        assert [round(frame.time, 6) for frame in forward] == [round(i / 10, 6) for i in range(10)]
        backward = video.frames([frame.time for frame in forward][::-1])
        for frame, image in zip(forward, backward.images[::-1], strict=True):
            np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("name", ["imageio_cockatoo.mp4", "pysot_bag.avi", "ffwasm_bbb_180_10s_vp9.webm"])
def test_a_sample_shows_the_same_pixels_as_every_frame(name: str, real_videos: Path) -> None:
    """What is left out while sampling must not change what is shown."""
    with open_file(real_videos / name) as video:
        end = min(video.duration, 6.0)
        every = {frame.time: frame.image.copy() for frame in video.sample(size=(160, 90), end=end)}
        sampled: list[Any] = list(video.sample(3, size=(160, 90), phase=0.5, end=end))
        assert len(sampled) == int(np.ceil(end * 3 - 0.5))
        for frame in sampled:
            np.testing.assert_array_equal(frame.image, every[frame.time])
