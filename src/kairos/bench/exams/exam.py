"""What an exam is: how a benchmark's questions are put to a model, and how what it says becomes the official file.

An exam never scores: its files go through the protocol of the same name, as `kairos score` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kairos.bench.protocols.source import Entries, Source
from kairos.score.judge import Judge
from kairos.timeline import Answer, Timeline

__all__ = ["Candidate", "Exam", "Item", "Result", "Said", "View", "answers", "timelines"]

Part = tuple[float, float]
Box = tuple[float, float, float, float]
"""xyxy in source pixels."""


@dataclass(frozen=True)
class Item:
    """What is asked: the reference's `id`, the name of its `video`, `query` in words; `parts` (start, end) in seconds of the
    video may be seen, without any all of it. `about` is what the exam itself has to know.
    """

    id: str
    video: str
    query: str = ""
    parts: tuple[Part, ...] = ()
    about: Any = None


@dataclass(frozen=True)
class View:
    """What a candidate gets to see: a file, or a folder of images shown `rate` a second, and of it the `parts`.

    One part keeps the video's own clock; several are put behind one another, on a clock of their own.
    """

    path: Path
    parts: tuple[Part, ...] = ()
    rate: float | None = None


@dataclass(frozen=True)
class Said:
    """What a candidate said to one prompt: its `raw` output, and `parsed`, what was read off it, in JSON's values.

    `parsed` is an Answer's fields unless the exam says otherwise, None where nothing could be read. `frames` tells what was
    looked at, `seconds` and `tokens` what it cost; `unknown` are words that the model has never seen.
    """

    prompt: str
    raw: str
    parsed: Any
    frames: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def line(self) -> dict[str, Any]:
        """Its part of a line of items.jsonl."""
        return {
            "prompt": self.prompt,
            "frames": dict(self.frames),
            "raw_output": self.raw,
            "parsed_output": self.parsed,
            "unknown_words": list(self.unknown),
            "seconds": dict(self.seconds),
            "tokens": dict(self.tokens),
        }


class Candidate(Protocol):
    """A model that sits an exam: one on this machine, or one behind an address.

    Times are seconds on the view's clock. What a candidate cannot do at all raises OptionError.
    """

    @property
    def name(self) -> str: ...
    @property
    def mark(self) -> str:
        """What tells its outputs from those of any other model, or of this one with another budget."""
        ...

    def length(self, view: View) -> float:
        """Seconds that the video lasts."""
        ...

    def ask(self, view: View, prompt: str) -> Said:
        """Answers in words (`text`), with the moments that prove them where it can tell."""
        ...

    def prove(self, view: View, prompt: str, question: str) -> Said:
        """As `ask`, with moments in any case: when what the question is about happens."""
        ...

    def ground(self, view: View, query: str, top: int = ...) -> Said:
        """Moments, best first, and a relevance curve where it has one."""
        ...

    def caption(self, view: View) -> Said:
        """Moments labelled with what happens, in the order of time."""
        ...

    def watch(self, view: View, query: str) -> Said:
        """Moments labelled with what was said at their ends, as the video played."""
        ...

    def announce(self, view: View, query: str, start: float, stop: float) -> Said:
        """What is said to a query put at `start`, as soon as it is time to, and nothing where it is not by `stop`: one moment,
        labelled with the words."""
        ...

    def locate(self, view: View, query: str, times: Sequence[float] | None = None) -> Said:
        """A track with a box at each of the times at which it is there; without times, where it is seen best."""
        ...

    def track(self, view: View, query: str | None, box: Box | None = None) -> Said:
        """A track by words, or from a box in the first picture on."""
        ...

    def segment(self, view: View, query: str | None, box: Box | None = None, *, rate: float) -> Said:
        """A mask track of `rate` pictures a second, by words or from a box in the first picture on."""
        ...


@dataclass(frozen=True)
class Result:
    """What was said to an item: by step, what `Said.line` tells (an exam of one step has the step "")."""

    item: Item
    steps: Mapping[str, Mapping[str, Any]]

    def raw(self, step: str = "") -> str:
        """The raw output of a step; nothing where it was not asked."""
        return str(self.steps.get(step, {}).get("raw_output", ""))

    def answer(self, step: str = "") -> Answer:
        """What was read off, as an Answer with the item's id; an empty one where nothing could be read."""
        given = self.steps.get(step, {}).get("parsed_output")
        found = Answer("ground", abstained=True) if given is None else Answer.from_dict(given)
        return found.replace(id=self.item.id, query=self.item.query, video=self.item.video)


@dataclass(frozen=True, kw_only=True)
class Exam:
    """How one benchmark is sat.

    `items` walks the official file; ids are those of the protocol's references. `put` puts one item to a candidate, step by
    step. `write` writes what came of it into a folder, in the official format, and returns what `kairos score` takes as
    predictions; None where items.jsonl itself is such a file. `told` is what a line tells beside. `rate`: images a second
    where the benchmark keeps its videos as folders of images; with `pictures` each image is a video of its own. `judge` rates what was said to
    an item whose `about` is the true Answer; the line keeps it as `ratings`. `notes` are told with the table.
    """

    items: Callable[[Source, Entries[Any]], Iterable[Item]]
    put: Callable[[Candidate, View, Item], Mapping[str, Said]]
    write: Callable[[Path, Sequence[Result]], Sequence[Path]] | None = None
    told: Callable[[Item], Mapping[str, Any]] = lambda item: {}
    rate: float | None = None
    pictures: bool = False
    judge: Callable[[Item, Answer, Judge], Any] | None = None
    notes: tuple[str, ...] = ()


def answers(results: Iterable[Result], step: str = "") -> list[Answer]:
    """Every result as an Answer."""
    return [result.answer(step) for result in results]


def timelines(results: Iterable[Result], step: str = "") -> list[Timeline]:
    """Results as timelines, one a video, in the order in which they come."""
    found: dict[str, list[Answer]] = {}
    for result in results:
        found.setdefault(result.item.video, []).append(result.answer(step))
    return [
        Timeline(mine, video, next((a.duration for a in mine if a.duration is not None), None))
        for video, mine in found.items()
    ]
