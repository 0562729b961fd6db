"""Labelled clips painted on the spot, and the model that sees colours, which here also speaks online."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import ColourModel, ColourSession
from painted import write_clip

from kairos.bench.clips import Clip


class OnlineSession(ColourSession):
    def online(self, threshold=0.5):
        above = self._relevance() > threshold
        ends = [k for k in range(1, self.ticks) if above[k - 1] and not above[k]]
        if not ends:
            return None
        start = int(np.argmax(above))
        fps = self.config.fps
        return start / fps, ends[0] / fps, (ends[0] + 1) / fps


class OnlineModel(ColourModel):
    """Counts the sessions that it opens and keeps every word that it is told."""

    def __init__(self):
        super().__init__()
        self.sessions = 0
        self.heard = []

    def session(self):
        self.sessions += 1
        session = OnlineSession(self.config)
        session.said = self.heard
        return session


def label(kind, query, *moments, tags, text=None):
    row = {
        "kind": kind,
        "query": query,
        "moments": [{"start": a, "end": b} for a, b in moments],
        "tags": list(tags),
    }
    return row if text is None else {**row, "text": text}


LABELS = (
    label("ground", "when is it red ?", (1.0, 3.0), tags=["visual", "plain", "hard", "held_out"]),
    label("ground", "when is it green ?", (4.0, 6.0), tags=["visual", "ordinal"]),
    label("ground", "when is it blue ?", tags=["visual", "plain", "absent"]),
    label("ground", "the loud green", (4.0, 6.0), tags=["sound"]),
    label("ask", "red", (1.0, 3.0), tags=["what", "held_out"], text="It is red."),
    label("ask", "green ?", (4.0, 6.0), tags=["yes_no"], text="yes"),
    label("ask", "is it blue", tags=["absent"], text="that is not in the video"),
    label("ask", "what is purple ?", tags=["which"], text="the ring"),
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Two clips of the seen split, one of the held-out one: red from 1 to 3, green from 4 to 6, black elsewhere."""
    folder = tmp_path_factory.mktemp("labelled")
    made = []
    for name, split in (("a", "test"), ("b", "test"), ("c", "composition")):
        path = write_clip(folder / f"{name}.mp4", [(1.0, 3.0, "red"), (4.0, 6.0, "green")])
        lines = [
            {"kind": "world", "name": name},
            *LABELS,
            {"kind": "caption", "text": "it is red", "moments": []},
        ]
        path.with_suffix(".timeline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        made.append(Clip(path, split))
    return made


@pytest.fixture
def model():
    return OnlineModel()
