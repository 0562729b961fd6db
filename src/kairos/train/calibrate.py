"""Thresholds from the validation split, which shares nothing with training or test but the world.

Presence: where present and absent queries are told apart best on balance. Firing online: where the share of present queries
that fire with the right span exceeds the share of absent ones that fire by most. Speaking in a duet: where events are answered and silence is kept best (F1 of runs of
ticks above the threshold), for each kind of heads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from kairos.model.duet import KINDS, Duet
from kairos.model.kairos import KairosModel
from kairos.model.session import Session
from kairos.model.trigger import Trigger
from kairos.train.pool import tick_times
from kairos.world.language import Query, Speaker, Standing
from kairos.world.raster import render
from kairos.world.sampling import sample_scene
from kairos.world.sound import waveform

SILENT = Trigger(threshold=2.0)  # two scores never sum to more
_GRID = np.linspace(0.05, 0.95, 37)
_SUMS = np.linspace(0.2, 1.8, 33)  # of two heads


@torch.inference_mode()
def calibrate(
    model: KairosModel, scenes: int = 160, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Set the model's thresholds; returns them with what they reach on validation."""
    present: list[bool] = []
    presence: list[float] = []
    watched: dict[str, list[np.ndarray]] = {heads: [] for heads in KINDS}
    fires: list[
        np.ndarray
    ] = []  # of each visual query, at each threshold: fires, and fires with the right span
    real: list[bool] = []
    config = model.config
    samples = int(config.audio_rate / config.fps)
    for seed in range(scenes):
        scene = sample_scene(seed, "validation")
        session = model.session()
        times = tick_times(scene.duration, config.fps)
        frames = render([scene], [times], config.image_size).images.numpy()
        wave = waveform(scene)[: len(times) * samples]
        session.see(frames, wave)
        for query in Speaker(scene, np.random.default_rng((seed, 7))).ground(10):
            session.say(query.query)
            present.append(query.present)
            presence.append(session.presence)
            if "visual" in query.tags:
                real.append(query.present)
                fires.append(_fires(session, query))
        standing = Speaker(scene, np.random.default_rng((seed, 8))).watch(6)
        for heads in KINDS:
            watched[heads] += _watch(model.duet(heads=heads, trigger=SILENT), standing, frames, wave)
        if progress is not None:
            progress(seed + 1, scenes)
    here, p = np.array(present), np.array(presence)
    balance = [((p[here] >= t).mean() + (p[~here] < t).mean()) / 2 for t in _GRID]
    fired, right = np.array(fires).transpose(1, 0, 2)
    false_fires, hits = fired[~np.array(real)].mean(0), right[np.array(real)].mean(0)
    best = int(np.argmax(hits - false_fires))
    config.presence_threshold = float(_GRID[int(np.argmax(balance))])
    config.fire_threshold = float(_GRID[best])
    f1 = {heads: _f1(np.sum(counts, 0)) for heads, counts in watched.items()}
    config.watch_thresholds = {heads: float(_SUMS[int(np.argmax(f))]) for heads, f in f1.items()}
    return {
        "presence_threshold": config.presence_threshold,
        "balanced_accuracy": float(max(balance)),
        "fire_threshold": config.fire_threshold,
        "false_fires": float(false_fires[best]),
        "online": float(hits[best]),
        **{f"{heads}_watch_threshold": t for heads, t in config.watch_thresholds.items()},
        **{f"{heads}_watch_f1": float(f.max()) for heads, f in f1.items()},
    }


def _fires(session: Session, query: Query) -> np.ndarray:
    """Whether a query fires at each threshold of presence, and whether its first span then is right (IoU 0.5): (2, n)."""
    fires = np.zeros((2, len(_GRID)), bool)
    for _, presence, (a, b, _) in session.closings():
        new = (presence >= _GRID) & ~fires[0]
        fires[0] |= new
        fires[1] |= new & any(
            min(b, d) - max(a, c) >= 0.5 * (max(b, d) - min(a, c)) for c, d in query.moments
        )
    return fires


def _watch(duet: Duet, standing: list[Standing], frames: np.ndarray, wave: np.ndarray) -> list[np.ndarray]:
    """For each query and threshold: runs above it, runs that begin inside an event, events, events in which it is above."""
    numbers = [duet.say(s.query) for s in standing]
    duet.see(frames, wave)
    counts = []
    for number, s in zip(numbers, standing, strict=True):
        scores = duet.scores(number)
        above = (scores.relevance + scores.informative)[None] > _SUMS[:, None]
        begins = above & ~np.pad(above, ((0, 0), (1, 0)))[:, :-1]
        inside = np.array([[a <= t <= b for t in scores.times] for (a, b), _ in s.answers], bool)
        inside = inside.reshape(len(s.answers), len(scores.times))
        counts.append(
            np.stack(
                [
                    begins.sum(1),
                    (begins & inside.any(0)).sum(1),
                    np.full(len(_SUMS), len(s.answers)),
                    (above[:, None] & inside).any(2).sum(1),
                ],
                1,
            )
        )
    return counts


def _f1(counts: np.ndarray) -> np.ndarray:
    runs, right, events, met = counts.T
    precision, recall = right / np.maximum(runs, 1), met / np.maximum(events, 1)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)
