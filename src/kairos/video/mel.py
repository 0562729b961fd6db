"""Log-mel features of sound, a tick at a time, on `torch.stft`.

A tick (one frame's interval, 1/fps seconds) is transformed by itself: no window reaches into its neighbours, so a stream
fed tick by tick gives exactly what the whole file gives.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

FFT = 800
BANDS = 48


def log_mel(wave: Tensor, steps: int = 20, rate_hz: int = 16_000) -> Tensor:
    """Log-mel energies (N, steps, BANDS) of N ticks of mono samples (N, n); about -1 (silence) to 1.

    The n samples are padded by reflection and cut into `steps` overlapping windows of 50 ms at 16 kHz.
    """
    hop = wave.shape[-1] // steps
    window = torch.hann_window(FFT, device=wave.device)
    power = (
        torch.stft(
            wave.float(), FFT, hop, window=window, center=True, pad_mode="reflect", return_complex=True
        ).abs()
        ** 2
    )
    mel = torch.einsum("nft,mf->ntm", power[..., :steps], _filters(rate_hz).to(wave.device))
    return (mel.clamp_min(1e-6).log10() + 2.0) / 4.0


@lru_cache(maxsize=4)
def _filters(rate_hz: int) -> Tensor:
    """Triangular mel filters (BANDS, FFT // 2 + 1), each of unit area (Slaney)."""

    def mel(hz: Tensor) -> Tensor:
        return 2595.0 * torch.log10(1.0 + hz / 700.0)

    edges_mel = torch.linspace(
        float(mel(torch.tensor(60.0))), float(mel(torch.tensor(rate_hz / 2.0))), BANDS + 2
    )
    edges = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins = torch.linspace(0, rate_hz / 2, FFT // 2 + 1)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (bins - low) / (mid - low), (high - bins) / (high - mid)
    return torch.minimum(rise, fall).clamp_min(0) * (2.0 / (high - low)) * (rate_hz / FFT)
