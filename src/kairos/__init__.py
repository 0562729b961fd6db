"""Kairos answers questions about videos and pins every answer to its moments.

    import kairos

    video = kairos.open("a.mp4")
    model = kairos.load()
    answer = model.ask(video, "how many times does the red circle blink ?")
    answer.text, answer.moments

Importing this package loads nothing heavy: each name below is fetched from its module when first touched, so torch,
transformers, PyAV and matplotlib load only when a model, a file or a picture needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "open": "kairos.video",
    "Video": "kairos.video",
    "load": "kairos.model",
    "Moment": "kairos.timeline",
    "Curve": "kairos.timeline",
    "Track": "kairos.timeline",
    "MaskTrack": "kairos.timeline",
    "Turn": "kairos.timeline",
    "Utterance": "kairos.timeline",
    "Answer": "kairos.timeline",
    "Timeline": "kairos.timeline",
    "KairosError": "kairos.errors",
    "InputError": "kairos.errors",
    "VideoError": "kairos.errors",
    "TimelineError": "kairos.errors",
    "OptionError": "kairos.errors",
    "AnnotationError": "kairos.errors",
    "ConfigError": "kairos.errors",
    "ModelError": "kairos.errors",
    "EndpointError": "kairos.errors",
    "MissingDependency": "kairos.errors",
}

__all__ = [
    "AnnotationError",
    "Answer",
    "ConfigError",
    "Curve",
    "EndpointError",
    "InputError",
    "KairosError",
    "MaskTrack",
    "MissingDependency",
    "ModelError",
    "Moment",
    "OptionError",
    "Timeline",
    "TimelineError",
    "Track",
    "Turn",
    "Utterance",
    "Video",
    "VideoError",
    "__version__",
    "load",
    "open",
]

if TYPE_CHECKING:
    from kairos.errors import (
        AnnotationError,
        ConfigError,
        EndpointError,
        InputError,
        KairosError,
        MissingDependency,
        ModelError,
        OptionError,
        TimelineError,
        VideoError,
    )
    from kairos.model import load
    from kairos.timeline import Answer, Curve, MaskTrack, Moment, Timeline, Track, Turn, Utterance
    from kairos.video import Video, open


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kairos' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
