"""The stream's turn in the language model's context, as MMDuet has it (sections 3 and 4.1): tokens of a frame, two heads.

A tick is a few tokens: its slots, each with the words for what it is known by, and one each for the scene, the sound and
what is fused. On the decoder's state at the last of them stand two bias-free heads, informative and relevance.

Shapes: B clips, T ticks, M tokens a tick, E decoder width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kairos.model.config import KairosConfig
from kairos.model.names import Frames


class Stream(nn.Module):
    """Frames to decoder tokens, and decoder states to the two scores of the `context` kind."""

    def __init__(self, config: KairosConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.norm, self.token = nn.LayerNorm(config.width), nn.Linear(config.width, width)
        self.kind = nn.Parameter(torch.randn(config.context_tokens, width) * 0.02)
        self.said = nn.Parameter(torch.ones(()))
        self.relevance = nn.Linear(width, 2, bias=False)
        self.informative = nn.Linear(width, 2, bias=False)

    def tokens(self, frames: Frames, words: Tensor) -> Tensor:
        """(B, T, M, E); `words` (K, E) are the decoder's embeddings of the names."""
        s, a, f = self.config.slots, self.config.audio_tokens, self.config.fusion_tokens
        seen, heard, fused = frames.states.split((s + 1, a, f), 2)
        parts = torch.cat([seen, heard.mean(2, keepdim=True), fused.mean(2, keepdim=True)], 2)
        tokens = self.token(self.norm(parts)) + self.kind
        known = frames.names[..., self.config.names :].to(words.dtype) @ words
        return torch.cat([tokens[:, :, :s] + self.said * known, tokens[:, :, s:]], 2)

    def scores(self, hidden: Tensor) -> Tensor:
        """Decoder states (..., E) at the last token of ticks -> logits (..., 2) of relevance and informative."""
        pairs = torch.stack([self.relevance(hidden), self.informative(hidden)], -2).float()
        return pairs[..., 1] - pairs[..., 0]
