"""Timed records over one video, immutable, on one clock in seconds that starts with the container.

The data model of everything: labels, predictions, dialogue, evidence. It knows neither decoders nor models; numpy only.
"""

from __future__ import annotations

from kairos.timeline.answer import Answer
from kairos.timeline.curve import Curve
from kairos.timeline.files import atomic_path, atomic_write
from kairos.timeline.metadata import Metadata
from kairos.timeline.moment import Moment
from kairos.timeline.record import Record
from kairos.timeline.rle import Rle
from kairos.timeline.speech import Turn, Utterance
from kairos.timeline.timeline import Timeline
from kairos.timeline.track import MaskTrack, Track

__all__ = [
    "Answer",
    "Curve",
    "MaskTrack",
    "Metadata",
    "Moment",
    "Record",
    "Rle",
    "Timeline",
    "Track",
    "Turn",
    "Utterance",
    "atomic_path",
    "atomic_write",
]
