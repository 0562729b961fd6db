"""The audio tower: one tick's sound to a few local features and their mean.

Shapes: N ticks, M mel steps, n samples, C channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.config import KairosConfig
from kairos.video.mel import BANDS


class AudioTower(nn.Module):
    """Convolutions over a tick's log-mel steps; a dense head names the sounds heard."""

    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        c = config.audio_width
        self.body = nn.Sequential(
            nn.Conv1d(BANDS, c, 5, 2, 2),
            nn.GELU(),
            nn.Conv1d(c, c, 3, 2, 1),
            nn.GELU(),
            nn.Conv1d(c, c, 3, 1, 1),
            nn.GELU(),
        )
        self.tokens = config.audio_tokens
        self.sounds = nn.Linear(c, config.sounds)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (N, M, BANDS) -> local features (N, tokens, C) and their mean (N, C)."""
        x = self.body(mel.transpose(1, 2))
        return F.adaptive_avg_pool1d(x, self.tokens).transpose(1, 2), x.mean(-1)
