"""Task tokens: how a language model hands over to a head what words cannot say (TPO, section 3.1).

    ... question <say> <box_begin> <boxes>
                                   '- its input is a learnable embedding; the decoder's state there is the task embedding,
                                      and the head behind the token makes a box, a moment or a mask of it

The model is taught to say the pair of tokens where a task is asked for; the second one is then forwarded once with the
learnable embedding in its place, and what it leaves in the cache is not kept. A new head is one registered class.

Shapes: n rows, E decoder width, L words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from kairos.errors import OptionError
from kairos.model.words import SPECIAL, TRACK_BOX

__all__ = ["HEADS", "TASKS", "TaskHead", "TaskTokens", "register"]

Inputs = Mapping[str, Tensor]


class TaskHead(nn.Module):
    """What stands behind a task token. Sub-classes name their tokens and say how they learn."""

    name: ClassVar[str]
    begin: ClassVar[str]
    """The special token that the model says first."""
    token: ClassVar[str]
    """The task token that follows it."""

    def __init__(self, size: int) -> None:
        """`size` is E, the length of a task embedding; sub-classes take their settings as keywords."""
        super().__init__()
        self.size = size

    def forward(self, state: Tensor, inputs: Inputs) -> Any:
        """Task embeddings (n, E), and whatever else of the video and the query the head reads, n rows each."""
        raise NotImplementedError

    def losses(self, out: Any, truth: Any) -> dict[str, Tensor]:
        """The terms of the task's loss, each weighed and named."""
        raise NotImplementedError

    @classmethod
    def pair(cls) -> tuple[int, int]:
        """Ids of what the model says to hand over to this head."""
        return SPECIAL.index(cls.begin), SPECIAL.index(cls.token)


HEADS: dict[str, type[TaskHead]] = {}
"""All kinds of heads, by name."""
TASKS = {"temporal": "ground", "region": "locate", "mask": "segment"}
"""What users call what a head does."""

H = TypeVar("H", bound=type[TaskHead])


def register(kind: H) -> H:
    """Class decorator: makes a head known by its name. Raises OptionError where the name is taken."""
    if kind.name in HEADS and HEADS[kind.name].__qualname__ != kind.__qualname__:
        raise OptionError(f"there is a head {kind.name!r} already", option="name", value=kind.name)
    HEADS[kind.name] = kind
    return kind


class TaskTokens(nn.Module):
    """The learnable embeddings of the task tokens, the heads behind them, and how a user's box is read."""

    def __init__(self, width: int, heads: Mapping[str, Mapping[str, Any] | None]) -> None:
        """`heads` are names of registered heads with their settings; None for one whose answers are spelled in words instead.

        Raises OptionError for a name that is not registered.
        """
        super().__init__()
        if unknown := sorted(set(heads) - set(HEADS)):
            raise OptionError(
                f"unknown task head {unknown[0]!r}; known: {', '.join(sorted(HEADS))}",
                option="heads",
                value=unknown[0],
            )
        self.embeddings = nn.ParameterDict({name: nn.Parameter(torch.randn(width) * 0.02) for name in heads})
        self.heads = nn.ModuleDict(
            {name: HEADS[name](width, **settings) for name, settings in heads.items() if settings is not None}
        )
        self.box = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width))

    @torch.no_grad()
    def begin_at_mean(self, embeddings: Tensor) -> None:
        """Task embeddings and the special tokens' rows of (vocabulary, E) become the mean of all words', as new ones do."""
        mean = embeddings[len(SPECIAL) :].mean(0)
        for name, kind in self.kinds().items():
            self.embeddings[name].copy_(mean)
            embeddings[list(kind.pair())] = mean

    def kinds(self) -> dict[str, type[TaskHead]]:
        return {name: HEADS[name] for name in self.embeddings}

    def spells(self, name: str) -> bool:
        """Whether what a head would give is spelled in words behind its task token (`spelled.py`)."""
        return name in self.embeddings and name not in self.heads

    def route(self, begin: int) -> str | None:
        """The head that the model hands over to by saying this word, None for any other."""
        return next((name for name, kind in self.kinds().items() if kind.pair()[0] == begin), None)

    def put_boxes(self, words: Tensor, embedded: Tensor, boxes: Tensor) -> Tensor:
        """Embedded words (n, L, E) of ids (n, L), where <track_box> is the row's box (n, 4), normalised xyxy."""
        here = (words == SPECIAL.index(TRACK_BOX))[..., None]
        return torch.where(here, self.box(boxes.to(embedded.dtype))[:, None].to(embedded.dtype), embedded)
