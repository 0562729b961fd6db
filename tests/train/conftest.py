"""A run of a few steps on a tiny model: every stage for real."""

from __future__ import annotations

import pytest
from tiny import TINY

from kairos.train.recipe import Dialogue, Grounding, Language, Optimiser, Perception, Pool, Recipe


@pytest.fixture
def recipe() -> Recipe:
    few = Optimiser(steps=4, warmup=1)
    return Recipe(
        loaders=0,
        calibration=2,
        model=TINY,
        perception=Perception(optimiser=few, scenes=3, moments=2),
        pool=Pool(clips=6, shard=3, workers=1),
        grounding=Grounding(optimiser=few, clips=2, queries=4),
        language=Language(optimiser=few, clips=2, queries=2, questions=3, captions=1),
        dialogue=Dialogue(optimiser=few, clips=2, queries=2, questions=1, captions=1, standing=2),
    )
