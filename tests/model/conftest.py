"""A tiny model with random weights: the same class as the shipped one, small enough to build in every test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import TINY

from kairos.model.kairos import KairosModel
from kairos.train.recipe import Recipe
from kairos.train.run import build


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
