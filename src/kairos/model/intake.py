"""What is seen and heard on its way in: checked, cut into chunks, perceived and fused, each tick once and for all queries.

Feeding ticks one at a time, in chunks or all at once gives the same: what the trunk needs of the ticks before is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kairos.errors import InputError
from kairos.model.kairos import FramesPast, KairosModel
from kairos.model.names import Frames


class Intake:
    """The trunk's side of one stream."""

    def __init__(self, model: KairosModel) -> None:
        self.model = model
        self.ticks = 0
        self._previous: Tensor | None = None
        self._past = FramesPast()

    @torch.inference_mode()
    def see(
        self, frames: NDArray[np.uint8], audio: NDArray[np.float32] | None, chunk: int
    ) -> Iterator[Frames]:
        """The next n ticks as frames of at most `chunk` ticks: RGB (n, S, S, 3), sound (n * audio_rate / fps,) or None.

        Raises InputError where the shapes do not fit the model's.
        """
        model = self.model
        size, n = model.config.image_size, len(frames)
        samples = int(model.config.audio_rate / model.config.fps)
        if frames.shape[1:] != (size, size, 3) or frames.dtype != np.uint8:
            raise InputError(
                f"frames are {frames.dtype} {frames.shape}; this model sees uint8 (n, {size}, {size}, 3)"
            )
        if audio is not None and audio.shape != (n * samples,):
            raise InputError(f"sound is {audio.shape}; {n} ticks have ({n * samples},) samples")
        for a in range(0, n, chunk):
            now = torch.from_numpy(np.ascontiguousarray(frames[a : a + chunk])).to(model.device)
            wave = torch.zeros(len(now), samples)
            if audio is not None:
                wave = torch.from_numpy(np.array(audio[a * samples : (a + len(now)) * samples], np.float32))
            first = now[:1] if self._previous is None else self._previous
            seen = model.perceive(
                now, torch.cat([first, now[:-1]]), wave.view(len(now), samples).to(model.device)
            )
            fused, self._past = model.fuse(seen, self._past)
            self._previous = now[-1:]
            self.ticks += len(now)
            yield fused
