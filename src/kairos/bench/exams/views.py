"""What a candidate sees of a benchmark's videos: found by their names, opened whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.exams.exam import Part, View
from kairos.bench.protocols.targets import MEDIA, stem
from kairos.errors import InputError
from kairos.timeline import Moment
from kairos.timeline.intervals import intersect
from kairos.video import Frame, Frames, Video
from kairos.video import open as open_video
from kairos.video.folder import SUFFIXES

__all__ = ["Cuts", "Library", "opened"]

INNER = ("img", "imgs", "images", "color", "frames")
"""Folders of images with these names are called as the folder that they are in: LaSOT's airplane-1/img."""


class Library:
    """The videos below a folder, by name without folders and ending: files of any kind, with `folders` those that hold
    images too, with `pictures` the images themselves.

    Raises InputError where there is no such folder.
    """

    def __init__(self, folder: Path, *, folders: bool = False, pictures: bool = False) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder of videos", hint="give --videos DIR")
        self.folder = folder
        self._found: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            if path.suffix.lower() in SUFFIXES and not pictures:
                home = path.parent
                if folders and home != folder:
                    self._found.setdefault(home.parent.name if home.name in INNER else home.name, home)
                continue
            self._found.setdefault(stem(path.name), path)
            if path.suffix.lower() not in MEDIA:
                self._found.setdefault(path.stem, path)

    def find(self, name: str) -> Path | None:
        """The file, or the folder of images, of a video as annotations name it."""
        plain = name.replace("\\", "/")
        return self._found.get(stem(plain)) or self._found.get(Path(plain).stem)


def opened(view: View) -> Video:
    """Opens what a view shows, as a video; close it. Raises VideoError."""
    video: Video
    if view.path.is_dir() or view.path.suffix.lower() in SUFFIXES:
        from kairos.video.slides import Slides

        video = Slides(view.path, view.rate or 1.0)
    else:
        video = open_video(view.path)
    if len(view.parts) < 2:
        return video
    cut: Any = Cuts(video, view.parts)
    return cut


class Cuts:
    """Several parts of a video behind one another, as one video; its clock starts with the first part.

    Frames are those shown at the parts' own times. Parts are put in order, cut to the video, and joined where they overlap.
    """

    def __init__(self, video: Video, parts: Sequence[Part]) -> None:
        self._video = video
        self._parts: list[Part] = [
            (a, b) for a, b in intersect(parts, [(0.0, float(video.duration))]).tolist()
        ]
        lengths = [b - a for a, b in self._parts]
        self._begins = np.concatenate([[0.0], np.cumsum(lengths)])
        self.duration = self.watermark = float(self._begins[-1])
        self.gaps: tuple[Moment, ...] = ()
        if not self._parts:
            raise InputError(f"no part of {video.name} lies inside of it")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._video, name)

    def __enter__(self) -> Cuts:
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()

    def source_time(self, time: float) -> float:
        """The time in the whole video of a time on this clock."""
        k = min(int(np.searchsorted(self._begins, time, side="right")) - 1, len(self._parts) - 1)
        return min(self._parts[k][0] + time - float(self._begins[k]), self._parts[k][1])

    def frames(self, times: Any, size: Any = None) -> Frames:
        return self._video.frames([self.source_time(float(t)) for t in np.atleast_1d(times)], size=size)

    def sample(
        self,
        fps: float,
        *,
        size: Any = None,
        phase: float = 0.0,
        start: float = 0.0,
        end: float | None = None,
        **_: Any,
    ) -> Iterator[Frame]:
        """The frame shown at each start + (k + phase) / fps before `end`; one seek a part and chunk."""
        stop = min(self.duration if end is None else end, self.duration)
        times: list[float] = []
        while (at := start + (len(times) + phase) / fps) < stop - 1e-9:
            times.append(at)
        for first in range(0, len(times), 64):
            chunk = times[first : first + 64]
            found = self.frames(chunk, size=size)
            for k, (time, shown) in enumerate(zip(found.times, found.images, strict=True)):
                yield Frame(float(time), shown, first + k, chunk[k])

    def audio_blocks(
        self, rate: int = 16000, step_s: float = 0.5, start: float = 0.0, end: float | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """The sound of [start, end) in blocks; a block that crosses a cut is put together from both sides."""
        stop = min(self.duration if end is None else end, self.duration)
        length = round(step_s * rate)
        sound = np.concatenate([self._video.audio(a, b, rate) for a, b in self._parts])
        for k in range(int(np.ceil((stop - start) / step_s - 1e-9))):
            first = round((start + k * step_s) * rate)
            block = sound[first : first + length]
            yield np.pad(block, (0, length - len(block)))
