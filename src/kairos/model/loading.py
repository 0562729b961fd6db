"""Weights on disk: the Hugging Face layout, safetensors shards of at most 16 MiB, nothing ever unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers.utils import logging

from kairos.errors import ModelError
from kairos.model.config import KairosConfig
from kairos.model.kairos import KairosModel

EMBEDDED = "embedded"


def embedded_path() -> Path:
    """Where the package keeps its own model."""
    return Path(str(files("kairos"))) / "weights" / EMBEDDED


def load(path: str | Path | None = None, device: str = "cpu") -> Any:
    """The embedded model, or the one in a folder; float32, ready to answer: a `KairosModel`, or an `AdaptedModel` where the
    folder holds what TPO made of a pretrained language model.

    Raises ModelError where there is no model, or none that is safe to load.
    """
    from transformers import PreTrainedTokenizerFast

    folder = Path(path) if path is not None else embedded_path()
    if (folder / "adapted.json").is_file():
        from kairos.model.adapted import load as adapted

        return adapted(folder, device)
    if not (folder / "config.json").is_file():
        known = f"{folder}: no model here"
        hint = (
            "name a folder with config.json and *.safetensors"
            if path is not None
            else "reinstall kairos, or train one: kairos train recipes/embedded.yaml"
        )
        raise ModelError(f"{known}; {hint}", path=folder)
    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder}: no *.safetensors here; weights of other kinds are never opened", path=folder
        )
    try:
        config = KairosConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type != "kairos" or getattr(config, "architectures", ["KairosModel"]) != [
            "KairosModel"
        ]:
            raise ValueError(f"it is a {config.model_type} model")
        with quiet():
            loaded: Any = KairosModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        model: KairosModel = loaded[0]
        report = loaded[1]
        if wrong := sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])}):
            raise ValueError(f"{len(wrong)} weights are missing or of another shape, {wrong[0]} among them")
        model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder}: not a Kairos model: {reason}", path=folder) from error
    return model.eval().to(device)


def save(model: KairosModel, folder: str | Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write configuration, tokenizer and weights (bfloat16 unless told otherwise)."""
    folder = Path(folder)
    nn.Module.to(model, dtype)
    model.config.architectures = ["KairosModel"]
    with quiet():
        model.save_pretrained(folder, max_shard_size="15MB")
    if model.tokenizer is not None:
        model.tokenizer.save_pretrained(folder)
    nn.Module.to(model, torch.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and warnings of `transformers`, which talk to developers."""
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
