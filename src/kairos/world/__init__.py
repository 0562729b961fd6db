"""The procedural audio-visual world: training data, test data and demo at once, with exact labels.

Everything but `files` (which writes mp4) needs only numpy and torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kairos.world.files import render_split

__all__ = ["render_split"]


def __getattr__(name: str) -> Any:
    if name != "render_split":
        raise AttributeError(f"module 'kairos.world' has no attribute {name!r}")
    from kairos.world.files import render_split

    return render_split
