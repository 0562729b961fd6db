"""Speed benchmarks: what they run and what they print; the measured numbers are for quiet machines."""

from __future__ import annotations

import pytest

from kairos.bench import decode, run, speed
from kairos.errors import KairosError
from kairos.video import open as open_video


@pytest.fixture
def loaded(monkeypatch, model):
    import kairos

    monkeypatch.setitem(kairos.__dict__, "load", lambda path=None: model)
    model.ask = lambda clip, question: None
    return model


def test_medians_beside_their_limits(monkeypatch, loaded):
    monkeypatch.setattr(speed, "ask_cold", lambda clip, model: None)
    monkeypatch.setattr(speed, "write_clip", lambda path, seed: path)
    steps = []
    report = run("speed", count=2, progress=lambda done, total, what=None: steps.append((done, total)))
    assert steps == [(k, 6) for k in range(1, 7)]
    cold = report.find("cold `kairos ask` on a 16 s clip", "median")
    assert (cold.target.floor, cold.n, cold.passed) == (6.0, 2, True)
    assert report.find("warm ask in process", "median").target.floor == 0.4
    drawn = report.find("clips of the world drawn a second, at the training size", "median")
    assert drawn.value > 0.0  # how many is the benchmark's to say: a busy machine must not fail a test
    assert "clip, s: 16" not in report.markdown()
    assert report.command == "kairos bench speed --count 2"


def test_the_clip_is_sixteen_seconds_with_sound(tmp_path):
    with open_video(speed.write_clip(tmp_path / "clip.mp4")) as video:
        assert video.duration == pytest.approx(16.0, abs=0.1)
        assert video.has_audio


def test_a_cold_run_that_fails_says_why(tmp_path):
    with pytest.raises(KairosError, match=r"kairos ask failed: .*nowhere\.mp4"):
        speed.ask_cold(tmp_path / "nowhere.mp4")


def test_decode_reports_what_it_measured(monkeypatch):
    monkeypatch.setattr(decode, "synthesise", lambda path: path)
    monkeypatch.setattr(decode, "repeat", lambda source, target, times: target)
    found = {"sample_s": 0.5, "opencv_s": 1.0, "ratio": 2.0, "ratio_low": 1.5}
    monkeypatch.setattr(decode, "speed", lambda path, rounds: found)
    monkeypatch.setattr(decode, "growth", lambda path: {"growth_mib": 250.0, "times_real_time": 60.0})
    report = run("decode", count=1)
    assert report.find("OpenCV reading forward / sampling, time", "measured").passed
    assert report.find("one hour, memory added", "measured").passed is False
    monkeypatch.setattr(decode, "speed", lambda path, rounds: {**found, "ratio": None})
    assert "pip install" in " ".join(run("decode", count=1).notes)


@pytest.mark.parametrize("name", ["speed", "decode", "world"])
def test_dry_runs_measure_nothing(name):
    report = run(name, count=3, dry_run=True)
    assert not report.measures
    assert report.facts
    assert report.command == f"kairos bench {name} --count 3"
