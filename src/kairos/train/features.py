"""What a vision encoder saw, kept in a folder: one safetensors file a video or picture, `NAME.safetensors`.

    frames   (N, P, F)   P features of each of N frames, any dtype
    times    (N,)        optional: when each was shown, seconds; without it `fps` a second
    clips    (T, V)      optional: one feature every `clip_s` seconds, for the temporal head
    header               fps, clip_s, and, where they are known, duration (seconds), height and width (pixels of the source)

`features.json` says which encoder that was (`Settings`). While the vision encoder is frozen (TPO's stages one and two) this is
the same as running it, and much cheaper; where it learns, `train.pictures` has what it looks at. `train.encoding` writes such a folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from kairos.errors import OptionError, VideoError
from kairos.model.backbone import Settings, spread
from kairos.timeline.files import atomic_write

__all__ = ["Facts", "Features", "settings", "write", "write_settings"]

SETTINGS = "features.json"


@dataclass(frozen=True)
class Facts:
    """What a file says of its video; `size` is (height, width) of the source in pixels, `width` the length of a feature.

    There are `clips` clips of `clip_s` seconds each, none where the temporal head has nothing to read.
    """

    fps: float
    clip_s: float
    duration: float | None
    size: tuple[int, int] | None
    width: int
    clips: int

    @property
    def length(self) -> float:
        """Seconds that the clips cover."""
        return self.clips * self.clip_s


class Features:
    """Features by the name of their video. Raises VideoError where there are none, or none that can be used.

    A video that annotations name without its ending, or with its folder, is found as well, as long as only one can be meant.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise OptionError(
                f"{folder} is no folder of features",
                option="features",
                value=str(folder),
                hint="`kairos features` makes one",
            )

    def has(self, video: str) -> bool:
        """Whether there are features under this very name."""
        return (self.folder / f"{_safe(video)}.safetensors").is_file()

    def path(self, video: str) -> Path:
        """The file of a video's features; raises VideoError where there is none."""
        exact = self.folder / f"{_safe(video)}.safetensors"
        if exact.is_file():
            return exact
        last = PurePosixPath(video.replace("\\", "/")).name
        found = self._by_name.get(last) or self._by_name.get(PurePosixPath(last).stem) or []
        if len(found) == 1:
            return found[0]
        told = f"{exact} does not exist"
        if found:
            told = f"{found[0].name} and {found[1].name} may be meant"
        raise VideoError(f"no features of {video}: {told}", path=exact, hint="`kairos features` makes them")

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Files by their video's name without folders, and by that without its ending."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.folder.rglob("*.safetensors")):
            for name in {path.stem, PurePosixPath(path.stem).stem}:
                found.setdefault(name, []).append(path)
        return found

    def frames(self, video: str, count: int, until: float | None = None) -> Tensor:
        """At most `count` frames (n, P, F), evenly spread to the last one; with `until` none that is shown after that time,
        but the first in any case.
        """
        path = self.path(video)
        with _open(path) as file:
            rows = _rows(file, path)
            return torch.cat([rows[k : k + 1] for k in _places(file, rows, count, until)])

    def times(self, video: str, count: int, until: float | None = None) -> Tensor:
        """When those frames were shown (n,), seconds."""
        path = self.path(video)
        with _open(path) as file:
            rows = _rows(file, path)
            return _times(file, rows.get_shape()[0])[_places(file, rows, count, until)]

    def clips(self, video: str) -> Tensor:
        """Features (T, V), one every `clip_s` seconds."""
        path = self.path(video)
        with _open(path) as file:
            if "clips" not in set(file.keys()):
                raise VideoError(f"{path}: no clips, which the temporal head reads", path=path)
            tensor: Tensor = file.get_tensor("clips")
        if tensor.ndim != 2 or not len(tensor):
            raise VideoError(f"{path}: clips of shape {tuple(tensor.shape)}, not of 2 axes", path=path)
        return tensor

    def facts(self, video: str) -> Facts:
        path = self.path(video)
        with _open(path) as file:
            header, width = file.metadata() or {}, _rows(file, path).get_shape()[2]
            clips = file.get_slice("clips").get_shape()[0] if "clips" in set(file.keys()) else 0
        try:
            fps, clip_s = float(header["fps"]), float(header.get("clip_s", 1.0))
            duration = float(header["duration"]) if "duration" in header else None
            sides = [int(header[side]) for side in ("height", "width") if side in header]
        except (KeyError, ValueError) as error:
            raise VideoError(f"{path}: not a file of features: {error}", path=path) from error
        size = (sides[0], sides[1]) if len(sides) == 2 else None
        return Facts(fps, clip_s, duration, size, width, clips)

    @cached_property
    def settings(self) -> Settings | None:
        """How they were made; None where nothing says it."""
        return settings(self.folder)


