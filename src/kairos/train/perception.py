"""Stage one: perception from dense labels, before any word (TPO's argument, at this size a necessity).

Frames are diverse rather than many of a clip: a few moments of each of many scenes. Some objects are repainted in colours
that have no name, their colour label left out: shapes are then learned whatever the paint, and the pairs that the world
holds out are still never shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.audio import AudioTower
from kairos.model.config import KairosConfig
from kairos.model.vision import VisionTower
from kairos.train.batches import Batches
from kairos.video.mel import log_mel
from kairos.world.labels import NOTHING, objects_in
from kairos.world.lexicon import COLOURS, SOUNDS
from kairos.world.raster import render
from kairos.world.sampling import sample_scene
from kairos.world.scene import Scene
from kairos.world.sound import waveform

_PALETTE = np.array(list(COLOURS.values())) / 255.0


class PerceptionBatches(Batches):
    """Batch k is drawn from seed and k alone, so that a run resumes at any step."""

    def __init__(
        self, config: KairosConfig, seed: int, scenes: int, moments: int, first: int, steps: int
    ) -> None:
        super().__init__(first, steps)
        self.config, self.seed, self.scenes, self.moments = config, seed, scenes, moments

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, 1, step))
        scenes = [sample_scene(int(s)) for s in rng.integers(1 << 40, 1 << 41, self.scenes)]
        tick = 1.0 / self.config.fps
        times = []
        for scene in scenes:
            busy = [rng.uniform(e.start, e.end) for e in scene.events]
            now = np.where(
                rng.random(self.moments) < 0.6,
                rng.choice(busy, self.moments),
                rng.uniform(0, scene.duration, self.moments),
            )
            now = np.clip(now, tick, scene.duration - 1e-3)
            times.append(np.concatenate([now, now - tick]))
        tints = [_tint(scene, rng) for scene in scenes]
        rendered = render(scenes, times, self.config.image_size, tint=tints)
        objects = objects_in(rendered, scenes, tints)
        is_now = torch.tensor(([True] * self.moments + [False] * self.moments) * self.scenes)
        frames, previous = rendered.images[is_now], rendered.images[~is_now].clone()
        opening = torch.as_tensor(
            rng.random(len(frames)) < 0.03
        )  # a clip's first frame has nothing before it
        previous[opening] = frames[opening]
        event = objects.event[is_now]
        event[opening] = NOTHING
        frames, previous = disturb(frames, previous, rng)
        mel, heard = self._sounds(scenes[:6], rng)
        return {
            "frames": frames,
            "previous": previous,
            "mask": F.avg_pool2d((rendered.owner[is_now] >= 0).float()[:, None], 2),
            "visible": objects.visible[is_now],
            "colour": objects.colour[is_now],
            "shape": objects.shape[is_now],
            "event": event,
            "box": objects.box[is_now],
            "mel": mel,
            "heard": heard,
        }

    def _sounds(self, scenes: list[Scene], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rate, fps = self.config.audio_rate, self.config.fps
        n, mels, heard = int(rate / fps), [], []
        for scene in scenes:
            ticks = rng.integers(0, int(scene.duration * fps), 16)
            wave = waveform(scene, rate)
            mels.append(np.stack([wave[k * n : (k + 1) * n] for k in ticks]))
            heard.append(hearing(scene, ticks, fps))
        return log_mel(torch.as_tensor(np.concatenate(mels))), torch.as_tensor(np.concatenate(heard))


def hearing(scene: Scene, ticks: np.ndarray, fps: float) -> np.ndarray:
    """Which sounds fill at least half of each tick: float32 (n, len(SOUNDS))."""
    heard = np.zeros((len(ticks), len(SOUNDS)), np.float32)
    for s in scene.sounds:
        shared = np.minimum(s.end, (ticks + 1) / fps) - np.maximum(s.start, ticks / fps)
        heard[:, SOUNDS.index(s.kind)] += np.clip(shared, 0, None) * fps >= 0.5
    return heard.clip(0, 1)


def _tint(scene: Scene, rng: np.random.Generator) -> np.ndarray | None:
    paint = np.full((len(scene.things), 3), np.nan)
    for i in range(len(scene.things)):
        if rng.random() < 0.35 and not scene.of(i, "colour"):
            for _ in range(10):
                rgb = rng.uniform(0.05, 1.0, 3)
                if np.abs(_PALETTE - rgb).sum(1).min() > 0.45 and rgb.max() - rgb.min() > 0.2:
                    paint[i] = rgb
                    break
    return paint


def disturb(
    frames: Tensor, previous: Tensor, rng: np.random.Generator, one: bool = False
) -> tuple[Tensor, Tensor]:
    """What cameras and codecs do: gain, tint, softness and noise, alike for a frame and the one before it; uint8 in and out.

    With `one`, all frames are of one camera.
    """
    n = 1 if one else len(frames)
    gain = torch.as_tensor(
        rng.uniform(0.88, 1.1, (n, 1, 1, 1)) * rng.uniform(0.96, 1.04, (n, 1, 1, 3)), dtype=torch.float32
    )
    shift = torch.as_tensor(rng.uniform(-8, 8, (n, 1, 1, 1)), dtype=torch.float32)
    soft = torch.as_tensor(rng.uniform(0, 0.35, (n, 1, 1, 1)), dtype=torch.float32)
    noise = torch.as_tensor(rng.uniform(0, 3.5, (n, 1, 1, 1)), dtype=torch.float32)
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
    out = []
    for x in (frames, previous):
        y = x.float()
        around = (y.roll(1, 1) + y.roll(-1, 1) + y.roll(1, 2) + y.roll(-1, 2)) * 0.25
        y = torch.lerp(y, around, soft) * gain + shift + noise * torch.randn(y.shape, generator=generator)
        out.append(y.clamp_(0, 255).to(torch.uint8))
    same = (frames == previous).flatten(1).all(1)
    out[1][same] = out[0][same]
    return out[0], out[1]


class PerceptionLoss(nn.Module):
    """The towers under their dense losses."""

    def __init__(self, vision: VisionTower, audio: AudioTower) -> None:
        super().__init__()
        self.vision, self.audio = vision, audio

    def forward(self, **batch: Tensor) -> dict[str, Any]:
        dense = self.vision.heads(self.vision.grid(batch["frames"], batch["previous"]))
        g = dense.objectness.shape[-1]
        visible, box = batch["visible"], batch["box"]
        frame, slot = visible.nonzero(as_tuple=True)
        cell = (box[frame, slot, :2] * g).floor().clamp(0, g - 1).long()
        column, row = cell.unbind(-1)
        target = torch.zeros_like(dense.objectness[:, 0])
        target[frame, row, column] = 1.0
        losses = {
            "objectness": 2
            * F.binary_cross_entropy_with_logits(
                dense.objectness[:, 0], target, pos_weight=torch.tensor(3.0, device=target.device)
            ),
            "mask": 0.5 * F.binary_cross_entropy_with_logits(dense.mask, batch["mask"]),
        }
        for name in ("colour", "shape", "event"):
            logits = getattr(dense, name)[frame, :, row, column]
            wanted = batch[name][frame, slot]
            losses[name] = F.cross_entropy(logits, wanted, ignore_index=NOTHING)
            known = wanted != NOTHING
            losses[f"{name}_accuracy"] = (logits.argmax(-1) == wanted)[known].float().mean().detach()
        centre = (cell + 0.5) / g
        wanted_box = torch.cat([(box[frame, slot, :2] - centre) * g, box[frame, slot, 2:]], -1)
        losses["box"] = F.smooth_l1_loss(
            dense.box[frame, :, row, column] * torch.tensor([1, 1, 4, 4.0], device=box.device),
            wanted_box * torch.tensor([1, 1, 4, 4.0], device=box.device),
            beta=0.1,
        )
        _local, mean = self.audio(batch["mel"])
        losses["heard"] = F.binary_cross_entropy_with_logits(self.audio.sounds(mean).float(), batch["heard"])
        loss = sum(v for k, v in losses.items() if not k.endswith("_accuracy"))
        return {"loss": loss, **{k: v.detach() for k, v in losses.items()}}
