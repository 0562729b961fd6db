"""The vision encoder of a pretrained model: pictures as features of their patches.

Any encoder of single pictures that `transformers` knows: CLIP, SigLIP, DINOv2, ViT, or the tower within a larger model such as
LLaVA-OneVision. Pictures are squeezed to a square; neither torchvision nor a processor of `transformers` is needed.

Shapes: n pictures, S side in pixels, P patches, F features of a patch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from kairos.errors import ModelError, OptionError
from kairos.model.loading import quiet

__all__ = ["Backbone", "Settings", "spread"]

_TOWERS = ("vision_tower", "vision_model")
_UNUSED = (
    *("pooler.", "head.", "text_model.", "language_model.", "lm_head."),
    *("visual_projection.", "text_projection.", "multi_modal_projector.", "logit_"),
)
"""What may be missing from the weights: no patch's features come from it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the features of a folder were made, all of them alike: by which encoder (a folder of it), and of how many pictures.

    `fps` frames a second and a clip every `clip_s` are what was asked for; clips tile a video, so that in each they are a
    little longer or shorter. At most `most` frames of a video are kept. Features are of length `width`.
    """

    backbone: str
    width: int
    grid: int | None = None
    fps: float = 1.0
    clip_s: float = 1.0
    most: int = 128

    @property
    def frames_a_clip(self) -> int:
        return max(1, round(self.fps * self.clip_s))


class Backbone(nn.Module):
    """A `tower`, frozen as it comes; its pictures are `size` pixels square, each gives `patches` features of length `width`.

    `layer` is the hidden layer that is read, None for the last one, behind its norm. With `grid` the patches are averaged to
    so many rows and columns.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        tower: nn.Module,
        size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        layer: int | None = None,
        grid: int | None = None,
    ) -> None:
        super().__init__()
        self.tower = tower.eval().requires_grad_(False)
        self.size, self.layer, self.grid = size, layer, grid
        self.register_buffer("mean", 255 * torch.tensor(mean), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std), persistent=False)
        config: Any = tower.config
        self.side = size // int(config.patch_size)
        if grid is not None and not 1 <= grid <= self.side:
            raise OptionError(
                f"--grid {grid} is not from 1 to {self.side}, the encoder's own",
                option="grid",
                value=grid,
                hint=f"a picture of {size} pixels has {self.side} x {self.side} patches",
            )
        self.patches = (grid or self.side) ** 2
        with torch.no_grad():
            self.width = self(torch.zeros(1, size, size, 3, dtype=torch.uint8)).shape[-1]

    @classmethod
    def load(cls, path: str | Path, *, grid: int | None = None, device: str = "cpu") -> Backbone:
        """The encoder of a model's folder in the Hugging Face layout, safetensors only. Raises ModelError, OptionError."""
        from transformers import AutoConfig, AutoModel

        path = Path(path)
        try:
            mean, std = _normal(path)
            config = AutoConfig.from_pretrained(path, local_files_only=True)
            with quiet():
                model, report = AutoModel.from_pretrained(
                    path,
                    config=config,
                    local_files_only=True,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
            lacking = sorted(
                k for k in report["missing_keys"] if not any(f".{part}" in f".{k}" for part in _UNUSED)
            )
            if lacking:
                raise ValueError(f"{len(lacking)} weights are missing, {lacking[0]} among them")
            tower = next((t for name in _TOWERS if (t := getattr(model, name, None)) is not None), model)
            size = tower.config.image_size
            layer = getattr(config, "vision_feature_layer", None)
            if isinstance(layer, list | tuple):
                raise ValueError(f"it reads several layers, {layer}")
            made = cls(
                tower, size if isinstance(size, int) else int(size[0]), mean, std, layer=layer, grid=grid
            )
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RuntimeError,
            SafetensorError,
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{path}: no encoder of pictures: {reason}",
                path=path,
                hint="name a folder with config.json, preprocessor_config.json and model.safetensors, such as of "
                "google/siglip-so400m-patch14-384",
            ) from error
        return made.to(device)

    def forward(self, frames: Tensor) -> Tensor:
        """uint8 RGB (n, S, S, 3) -> (n, P, F), row by row."""
        pixels = ((frames.to(self.mean.device).float() - self.mean) / self.std).permute(0, 3, 1, 2)
        out = self.tower(pixel_values=pixels, output_hidden_states=self.layer is not None)
        states: Tensor = out.last_hidden_state if self.layer is None else out.hidden_states[self.layer]
        if states.ndim != 3 or states.shape[1] < self.side**2:
            raise ModelError(
                f"features of shape {tuple(states.shape)} are not {self.side} x {self.side} patches"
            )
        states = states[:, -(self.side**2) :]  # without what stands for the whole picture
        if self.grid is None:
            return states
        square = states.transpose(1, 2).unflatten(-1, (self.side, self.side))
        return F.adaptive_avg_pool2d(square, self.grid).flatten(2).transpose(1, 2)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of `count` places, evenly spread to the last one."""
    if count <= most:
        return list(range(count))
    places: list[int] = np.linspace(count - 1, 0, most).round().astype(int).tolist()
    return places[::-1]


def _normal(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the pictures that the encoder was trained on, RGB, of 1."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (path / name).is_file():
            values = json.loads((path / name).read_text("utf-8"))
            values = values.get("image_processor", values)
            if values.get("do_normalize", True):
                return tuple(values["image_mean"]), tuple(values["image_std"])
            return (0.0,) * 3, (1.0,) * 3
    raise ValueError("there is no preprocessor_config.json, which says how pictures are normalised")
