"""Sound is heard when the scene says so."""

from __future__ import annotations

import numpy as np

from kairos.world.sampling import sample_scene
from kairos.world.sound import RATE_HZ, waveform


def test_loud_exactly_in_the_spans():
    for seed in range(12):
        scene = sample_scene(seed)
        wave = waveform(scene)
        assert wave.dtype == np.float32
        assert len(wave) == round(scene.duration * RATE_HZ)
        assert np.abs(wave).max() <= 1
        assert np.array_equal(wave, waveform(scene))
        t = np.arange(len(wave)) / RATE_HZ
        heard = np.any([(t >= s.start) & (t < s.end) for s in scene.sounds], axis=0)
        quiet = float(np.sqrt((wave[~heard] ** 2).mean()))
        for s in scene.sounds:
            inside = wave[round(s.start * RATE_HZ) : round(s.end * RATE_HZ)]
            assert np.sqrt((inside**2).mean()) > 3 * quiet
