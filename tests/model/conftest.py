"""A tiny model with random weights: the same class as the shipped one, small enough to build in every test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kairos.model.kairos import KairosModel
from kairos.train.recipe import Recipe
from kairos.train.run import build

TINY = {
    "stem": (8, 8, 16),
    "audio_width": 16,
    "width": 32,
    "heads": 2,
    "blocks": 2,
    "window": 6,
    "track_width": 32,
    "track_heads": 2,
    "track_window": 8,
    "context_ticks": 12,
    "decoder": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
    },
}


@pytest.fixture(scope="session")
def tiny() -> KairosModel:
    model = build(Recipe(model=TINY)).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():  # far from zero, so that every path matters
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.fixture(scope="session")
def stream() -> tuple[np.ndarray, np.ndarray]:
    """40 ticks of frames (40, 64, 64, 3) and sound (40 * 8000,)."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (40, 8, 8, 3), np.uint8)
    frames = base.repeat(8, 1).repeat(8, 2)
    return frames, (0.2 * rng.standard_normal(40 * 8000)).astype(np.float32)