def settings(folder: str | os.PathLike[str]) -> Settings | None:
    """How the features of a folder were made; None where nothing says it. Raises OptionError where that cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    path = Path(folder) / SETTINGS
    try:
        return TypeAdapter(Settings).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise OptionError(
            f"{path}: not how features were made", option="features", value=str(path)
        ) from error


def write_settings(folder: str | os.PathLike[str], made: Settings) -> None:
    with atomic_write(Path(folder) / SETTINGS) as file:
        json.dump(dataclasses.asdict(made), file, indent=1)


def write(
    folder: str | os.PathLike[str],
    video: str,
    frames: Tensor,
    *,
    fps: float,
    times: Tensor | None = None,
    clips: Tensor | None = None,
    clip_s: float = 1.0,
    duration: float | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """Writes the features of one video, in one step; a picture is one frame at any rate. Raises OptionError."""
    from safetensors.torch import save_file

    if frames.ndim != 3 or not len(frames) or (clips is not None and (clips.ndim != 2 or not len(clips))):
        raise OptionError("frames must be (N, P, F), clips (T, V), with something in them", option="frames")
    if times is not None and times.shape != frames.shape[:1]:
        raise OptionError(
            f"{len(frames)} frames have as many times, not {tuple(times.shape)}", option="times"
        )
    for name, value in (("fps", fps), ("clip_s", clip_s), ("duration", duration)):
        if value is not None and not 0 < value < float("inf"):
            raise OptionError(f"{name} {value} is not a positive number", option=name, value=value)
    known = {"fps": fps, "clip_s": clip_s, "duration": duration}
    known |= {} if size is None else dict(zip(("height", "width"), size, strict=True))
    path = Path(folder) / f"{_safe(video)}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"frames": frames, "times": times, "clips": clips}
    tensors = {name: x.contiguous() for name, x in given.items() if x is not None}
    part = path.with_suffix(".part")
    save_file(tensors, str(part), {name: str(value) for name, value in known.items() if value is not None})
    part.replace(path)
    return path


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise VideoError(f"{path}: not a file of features: {error}", path=path) from error


def _rows(file: Any, path: Path) -> Any:
    """The frames, of which only those that are asked for are read."""
    rows = file.get_slice("frames")
    if len(rows.get_shape()) != 3 or not rows.get_shape()[0]:
        raise VideoError(f"{path}: frames of shape {tuple(rows.get_shape())}, not of 3 axes", path=path)
    return rows


def _places(file: Any, rows: Any, count: int, until: float | None) -> list[int]:
    """Which of the `rows` are read, where at most `count` are asked for."""
    seen = rows.get_shape()[0]
    if until is not None:
        seen = max(1, int((_times(file, seen) <= until + 1e-6).sum()))
    return spread(seen, count)


def _times(file: Any, count: int) -> Tensor:
    """When each of `count` frames was shown, seconds."""
    if "times" in set(file.keys()):
        times: Tensor = file.get_tensor("times")
        return times
    return torch.arange(count) / float((file.metadata() or {}).get("fps", 1.0))


def _safe(video: str) -> str:
    """A name that stays within the folder. Raises VideoError."""
    parts = PurePosixPath(video.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or ".." in parts:
        raise VideoError(f"{video!r} is not a name within a folder of features", path=video)
    return str(PurePosixPath(*parts))
