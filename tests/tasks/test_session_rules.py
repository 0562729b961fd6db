"""The model that tests use keeps the rules that it stands in for."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import ColourModel
from session_rules import TICKS, SessionRules


class TestColourModel(SessionRules):
    known, absent = "when is it red ?", "when is it blue ?"

    @pytest.fixture
    def model(self):
        return ColourModel()

    def pictures(self, model):
        size = model.config.image_size
        frames = np.zeros((TICKS, size, size, 3), np.uint8)
        frames[4:8] = frames[17:] = (220, 20, 20)
        return frames

    def test_it_sees_what_is_there(self, model):
        assert sorted(self.shown(model).spans()) == [(2.0, 4.0, 1.0), (8.5, 10.0, 1.0)]
