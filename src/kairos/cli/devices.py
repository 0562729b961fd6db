"""`--device`: where a command computes."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from kairos.errors import OptionError

__all__ = ["Device", "check", "choose"]

Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:N, or auto.")]


def check(given: str) -> None:
    """Raises OptionError for what is no device; loads nothing."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", given):
        raise OptionError(
            f"--device {given} is none", option="device", value=given, hint="give cpu, cuda, cuda:N or auto"
        )


def choose(given: str) -> str:
    """The device to compute on; raises OptionError where a GPU is asked for that is not there."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if given == "auto":
        return "cuda" if gpus else "cpu"
    if given != "cpu" and int(given.partition(":")[2] or 0) >= gpus:
        raise OptionError(
            f"--device {given} is not there: torch sees {gpus} GPUs",
            option="device",
            value=given,
            hint="leave --device out, or see `kairos doctor`",
        )
    return given
