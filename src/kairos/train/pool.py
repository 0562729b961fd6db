"""The pool: clips rendered once, kept as what the frozen towers make of them.

Every later stage reads it; queries are drawn anew each time from the scenes, which their seeds give back. A shard is one
safetensors file, so a killed run goes on at the next shard.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kairos.model.kairos import Perceived
from kairos.train.perception import PerceptionLoss, disturb
from kairos.video.mel import log_mel
from kairos.world.labels import NOTHING, objects_in
from kairos.world.lexicon import COLOUR_NAMES, SHAPES
from kairos.world.raster import render
from kairos.world.sampling import sample_scene
from kairos.world.scene import Scene
from kairos.world.sound import waveform


def tick_times(duration: float, fps: float) -> np.ndarray:
    """The middles of a clip's ticks, where their frames are taken."""
    return (np.arange(int(duration * fps)) + 0.5) / fps


@torch.inference_mode()
def encode(
    towers: PerceptionLoss, scenes: list[Scene], rng: np.random.Generator, device: str = "cpu"
) -> dict[str, Tensor]:
    """Features of whole clips, ticks of all in a row, with the thing that each slot shows."""
    config = towers.vision.config
    times = [tick_times(scene.duration, config.fps) for scene in scenes]
    rendered = render(scenes, times, config.image_size, device)
    counts = rendered.counts
    frames = rendered.images
    previous = torch.cat([torch.cat([clip[:1], clip[:-1]]) for clip in frames.split(counts)])
    frames, previous = _disturb_clips(frames, previous, counts, rng)
    n = int(config.audio_rate / config.fps)
    waves = [
        torch.as_tensor(waveform(s, config.audio_rate))[: c * n].view(c, n)
        for s, c in zip(scenes, counts, strict=True)
    ]
    with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
        parts = [
            towers.vision(f.to(device), p.to(device))
            for f, p in zip(frames.split(256), previous.split(256), strict=True)
        ]
        slots, attributes, scene_feature = (torch.cat(x) for x in zip(*parts, strict=True))
        sounds, sound = towers.audio(log_mel(torch.cat(waves).to(device)))
    objects = objects_in(rendered, scenes)
    centre = objects.box[:, None, :, :2]
    place = attributes[..., None, -4:-2].float().cpu()
    distance = (
        (centre - place)
        .norm(dim=-1)
        .masked_fill(~objects.visible[:, None] | (objects.thing == NOTHING)[:, None], 9.0)
    )
    near, index = distance.min(-1)
    thing = objects.thing.gather(1, index)
    thing[(near > 0.12) | (attributes[..., 0].cpu() < 0.3)] = -1
    features = {
        "slots": slots,
        "attributes": attributes,
        "scene": scene_feature,
        "sounds": sounds,
        "sound": sound,
    }
    return {
        **{k: v.half().cpu().contiguous() for k, v in features.items()},
        "thing": thing.to(torch.int8),
        "counts": torch.tensor(counts),
    }


def _disturb_clips(
    frames: Tensor, previous: Tensor, counts: list[int], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """One camera a clip: the same gain and softness throughout."""
    out = [
        disturb(f, p, np.random.default_rng(int(rng.integers(1 << 40))), one=True)
        for f, p in zip(frames.split(counts), previous.split(counts), strict=True)
    ]
    frames = torch.cat([f for f, _ in out])
    previous = torch.cat([torch.cat([f[:1], f[:-1]]) for f, _ in out])
    return frames, previous


def fill(
    towers: PerceptionLoss,
    folder: Path,
    clips: int,
    shard: int,
    seed: int,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write the shards that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [(k, folder / f"clips-{k:05}.safetensors") for k in range(-(-clips // shard))]
    missing = [(k, path) for k, path in names if not path.exists()]
    if not missing:
        return
    if not workers:  # here and now
        _begin(towers)
        for done, (k, path) in enumerate(missing, len(names) - len(missing) + 1):
            _write(path, seed, k, shard)
            if progress is not None:
                progress(done * shard, clips)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (towers,)) as executor:
        jobs = [executor.submit(_write, path, seed, k, shard) for k, path in missing]
        for done, job in enumerate(as_completed(jobs), len(names) - len(missing) + 1):
            job.result()
            if progress is not None:
                progress(done * shard, clips)


_towers: PerceptionLoss | None = None


def _begin(towers: PerceptionLoss) -> None:
    global _towers
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    _towers = towers.eval()


def clip_seed(seed: int, index: int) -> int:
    """The scene's seed of a pool's clip."""
    return (seed << 32) + index


def _write(path: Path, seed: int, k: int, shard: int) -> None:
    assert _towers is not None
    rows = []
    for a in range(k * shard, (k + 1) * shard, 10):
        scenes = [sample_scene(clip_seed(seed, i)) for i in range(a, min(a + 10, (k + 1) * shard))]
        rows.append(encode(_towers, scenes, np.random.default_rng((seed, 2, a))))
    part = path.with_suffix(f".part{os.getpid()}")
    save_file({key: torch.cat([row[key] for row in rows]) for key in rows[0]}, str(part))
    part.replace(path)


class Pool:
    """Random access to the clips of a folder of shards, held in memory."""

    def __init__(self, folder: Path, seed: int) -> None:
        paths = sorted(folder.glob("clips-*.safetensors"))
        if not paths:
            raise FileNotFoundError(f"{folder}: no clips; fill the pool first")
        parts = [load_file(str(p)) for p in paths]
        self.data = {k: torch.cat([p[k] for p in parts]) for k in parts[0]}
        self.counts = self.data.pop("counts").tolist()
        self.offsets = np.concatenate([[0], np.cumsum(self.counts)])
        self.seed = seed

    def __len__(self) -> int:
        return len(self.counts)

    def scene(self, index: int) -> Scene:
        return sample_scene(clip_seed(self.seed, index))

    def clips(self, indices: list[int]) -> tuple[Perceived, Tensor]:
        """Features of some clips, padded to the longest, and each slot's thing (B, T, S), -1 for none."""
        longest = max(self.counts[i] for i in indices)

        def rows(key: str, fill: float = 0.0) -> Tensor:
            x = self.data[key]
            out = torch.full((len(indices), longest, *x.shape[1:]), fill, dtype=x.dtype)
            for b, i in enumerate(indices):
                out[b, : self.counts[i]] = x[self.offsets[i] : self.offsets[i + 1]]
            return out

        features = Perceived(*(rows(k).float() for k in ("slots", "attributes", "scene", "sounds", "sound")))
        return features, rows("thing", -1).long()


def identity(scene: Scene, thing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour and shape that each slot's thing is known by (T, S), NOTHING where there is none."""
    colour = np.array([COLOUR_NAMES.index(t.colour) for t in scene.things] + [NOTHING])
    shape = np.array([SHAPES.index(t.shape) for t in scene.things] + [NOTHING])
    return colour[thing], shape[thing]
