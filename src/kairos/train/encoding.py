"""Videos and pictures through a frozen vision encoder, once: the features that training reads (`train.features`).

A video of D seconds becomes T clips that tile it, clip k being [k D / T, (k + 1) D / T), T such that they are as near as can be
to what was asked for. Of each clip the same number of frames is looked at, at the middles of its equal parts; what is shown
there, and since when, is exact to the timestamp. A clip's feature is the mean over its frames and their patches.

Each video is a file, written in one step: work that was killed goes on where it stopped. A file that cannot be used is told
and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import kairos.video
from kairos.errors import InputError, OptionError, VideoError
from kairos.model.backbone import Settings, spread
from kairos.tasks.clock import clock
from kairos.tasks.stream import take
from kairos.train.features import Features, write, write_settings
from kairos.train.features import settings as settings_of
from kairos.video.folder import SUFFIXES as PICTURES
from kairos.video.folder import ImageFolder, decoded
from kairos.video.painter import Painter, quarter_turns

__all__ = ["VIDEOS", "Encoded", "encode", "find"]

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".flv", ".wmv", ".3gp", ".ogv"),
)
"""How the names of videos end."""

CHUNK = 16
"""Frames that pass the encoder at once."""

Encoder = Callable[[Tensor], Tensor]
"""uint8 RGB (n, S, S, 3) to features (n, P, F), as `model.backbone.Backbone`."""


@dataclass(frozen=True)
class _Shown:
    """What there is to be seen: `count` pictures (S, S, 3) with the seconds from which each was shown."""

    pictures: Iterator[tuple[float, NDArray[np.uint8]]]
    count: int
    size: tuple[int, int]  # (width, height) of the source
    duration: float | None  # seconds, None of a single picture


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
    if path.suffix.lower() in PICTURES:
        _write(encoder, name, _picture(path, side), 1, out, settings)
    elif path.is_dir():
        assert rate is not None
        _write(encoder, name, *_folder(path, side, rate, settings), out, settings)
    else:
        with kairos.video.open(path) as video:
            clips, each = _clips(float(video.duration), settings)
            frames = video.sample(max_frames=clips * each, size=side, phase=0.5)
            pictures = ((frame.time, frame.image) for frame in frames)
            shown = _Shown(pictures, clips * each, video.size, float(video.duration))
            if not _write(encoder, name, shown, clips, out, settings):
                raise VideoError(
                    f"{path} is cut: nothing decodes after {clock(float(video.watermark))} "
                    f"of {clock(float(video.duration))}",
                    path=path,
                    hint="fetch it again",
                )


def _clips(duration: float, settings: Settings) -> tuple[int, int]:
    """How many clips a video has, and how many frames each."""
    return max(1, round(duration / settings.clip_s)), settings.frames_a_clip


def _picture(path: Path, side: int) -> _Shown:
    try:
        frame = decoded(path)
        size = (frame.width, frame.height)
        if quarter_turns(frame.rotation) % 2:
            size = size[::-1]
        return _Shown(iter([(0.0, Painter((side, side)).paint(frame))]), 1, size, None)
    except (OSError, ValueError) as error:
        raise VideoError(f"{path} cannot be read as a picture", path=path, hint="fetch it again") from error


def _folder(path: Path, side: int, rate: float, settings: Settings) -> tuple[_Shown, int]:
    folder = ImageFolder(path, rate)
    clips, each = _clips(folder.duration, settings)
    count, painter = clips * each, Painter((side, side))
    first = _picture(path / folder.names[0], side)

    def pictures() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for k in range(count):
            index = folder.at((k + 0.5) * folder.duration / count)
            image = folder.image(index, painter)
            if image is None:
                raise VideoError(
                    f"{path / folder.names[index]} cannot be read as a picture",
                    path=path,
                    hint="fetch it again",
                )
            yield index / rate, image

    return _Shown(pictures(), count, first.size, folder.duration), clips


def _write(encoder: Encoder, name: str, shown: _Shown, clips: int, out: Path, settings: Settings) -> bool:
    """Encodes what is shown, and writes it if all of it was there."""
    kept = set(spread(shown.count, settings.most))
    means: list[Tensor] = []
    frames: list[Tensor] = []
    times: list[float] = []
    seen = 0
    while chunk := take(shown.pictures, CHUNK):
        features = encoder(torch.from_numpy(np.stack([image for _, image in chunk])))
        means.append(features.float().mean(1).cpu())
        some = [k for k in range(len(chunk)) if seen + k in kept]
        frames.append(features[some].to("cpu", torch.bfloat16))
        times += [chunk[k][0] for k in some]
        seen += len(chunk)
    if seen < shown.count:
        return False
    each = shown.count // clips
    length = clips * settings.clip_s if shown.duration is None else shown.duration
    width, height = shown.size
    write(
        out,
        name,
        torch.cat(frames),
        fps=shown.count / length,
        times=torch.tensor(times, dtype=torch.float64),
        clips=torch.cat(means).unflatten(0, (clips, each)).mean(1).to(torch.bfloat16),
        clip_s=length / clips,
        duration=shown.duration,
        size=(height, width),
    )
    return True
