"""Thresholds from the validation split, which shares nothing with training or test but the world.

Presence: where present and absent queries are told apart best on balance. Firing online: as low as the share of absent
queries that fire stays within a budget.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from kairos.model.kairos import KairosModel
from kairos.train.pool import tick_times
from kairos.world.language import Speaker
from kairos.world.raster import render
from kairos.world.sampling import sample_scene
from kairos.world.sound import waveform

FALSE_FIRES = 0.10
_GRID = np.linspace(0.05, 0.95, 37)


@torch.inference_mode()
def calibrate(
    model: KairosModel, scenes: int = 80, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Set the model's two thresholds; returns them with what they reach on validation."""
    present: list[bool] = []
    presence: list[float] = []
    fired: list[float] = []  # of absent visual queries, the highest presence at which one would fire
    config = model.config
    samples = int(config.audio_rate / config.fps)
    for seed in range(scenes):
        scene = sample_scene(seed, "validation")
        session = model.session()
        times = tick_times(scene.duration, config.fps)
        session.see(
            render([scene], [times], config.image_size).images.numpy(),
            waveform(scene)[: len(times) * samples],
        )
        for query in Speaker(scene, np.random.default_rng((seed, 7))).ground(10):
            session.say(query.query)
            present.append(query.present)
            presence.append(session.presence)
            if "visual" in query.tags and not query.present:
                fired.append(max((presence_then for _, presence_then, _ in session.closings()), default=0.0))
        if progress is not None:
            progress(seed + 1, scenes)
    here, p = np.array(present), np.array(presence)
    balance = [((p[here] >= t).mean() + (p[~here] < t).mean()) / 2 for t in _GRID]
    false_fires = np.array([np.mean(np.array(fired) >= t) for t in _GRID])
    low = (
        int(np.flatnonzero(false_fires <= FALSE_FIRES)[0])
        if (false_fires <= FALSE_FIRES).any()
        else len(_GRID) - 1
    )
    config.presence_threshold = float(_GRID[int(np.argmax(balance))])
    config.fire_threshold = float(_GRID[low])
    return {
        "presence_threshold": config.presence_threshold,
        "balanced_accuracy": float(max(balance)),
        "fire_threshold": config.fire_threshold,
        "false_fires": float(false_fires[low]),
    }
