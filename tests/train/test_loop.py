"""The loop's own: what it leaves behind for people to look at."""

from __future__ import annotations

import json

from kairos.train.loop import draw_losses  # the real one: it is taken before it is replaced


def test_losses_are_drawn_whatever_each_line_holds(tmp_path):
    lines = [{"step": 1, "loss": 2.0, "seconds": 1.0}, {"step": 2, "loss": 1.0, "words": 0.5, "rate": 1e-3}]
    (tmp_path / "losses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_losses(tmp_path)
    assert (tmp_path / "losses.png").stat().st_size > 1000
