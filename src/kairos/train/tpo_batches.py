"""Batches for TPO: examples of many sets, mixed, as tensors; a function of seed and step.

Shapes: B rows, L tokens, M frames of all rows, P features a frame, F their length; n rows with a task of one head, T clips,
V their features, S side of a picture. Boxes are xyxy in [0, 1] of the squeezed picture. Tensors of a head begin with its name.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from kairos.errors import OptionError, VideoError
from kairos.model import mask, region, temporal  # noqa: F401  registers the heads
from kairos.model.script import Script, Spoken
from kairos.model.task_tokens import HEADS
from kairos.train.batches import Batches
from kairos.train.examples import Example
from kairos.train.features import Features
from kairos.train.mixture import Mixture
from kairos.train.moments import LEVELS, MomentTargets, label
from kairos.train.pictures import Pictures

__all__ = ["IGNORED", "TpoBatches", "lacking", "truth"]

IGNORED = -100
RATED = 4.0
"""The best that saliency in an example can be; heads count to `LEVELS`."""


class TpoBatches(Batches):
    """`rows` examples a step, drawn from `sets` by weight. Examples whose head is none of `heads` teach assignment alone.

    With `pictures` frames are what a vision encoder looks at, (M, S, S, 3), of which it makes P features each.
    """

    def __init__(
        self,
        sets: Mapping[str, Sequence[Example]],
        weights: Mapping[str, float] | None,
        features: Features,
        script: Script,
        heads: Sequence[str],
        *,
        rows: int,
        frames: int,
        length: int,
        seed: int,
        first: int,
        steps: int,
        pictures: Pictures | None = None,
    ) -> None:
        super().__init__(first, steps)
        self.pictures = pictures
        self.sets, self.features, self.script, self.heads = sets, features, script, tuple(heads)
        self.rows, self.frames, self.length = rows, frames, length
        self.seed = seed
        self.mixture = Mixture({name: len(of) for name, of in sets.items()}, weights, seed)

    def batch(self, step: int) -> dict[str, Tensor]:
        drawn = self.mixture.draws(step * self.rows, self.rows)
        batch = self.collated([self.sets[name][k] for name, k in drawn], step)
        return batch | {"seed": torch.tensor(self.seed * 1_000_003 + step)}

    def collated(self, examples: Sequence[Example], step: int = 0) -> dict[str, Tensor]:
        """The batch of these examples, none of which is `lacking` anything. Raises OptionError for what does not fit."""
        shown = [self._shown(example) for example in examples]
        spoken = [
            self._spoken(example, 0 if frames is None else len(frames) * self._patches(frames))
            for example, frames in zip(examples, shown, strict=True)
        ]
        batch = self._tokens(examples, spoken)
        seen = [frames for frames in shown if frames is not None]
        if len({frames.shape[1:] for frames in seen}) > 1:
            raise OptionError(
                f"frames of several shapes: {sorted({tuple(f.shape[1:]) for f in seen})}", option="features"
            )
        if seen:
            batch["frames" if self.pictures is None else "pictures"] = torch.cat(seen)
        for head in self.heads:
            rows = [k for k, example in enumerate(examples) if example.head == head]
            if rows:
                batch |= {
                    f"{head}_{name}": x for name, x in self._head(head, rows, examples, spoken, step).items()
                }
        return batch

    def _shown(self, example: Example) -> Tensor | None:
        if example.video is None:
            return None
        until = example.at if example.task in ("track", "segment") else None
        return (self.pictures or self.features).frames(example.video, self.frames, until)

    def _patches(self, frames: Tensor) -> int:
        return frames.shape[1] if self.pictures is None else self.pictures.patches

    def _spoken(self, example: Example, shown: int) -> Spoken:
        pair = None
        if example.head is not None:
            kind = HEADS[example.head]
            pair = kind.begin, kind.token
        spoken = self.script.spoken(example.turns, pair, shown)
        if len(spoken.ids) <= self.length:
            return spoken
        cut = Spoken(spoken.ids[: self.length], spoken.taught[: self.length], spoken.asked[: self.length])
        if pair is not None or not any(cut.taught):
            raise OptionError(
                f"{len(spoken.ids)} tokens about {example.video}, of {self.length} that may be",
                option="length",
                value=self.length,
                hint="raise length, or show fewer frames",
            )
        return cut

    def _tokens(self, examples: Sequence[Example], spoken: Sequence[Spoken]) -> dict[str, Tensor]:
        size = len(spoken), max(len(row.ids) for row in spoken)
        ids, known = torch.zeros(size, dtype=torch.long), torch.zeros(size, dtype=torch.bool)
        taught = torch.zeros(size, dtype=torch.bool)
        boxes = torch.zeros(len(spoken), 4)
        for k, (example, row) in enumerate(zip(examples, spoken, strict=True)):
            n = len(row.ids)
            ids[k, :n], known[k, :n], taught[k, :n] = torch.tensor(row.ids), True, torch.tensor(row.taught)
            if self.script.track_box in row.ids:
                boxes[k] = self._box(example)
        target = ids.masked_fill(~taught, IGNORED).roll(-1, 1)
        target[:, -1] = IGNORED
        return {"ids": ids, "known": known, "target": target, "boxes": boxes}

    def _head(
        self, head: str, rows: list[int], examples: Sequence[Example], spoken: Sequence[Spoken], step: int
    ) -> dict[str, Tensor]:
        token = self.script.id(HEADS[head].token)
        made = {
            "row": torch.tensor(rows),
            "at": torch.tensor([max(i for i, x in enumerate(spoken[k].ids) if x == token) for k in rows]),
        }
        mine = [examples[k] for k in rows]
        if head != "temporal":
            return made | {"box": torch.stack([self._box(example) for example in mine])}
        return made | self._moments(mine, step) | _asked([spoken[k] for k in rows])

    def _moments(self, examples: Sequence[Example], step: int) -> dict[str, Tensor]:
        clips = [self.features.clips(str(example.video)).float() for example in examples]
        lengths = [self.features.facts(str(example.video)).length for example in examples]
        known = torch.arange(max(map(len, clips))) < torch.tensor([len(of) for of in clips])[:, None]
        targets = label(
            [
                [span for span in example.spans if span[0] < length]
                for example, length in zip(examples, lengths, strict=True)
            ],
            lengths,
            known,
            [zlib.crc32(str(example.video).encode()) for example in examples],
            [
                _rated(example, length, len(of))
                for example, length, of in zip(examples, lengths, clips, strict=True)
            ],
            random.Random(f"{self.seed} {step}"),
        )
        video = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
        return {"video": video, "video_known": known} | {f"truth_{k}": v for k, v in vars(targets).items()}

    def _box(self, example: Example) -> Tensor:
        size = example.size or self.features.facts(str(example.video)).size
        assert size is not None  # `lacking` has seen to it
        assert example.box is not None
        height, width = size
        box = torch.tensor(example.box) / torch.tensor([width, height, width, height])
        return box.clamp(0.0, 1.0)


def lacking(example: Example, features: Features, width: int) -> str | None:
    """Why an example cannot be learned from with these features, which shall be of `width`; None where it can.

    Features that are missing, no moment within what was seen, a box in a picture of unknown size. Raises OptionError where the
    width is another one: then none can.
    """
    if example.video is None:
        return None
    try:
        facts = features.facts(example.video)
    except VideoError as error:
        return error.message
    if facts.width != width:
        raise OptionError(
            f"{features.path(example.video)} are features of {facts.width}, not of width {width}",
            option="width",
            value=width,
        )
    if example.task == "ground":
        if not facts.clips:
            return f"{example.video}: no clips, which the temporal head reads"
        if not any(start < facts.length for start, _ in example.spans):
            return (
                f"{example.video}: {example.spans[0][0]:g} s is after the {facts.length:g} s that there are"
            )
    elif example.box is not None and example.size is None and facts.size is None:
        return f"{example.video}: how large its picture is, is not known"
    return None


def truth(batch: Mapping[str, Tensor]) -> MomentTargets:
    """The temporal head's targets out of what the batch holds for it."""
    return MomentTargets(**{k.removeprefix("truth_"): v for k, v in batch.items() if k.startswith("truth_")})


def _rated(example: Example, length: float, clips: int) -> list[float] | None:
    """Saliency of each clip, at its middle."""
    if example.saliency is None:
        return None
    middles = (np.arange(clips) + 0.5) * length / clips
    values = np.interp(middles, example.saliency.times, example.saliency.values)
    return [float(x) for x in np.clip(values / RATED, 0, 1) * LEVELS]


def _asked(spoken: Sequence[Spoken]) -> dict[str, Tensor]:
    """Where the words of each last question stand, (n, most words), and which places count."""
    places = [[i for i, asked in enumerate(row.asked) if asked] for row in spoken]
    most = max(map(len, places))
    return {
        "words": torch.tensor([row + [0] * (most - len(row)) for row in places]),
        "words_known": torch.tensor([[k < len(row) for k in range(most)] for row in places]),
    }
