"""The models of a benchmark: the one that it is about, and those of a folder that are compared with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from kairos.errors import OptionError

__all__ = ["fingerprint", "load", "models_in"]


def load(path: Any = None) -> tuple[Any, str]:
    """The model of a folder, the embedded one if None, with its hash."""
    import kairos
    from kairos.model.loading import embedded_path

    loaded = kairos.load(path) if path is not None else kairos.load()
    return loaded, fingerprint(Path(path) if path is not None else embedded_path())


def fingerprint(folder: Path) -> str:
    """A model's hash: everything in its folder that can change what it says."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".safetensors", ".txt", ".model") and path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def models_in(folder: Any) -> dict[str, Path]:
    """The models in the sub-folders of a folder, or of the runs in them, by name; of None none.

    Raises OptionError where there is none.
    """
    if folder is None:
        return {}
    folder = Path(folder)
    paths = sorted([*folder.glob("*/config.json"), *folder.glob("*/model/config.json")])
    found = {path.relative_to(folder).parts[0]: path.parent for path in paths}
    if not found:
        hint = "name a folder whose sub-folders each hold a model (config.json, *.safetensors), or a run with one"
        raise OptionError(f"{folder}: no models here", option="ablations", value=str(folder), hint=hint)
    return found
