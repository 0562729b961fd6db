"""The Temporal-aware Fuseformer (DaMO): time inside each modality first, then sight and sound together.

Each block, in the paper's order: unimodal temporal attention and feed-forward in each stream; learnable queries compress
each stream of a tick; shared fusion tokens, concatenated with both compressed streams, attend over all within the tick.
The global residual `AdaptiveAvgPool(local) + FFN(global)` of both modalities joins at the end. Ours, where the digest of
the paper is open: attention over time is causal and windowed (`causal: false` gives the whole-clip form), positions in time
are learned distances, and the frame state handed on is the streams' own tokens beside the fusion tokens, so that what is bound to one
object stays bound to it.

Shapes: B clips, T ticks, N tokens a tick, D width; V visual tokens (slots and the global one), A sound tokens, F fusion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kairos.model.attention import Layer, Past, attend
from kairos.model.config import KairosConfig


@dataclass
class FusePast:
    """What the streams remember: one `Past` a block and modality, at most a window long."""

    visual: list[Past | None] = field(default_factory=list)
    audio: list[Past | None] = field(default_factory=list)


class _Compress(nn.Module):
    """Learnable queries that attend to one tick's tokens of one stream."""

    def __init__(self, width: int, heads: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.q, self.kv, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(M, N, D) -> (M, queries, D)."""
        m, n, d = x.shape
        q = (
            self.q(self.queries)
            .view(1, -1, self.heads, d // self.heads)
            .transpose(1, 2)
            .expand(m, -1, -1, -1)
        )
        k, v = self.kv(self.norm(x)).view(m, n, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = attend(q, k, v).transpose(1, 2).reshape(m, -1, d)
        return self.queries + self.out(y)


class _Block(nn.Module):
    visual: Layer
    audio: Layer
    joint: Layer

    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        d, h = config.width, config.heads
        self.visual, self.audio = Layer(d, h, 2, config.window), Layer(d, h, 2, config.window)
        self.compress_visual = _Compress(d, h, config.compressed_visual)
        self.compress_audio = _Compress(d, h, config.compressed_audio)
        self.joint = Layer(d, h, 2)


class Fuseformer(nn.Module):
    """Slots and sounds of each tick to its frame state (B, T, V + A + F, D)."""

    def __init__(self, config: KairosConfig) -> None:
        super().__init__()
        self.config = config
        d, c = config.width, config.stem[-1]
        self.slot = nn.Linear(c + config.attributes + 32, d)
        self.scene = nn.Linear(c, d)
        self.sound = nn.Linear(config.audio_width, d)
        self.kind = nn.Parameter(torch.randn(config.frame_tokens, d) * 0.02)
        self.fusion = nn.Parameter(torch.randn(config.fusion_tokens, d) * d**-0.5)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.residual_visual = nn.Sequential(nn.LayerNorm(c), nn.Linear(c, d), nn.GELU(), nn.Linear(d, d))
        self.residual_audio = nn.Sequential(
            nn.LayerNorm(config.audio_width), nn.Linear(config.audio_width, d), nn.GELU(), nn.Linear(d, d)
        )
        self.norm = nn.LayerNorm(d)

    def forward(
        self,
        slots: Tensor,
        attributes: Tensor,
        scene: Tensor,
        sounds: Tensor,
        sound: Tensor,
        past: FusePast | None = None,
    ) -> tuple[Tensor, FusePast]:
        """slots (B, T, S, C), attributes (B, T, S, A), scene (B, T, C), sounds (B, T, a, C'), sound (B, T, C')."""
        config, past = self.config, past or FusePast()
        b, t, s, _ = slots.shape
        place = attributes[..., -4:]
        visual = self.slot(torch.cat([slots, attributes, _fourier(place[..., :2])], -1))
        visual = torch.cat([visual, self.scene(scene)[:, :, None]], 2) + self.kind[: s + 1]
        audio = self.sound(sounds) + self.kind[s + 1 : s + 1 + config.audio_tokens]
        fusion = (self.fusion + self.kind[-config.fusion_tokens :]).expand(b * t, -1, -1)
        new = FusePast()
        for i, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            visual, seen = self._stream(block.visual, visual, past.visual[i] if past.visual else None)
            audio, heard = self._stream(block.audio, audio, past.audio[i] if past.audio else None)
            new.visual.append(seen)
            new.audio.append(heard)
            small_v, small_a = (
                block.compress_visual(visual.flatten(0, 1)),
                block.compress_audio(audio.flatten(0, 1)),
            )
            joint, _ = block.joint(torch.cat([fusion, small_v, small_a], 1))
            fusion = joint[:, : config.fusion_tokens]
        pooled = F.adaptive_avg_pool1d(visual.flatten(0, 1).transpose(1, 2), config.fusion_tokens).transpose(
            1, 2
        )
        heard_pooled = F.adaptive_avg_pool1d(
            audio.flatten(0, 1).transpose(1, 2), config.fusion_tokens
        ).transpose(1, 2)
        rest = (self.residual_visual(scene) + self.residual_audio(sound)).flatten(0, 1)[:, None]
        fusion = (fusion + pooled + heard_pooled + rest).view(b, t, config.fusion_tokens, -1)
        return self.norm(torch.cat([visual, audio, fusion], 2)), new

    def _stream(self, layer: Layer, x: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        b, t, n, d = x.shape
        known = 0 if past is None else past.keys.shape[2] // n
        tick = torch.arange(known + t, device=x.device)
        bias = layer.attention.near(tick[known:], tick, self.config.causal, n)
        y, past = layer(x.reshape(b, t * n, d), bias, past)
        return y.view(b, t, n, d), past.last((self.config.window - 1) * n)


def _fourier(place: Tensor) -> Tensor:
    """Sines and cosines (..., 32) of two coordinates in [0, 1]."""
    rate = torch.pi * 2.0 ** torch.arange(8, device=place.device, dtype=place.dtype)
    angle = place[..., None] * rate
    return torch.cat([angle.sin(), angle.cos()], -1).flatten(-2)
