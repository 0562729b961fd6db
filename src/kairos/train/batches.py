"""Batches that are a function of seed and step alone, so that a run resumes at any step as if it had never stopped."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset


class Batches(IterableDataset[dict[str, Tensor]]):
    """The batches of steps `first` to `steps`, shared out among the loaders in turn."""

    def __init__(self, first: int, steps: int) -> None:
        self.first, self.steps = first, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        index, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self.first + index, self.steps, workers):
            yield self.batch(step)

    @abstractmethod
    def batch(self, step: int) -> dict[str, Tensor]:
        """The batch of one step."""
