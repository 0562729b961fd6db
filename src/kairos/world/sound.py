"""Sound for scenes: mono float32 waveforms from the same exact spans as the pictures."""

from __future__ import annotations

import numpy as np

from kairos.world.scene import Scene, Sound

RATE_HZ = 16_000


def waveform(scene: Scene, rate: int = RATE_HZ) -> np.ndarray:
    """The scene's sound, float32 (round(duration * rate),) in [-1, 1]; quiet noise where nothing is heard."""
    rng = np.random.default_rng((104729, scene.seed, len(scene.split)))
    level = (
        0.0 if rng.random() < 0.2 else 10 ** rng.uniform(-4.2, -2.2)
    )  # some recordings are digitally silent
    wave = rng.standard_normal(round(scene.duration * rate), np.float32) * np.float32(level)
    for sound in scene.sounds:
        a, b = round(sound.start * rate), min(round(sound.end * rate), len(wave))
        wave[a:b] += _play(sound, b - a, rate, rng)
    return np.clip(wave, -1, 1)


def _play(sound: Sound, n: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(n, dtype=np.float32) / rate
    gain, pitch = rng.uniform(0.12, 0.4), rng.uniform(0.9, 1.12)
    if sound.kind == "beep":  # a steady tone, interrupted
        wave = np.sin(2 * np.pi * 900 * pitch * t) * (t % 0.4 < 0.28)
    elif sound.kind == "chime":  # bells: inharmonic partials that ring out
        since = t % 0.5
        partials = np.array([(1320.0, 0.6), (2090.0, 0.35), (3170.0, 0.2)], np.float32)
        wave = partials[:, 1] @ np.sin(2 * np.pi * pitch * partials[:, :1] * t) * np.exp(-5 * since)
    elif sound.kind == "knock":  # short dull thuds
        since = t % 0.3
        wave = (np.sin(2 * np.pi * 190 * pitch * since) + 0.4 * rng.standard_normal(n, np.float32)) * np.exp(
            -38 * since
        )
    else:  # buzz: a low saw
        wave = 2 * ((t * 115 * pitch) % 1) - 1
    edge = np.minimum(1, np.minimum(t, t[::-1]) / 0.01) if n else t
    return (gain * wave * edge).astype(np.float32)
