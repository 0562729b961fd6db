"""The field's own files, where they are at hand: tests that need one are skipped, visibly, where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(name: str) -> Path:
    """A file or folder below `data`, in the folder KAIROS_SHARED or in `shared` beside the checkout."""
    places = [Path(os.environ["KAIROS_SHARED"])] if "KAIROS_SHARED" in os.environ else []
    places.append(Path(__file__).resolve().parents[2] / "shared")
    path = next((p for p in (place / "data" / name for place in places) if p.exists()), None)
    if path is None:
        pytest.skip(f"no {name}: set KAIROS_SHARED to the folder that holds data")
    return path
