from __future__ import annotations

import pytest

from kairos.tasks.clock import clock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 s"), (3.14, "3.1 s"), (59.97, "1:00.0"), (63.1, "1:03.1"), (3723.52, "1:02:03.5")],
)
def test_clock(seconds, words):
    assert clock(seconds) == words
