"""A run of a few steps on a tiny model: every stage for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import TINY

from kairos.train import loop
from kairos.train.recipe import Dialogue, Grounding, Language, Optimiser, Perception, Pool, Recipe


@pytest.fixture(scope="module", autouse=True)
def drawn() -> Iterator[list[Path]]:
    """The folders whose losses would be drawn: drawing takes longer than these runs, and `test_loop.py` sees to it."""
    with pytest.MonkeyPatch.context() as patch:
        folders: list[Path] = []
        patch.setattr(loop, "draw_losses", folders.append)
        yield folders


@pytest.fixture
def recipe() -> Recipe:
    few = Optimiser(steps=4, warmup=1)
    return Recipe(
        threads=1,
        loaders=0,
        calibration=2,
        model=TINY,
        perception=Perception(optimiser=few, scenes=3, moments=2),
        pool=Pool(clips=6, shard=3, workers=0),
        grounding=Grounding(optimiser=few, clips=2, queries=4),
        language=Language(optimiser=few, clips=2, queries=2, questions=3, captions=1),
        dialogue=Dialogue(optimiser=few, clips=2, queries=2, questions=1, captions=1, standing=2),
    )
