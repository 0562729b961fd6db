"""Dense visual labels: what is where in every frame, as a list of objects a frame.

Shapes: F frames, N sprites. Boxes are (centre x, centre y, width, height) in fractions of the frame, not clipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kairos.world.raster import Rendered, boxes_at
from kairos.world.scene import Scene

NOTHING = -100  # the index that losses ignore


@dataclass
class Objects:
    """What each frame shows, all (F, N) but `box` (F, N, 4)."""

    visible: Tensor  # bool: enough of it is seen (or was, half a second ago, for what blinks)
    colour: Tensor  # index into COLOURS as shown, NOTHING if between two, a cup or repainted
    shape: Tensor  # index into SHAPES, or CUP
    event: Tensor  # 1 + index into EVENTS of what it does, 0 for nothing
    box: Tensor
    thing: Tensor  # index of the thing; NOTHING for cups


def objects_in(
    rendered: Rendered, scenes: list[Scene], painted: list[np.ndarray | None] | None = None
) -> Objects:
    """Labels of rendered frames; `painted` are the tints they were rendered with."""
    frames = sum(rendered.counts)
    n = max(len(s.shape) for s in rendered.states)
    colour = np.full((frames, n), NOTHING)
    shape, event, thing = colour.copy(), np.zeros((frames, n), np.int64), colour.copy()
    box, blinking = np.zeros((frames, n, 4), np.float32), np.zeros((frames, n), bool)
    a = 0
    for k, (s, count) in enumerate(zip(rendered.states, rendered.counts, strict=True)):
        b, m, things = a + count, len(s.shape), len(scenes[k].things)
        colour[a:b, :m] = np.where(s.colour < 0, NOTHING, s.colour).T
        if painted is not None and (paint := painted[k]) is not None:
            colour[a:b, :things][:, ~np.isnan(paint[:, 0])] = NOTHING
        shape[a:b, :m] = s.shape
        event[a:b, :m] = s.event.T + 1
        thing[a:b, :things] = np.arange(things)
        blinking[a:b, :m] = (s.alpha == 0).T & (s.event >= 0).T
        for i in range(m):
            xyxy = boxes_at(s, i)
            box[a:b, i] = np.concatenate([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]], 1)
        blinking[a:b, things:m] = False
        a = b
    owner = rendered.owner
    index = owner.flatten(1).long() + 1 + torch.arange(frames, device=owner.device)[:, None] * (n + 1)
    pixels = torch.bincount(index.flatten(), minlength=frames * (n + 1)).view(frames, n + 1)[:, 1:].cpu()
    full = torch.as_tensor(box[..., 2] * box[..., 3]) * owner.shape[1] * owner.shape[2]
    visible = (pixels > 0.15 * full) & (pixels >= 8)
    centre = torch.as_tensor(box[..., :2])
    visible = (visible | torch.as_tensor(blinking)) & ((centre > -0.05) & (centre < 1.05)).all(-1)
    return Objects(visible, *(torch.as_tensor(v) for v in (colour, shape, event, box, thing)))
