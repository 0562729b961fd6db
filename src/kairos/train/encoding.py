"""Videos and pictures through a frozen vision encoder, once: the features that training reads (`train.features`).

A video of D seconds becomes T clips that tile it, clip k being [k D / T, (k + 1) D / T), T such that they are as near as can be
to what was asked for. Of each clip the same number of frames is looked at, at the middles of its equal parts; what is shown
there, and since when, is exact to the timestamp. A clip's feature is the mean over its frames and their patches.

Each video is a file, written in one step: work that was killed goes on where it stopped. A file that cannot be used is told
and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

import kairos.video
from kairos.errors import InputError, OptionError, VideoError
from kairos.model.backbone import Settings, spread
from kairos.tasks.clock import clock
from kairos.tasks.stream import take
from kairos.train.features import Features, write, write_settings
from kairos.train.features import settings as settings_of
from kairos.video import Video
from kairos.video.folder import SUFFIXES as PICTURES
from kairos.video.slides import Slides

__all__ = ["VIDEOS", "Encoded", "encode", "find", "opened"]

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".flv", ".wmv", ".3gp", ".ogv"),
)
"""How the names of videos end."""

CHUNK = 16
"""Frames that pass the encoder at once."""

Encoder = Callable[[Tensor], Tensor]
"""uint8 RGB (n, S, S, 3) to features (n, P, F), as `model.backbone.Backbone`."""


@dataclass
class Encoded:
    """What came of it: names of videos that were `written` now or `kept` from before, and every problem, one a line."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find(
    folder: Path, names: Iterable[str] | None = None, *, rate: float | None = None
) -> tuple[dict[str, Path], list[str]]:
    """Videos and pictures in a folder and below it, by name; and which of `names` are not among them.

    A name is the path within the folder. With `names`, as annotations have them, with or without folder and ending, no others
    are taken. With a `rate` a folder of pictures is a video, and they are none by themselves. Raises InputError.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of videos", hint="give the folder that holds them")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        ending = path.suffix.lower()
        if ending in PICTURES and rate is not None:
            path = path.parent
        elif ending not in (*VIDEOS, *PICTURES) or not path.is_file():
            continue
        found[path.relative_to(folder).as_posix() if path != folder else folder.name] = path
    if names is None:
        return found, []
    known: dict[str, list[str]] = {}
    for name in found:
        last = PurePosixPath(name).name
        for key in {name, last, PurePosixPath(last).stem}:
            known.setdefault(key, []).append(name)
    wanted: dict[str, Path] = {}
    missing: list[str] = []
    for name in dict.fromkeys(names):
        last = PurePosixPath(name.replace("\\", "/")).name
        meant = known.get(name) or known.get(last) or known.get(PurePosixPath(last).stem) or []
        wanted |= {key: found[key] for key in meant}
        missing += [] if meant else [name]
    return wanted, missing


def encode(
    encoder: Encoder,
    side: int,
    sources: Mapping[str, Path],
    out: Path,
    settings: Settings,
    *,
    rate: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Writes the features of `sources` to the folder `out`, but of those that are there already; pictures are `side` pixels
    square. Raises OptionError where `out` holds features that were made in another way.
    """
    before = settings_of(out)
    if before is not None and before != settings:
        differ = [name for name, value in vars(settings).items() if getattr(before, name) != value]
        raise OptionError(
            f"{out} holds features of other settings: {', '.join(f'{n} {getattr(before, n)}' for n in differ)}",
            option="out",
            value=str(out),
            hint="give another --out, or the same options",
        )
    out.mkdir(parents=True, exist_ok=True)
    write_settings(out, settings)
    there, result = Features(out), Encoded()
    for done, (name, path) in enumerate(sources.items()):
        if progress is not None:
            progress(done, len(sources))
        if there.has(name):
            result.kept.append(name)
            continue
        try:
            _encode(encoder, side, name, path, out, settings, rate)
            result.written.append(name)
        except VideoError as error:
            result.problems.append(str(error))
    if progress is not None:
        progress(len(sources), len(sources))
    return result


def _encode(
    encoder: Encoder, side: int, name: str, path: Path, out: Path, settings: Settings, rate: float | None
) -> None:
    """Writes the features of one video or picture. Raises VideoError where not all of it can be seen."""
    alone = path.suffix.lower() in PICTURES
    with opened(path, 1.0 if alone else rate) as video:
        length = float(video.duration)
        clips = 1 if alone else max(1, round(length / settings.clip_s))
        each = 1 if alone else settings.frames_a_clip
        count = clips * each
        kept = set(spread(count, settings.most))
        frames: list[Tensor] = []
        means: list[Tensor] = []
        times: list[float] = []
        shown = video.sample(max_frames=count, size=side, phase=0.5)
        while chunk := take(shown, CHUNK):
            with torch.inference_mode():
                features = encoder(torch.from_numpy(np.stack([frame.image for frame in chunk])))
            means.append(features.float().mean(1).cpu())
            some = [k for k, frame in enumerate(chunk) if frame.tick in kept]
            frames.append(features[some].to("cpu", torch.bfloat16))
            times += [chunk[k].time for k in some]
        if sum(map(len, means)) < count:
            raise VideoError(
                f"{path} is cut: nothing decodes after {clock(float(video.watermark))} of {clock(length)}",
                path=path,
                hint="fetch it again",
            )
        if isinstance(video, Slides) and video.gaps:
            raise VideoError(
                f"{path}: {len(video.gaps)} of its pictures cannot be read",
                path=path,
                hint="fetch them again",
            )
        width, height = video.size
    write(
        out,
        name,
        torch.cat(frames),
        fps=count / length,
        times=torch.tensor(times, dtype=torch.float64),
        clips=torch.cat(means).unflatten(0, (clips, each)).mean(1).to(torch.bfloat16),
        clip_s=length / clips,
        duration=None if alone else length,
        size=(height, width),
    )


def opened(path: Path, rate: float | None) -> Video:
    """A video; with a `rate` a folder of pictures is one, or a picture alone."""
    return kairos.video.open(path) if rate is None or path.suffix.lower() in VIDEOS else Slides(path, rate)
