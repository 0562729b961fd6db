"""The loop's own: what it leaves behind for people to look at."""

from __future__ import annotations

import json

import pytest
import torch

from kairos.errors import OptionError, VideoError
from kairos.train.batches import Batches
from kairos.train.loop import draw_losses, own  # the real one: it is taken before it is replaced


def test_losses_are_drawn_whatever_each_line_holds(tmp_path):
    lines = [{"step": 1, "loss": 2.0, "seconds": 1.0}, {"step": 2, "loss": 1.0, "words": 0.5, "rate": 1e-3}]
    (tmp_path / "losses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_losses(tmp_path)
    assert (tmp_path / "losses.png").stat().st_size > 1000


class Broken(Batches):
    """Whose every batch is an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(0, 2)
        self.error = error

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        VideoError("a.mp4 is cut", path="a.mp4", hint="fetch it again"),
        OptionError("70 tokens, of 64 that may be", option="length", value=64),
    ],
)
@pytest.mark.parametrize("loaders", [0, 1])
def test_what_a_loader_met_is_told_in_its_own_words(error, loaders):
    with pytest.raises(type(error)) as caught:
        next(iter(torch.utils.data.DataLoader(Broken(error), batch_size=1, num_workers=loaders)))
    assert str(own(caught.value)) == str(error)
