"""A run of a few steps on a tiny model: every stage for real."""

from __future__ import annotations

import pytest

from kairos.train.recipe import Grounding, Language, Optimiser, Perception, Pool, Recipe

TINY_MODEL = {
    "stem": (8, 8, 16),
    "audio_width": 16,
    "width": 32,
    "heads": 2,
    "blocks": 1,
    "track_width": 32,
    "track_heads": 2,
    "decoder": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
    },
}


@pytest.fixture
def recipe() -> Recipe:
    few = Optimiser(steps=4, warmup=1)
    return Recipe(
        loaders=0,
        model=TINY_MODEL,
        perception=Perception(optimiser=few, scenes=3, moments=2),
        pool=Pool(clips=6, shard=3, workers=1),
        grounding=Grounding(optimiser=few, clips=2, queries=4),
        language=Language(optimiser=few, clips=2, queries=2, questions=3, captions=1),
    )
