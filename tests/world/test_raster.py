"""What is drawn is where the labels say, whatever the size of the frame."""

from __future__ import annotations

import time

import numpy as np
import torch

from kairos.world.labels import objects_in
from kairos.world.lexicon import COLOURS
from kairos.world.raster import boxes_at, render
from kairos.world.sampling import sample_scene

SCENES = [sample_scene(seed) for seed in range(6)]
TIMES = [np.arange(0.25, s.duration, 0.5) for s in SCENES]


def test_a_small_frame_is_a_large_one_averaged():
    large, small = render(SCENES[:1], TIMES[:1], 256), render(SCENES[:1], TIMES[:1], 64)
    down = large.images.float().view(-1, 64, 4, 64, 4, 3).mean((2, 4))
    assert (down - small.images.float()).abs().mean() < 1.0


def test_a_batch_is_its_scenes_one_by_one():
    together = render(SCENES[:3], TIMES[:3])
    alone = torch.cat([render([s], [t]).images for s, t in zip(SCENES[:3], TIMES[:3], strict=True)])
    assert torch.equal(together.images, alone)


def test_boxes_hold_every_pixel_of_their_thing_tightly():
    for scene, times in zip(SCENES, TIMES, strict=True):
        r = render([scene], [times], 128)
        for i in range(len(scene.things)):
            boxes = boxes_at(r.states[0], i) * 128
            for k, owner in enumerate(r.owner):
                ys, xs = np.nonzero(owner.numpy() == i)
                x0, y0, x1, y1 = boxes[k]
                if len(xs):
                    assert xs.min() >= x0 - 1.5
                    assert xs.max() <= x1 + 1.5
                    assert ys.min() >= y0 - 1.5
                    assert ys.max() <= y1 + 1.5
                inside = x0 > 2 and y0 > 2 and x1 < 126 and y1 < 126
                alone = all(
                    (k == k and j == i) or not (owner.numpy() == j).any()
                    for j in range(i + 1, len(r.states[0].shape))
                )
                if inside and alone and len(xs) and r.states[0].alpha[i, k] > 0:
                    assert abs(xs.min() - x0) < 3.5
                    assert abs(xs.max() - x1) < 3.5


def test_labels_name_the_colour_that_is_shown():
    r = render(SCENES, TIMES)
    objects = objects_in(r, SCENES)
    palette = np.array(list(COLOURS.values()))
    right = total = 0
    for frame, slot in objects.visible.nonzero().tolist():
        colour = int(objects.colour[frame, slot])
        pixels = r.images[frame][r.owner[frame] == slot].float()
        if colour < 0 or len(pixels) < 30:
            continue
        seen = pixels.median(0).values.numpy()
        right += int(np.abs(palette - seen).sum(1).argmin() == colour)
        total += 1
    assert total > 200
    assert right / total > 0.97


def test_rendering_is_fast_enough_to_train_on():
    scenes = [sample_scene(seed) for seed in range(16)]
    times = [np.arange(0.25, s.duration, 0.5) for s in scenes]
    render(scenes[:2], times[:2])
    began = time.thread_time()
    render(scenes, times)
    assert 16 / (time.thread_time() - began) > 15, "clips a second of one core"
