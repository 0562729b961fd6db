"""One thing being followed through pictures, from a box or from what a query asks for (TPO's mask head at work).

Shapes: n pictures, S the follower's size, C the width of its prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kairos.errors import InputError, OptionError

if TYPE_CHECKING:
    from kairos.model.follower import Followed, Follower, Following

__all__ = ["Pursuit", "Sight"]

_CHUNK = 32  # pictures that are encoded at once


@dataclass(frozen=True)
class Sight:
    """What is seen of it in one picture: logits `mask` (S, S), inside above 0; the probability that any of it is `visible`;
    and the `box` where it is even while it hides, xyxy in fractions of the picture, clipped to it.
    """

    mask: NDArray[np.float32]
    visible: float
    box: tuple[float, float, float, float]


class Pursuit:
    """The first picture is the one that it starts from. Memory is bounded however many follow; not for several threads."""

    def __init__(
        self, follower: Follower, *, box: Sequence[float] | None = None, prompt: Tensor | None = None
    ) -> None:
        """Either a `box`, xyxy in fractions of the picture, or a `prompt` (1, 3, C). Raises OptionError."""
        if (box is None) == (prompt is None):
            raise OptionError("follow either a box or a prompt", option="box", value=box)
        self._follower, self._device = follower, next(follower.parameters()).device
        if box is not None:
            with torch.inference_mode():
                prompt = follower.prompt(torch.tensor([tuple(float(x) for x in box)], device=self._device))
        self._prompt = prompt
        self._state: Following | None = None

    @torch.inference_mode()
    def see(self, frames: NDArray[np.uint8]) -> list[Sight]:
        """The next pictures, RGB (n, S, S, 3). Cut into pieces in any way, the sights are the same. Raises InputError."""
        size = self._follower.size
        if frames.dtype != np.uint8 or frames.shape[1:] != (size, size, 3):
            raise InputError(
                f"pictures are {frames.dtype} {frames.shape}; what follows sees uint8 (n, {size}, {size}, 3)"
            )
        sights = []
        for a in range(0, len(frames), _CHUNK):
            chunk = torch.from_numpy(np.ascontiguousarray(frames[a : a + _CHUNK]))
            features = self._follower.features(chunk.to(self._device))
            for k in range(len(features)):
                now = features[slice(k, k + 1)]
                if self._state is None:
                    assert self._prompt is not None
                    self._state = self._follower.start(now, self._prompt)
                    sights.append(_sight(self._state.now))
                else:
                    sights.append(_sight(self._follower.step(self._state, now)))
        return sights


def _sight(now: Followed) -> Sight:
    x1, y1, x2, y2 = now.boxes[0].clamp(0, 1).tolist()
    box = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
    return Sight(now.masks[0].float().cpu().numpy(), float(now.visible[0].sigmoid()), box)
