from __future__ import annotations

import numpy as np
import pytest

from kairos.bench.exams.exam import View
from kairos.bench.exams.views import Cuts, Library, opened
from kairos.errors import InputError


def test_videos_are_found_by_their_names_wherever_they_lie(tmp_path):
    for name in ("a/b/NUsG9BgSes0_210.0_360.0.mp4", "v_abc.mkv", "other.mov", "x/img/0001.jpg", "y/0001.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    library = Library(tmp_path, folders=True)
    for name in (
        "NUsG9BgSes0_210.0_360.0",
        "videos/NUsG9BgSes0_210.0_360.0.mp4",
        "v_abc.mp4",
        "other",
        "x",
        "y",
    ):
        assert library.find(name) is not None, name
    assert library.find("x").name == "img"
    assert library.find("z") is None
    assert Library(tmp_path).find("y") is None
    assert Library(tmp_path, pictures=True).find("0001.jpg").suffix == ".jpg"


def test_parts_are_joined_on_a_clock_of_their_own(videos):
    with opened(View(videos / "one.mp4", ((4.5, 5.5), (1.0, 2.0), (1.5, 2.5), (7.9, 30.0)))) as video:
        assert isinstance(video, Cuts)
        assert video.duration == pytest.approx(1.5 + 1.0 + 0.1, abs=0.05)
        assert video.source_time(1.6) == pytest.approx(4.6)
        red, green = (
            frame.image.reshape(-1, 3).mean(0) for frame in video.sample(1.0, size=8, phase=0.5, end=2.4)
        )
        assert (int(np.argmax(red)), int(np.argmax(green))) == (0, 1)
        with pytest.raises(InputError, match="no part of"):
            Cuts(video, [(100.0, 101.0)])
