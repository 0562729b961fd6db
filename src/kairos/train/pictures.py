"""What a vision encoder that learns looks at: the very frames whose features it once gave (TPO, stage three).

Features say which frames of a video were looked at, and since when each was shown. While the encoder learns, those are decoded
again, at these times.

Shapes: n frames, S side in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kairos.errors import OptionError, VideoError
from kairos.train.encoding import opened
from kairos.train.features import Features
from kairos.video.slides import Slides

__all__ = ["Pictures", "source"]

LONGER_S = 0.1
"""By so many seconds a video may differ from what its features say of it: other files of it would show other frames."""


@dataclass(frozen=True)
class Pictures:
    """The frames behind `features`, out of the `folder` that these were made of; `size` pixels square, squeezed as then.

    The encoder makes `patches` features of each.
    """

    folder: Path
    features: Features
    size: int
    patches: int

    def frames(self, video: str, count: int, until: float | None = None) -> Tensor:
        """The frames of `Features.frames`, uint8 RGB (n, S, S, 3). Raises VideoError for what does not decode, or is not what they
        were made of.
        """
        times = self.features.times(video, count, until).numpy()
        path = source(self.folder, self.features, video)
        seconds = self.features.facts(video).duration
        with opened(path, _rate(path, seconds)) as shown:
            if seconds is not None and abs(float(shown.duration) - seconds) > LONGER_S:
                raise VideoError(
                    f"{path} is {float(shown.duration):g} s long, and its features are of {seconds:g} s",
                    path=path,
                    hint="make its features again, or give the file that they were made of",
                )
            return torch.from_numpy(shown.frames(times, self.size).images)


def _rate(path: Path, seconds: float | None) -> float:
    """Pictures a second of a folder; a picture alone has any rate, and a video says its own."""
    if not path.is_dir() or seconds is None:
        return 1.0
    with Slides(path, 1.0) as pictures:
        return pictures.duration / seconds


def source(folder: Path, features: Features, video: str) -> Path:
    """The video or picture, or the folder of pictures, that features were made of. Raises OptionError, VideoError."""
    if not folder.is_dir():
        raise OptionError(
            f"{folder} is no folder of videos",
            option="videos",
            value=str(folder),
            hint="name the one that `kairos features` was given",
        )
    name = features.path(video).relative_to(features.folder).with_suffix("")
    path = folder / name
    if not path.exists() and str(name) == folder.name:
        path = folder  # which is a video by itself
    if not path.exists():
        raise VideoError(
            f"{path} does not exist, of which there are features",
            path=path,
            hint="videos is the folder that `kairos features` was given",
        )
    return path
