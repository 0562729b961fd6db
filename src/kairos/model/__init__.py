"""The model: towers, Fuseformer, query track, language model, and the session that holds a conversation with them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "KairosConfig": "kairos.model.config",
    "KairosModel": "kairos.model.kairos",
    "Session": "kairos.model.session",
    "load": "kairos.model.loading",
    "save": "kairos.model.loading",
}

__all__ = ["KairosConfig", "KairosModel", "Session", "load", "save"]

if TYPE_CHECKING:
    from kairos.model.config import KairosConfig
    from kairos.model.kairos import KairosModel
    from kairos.model.loading import load, save
    from kairos.model.session import Session


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kairos.model' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
