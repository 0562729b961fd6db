"""Who sits an exam, and who rates free words: from what a person says to `--model` and `--judge`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kairos.bench.exams.exam import Candidate
from kairos.endpoint import Endpoint
from kairos.errors import OptionError
from kairos.score.judge import EndpointJudge

__all__ = ["candidate_of", "judge_of"]


def candidate_of(model: Any, frames: int | None = None) -> Candidate:
    """A model's folder, "embedded" or None, an address with a model's name, or a model itself, that looks at most at so many
    `frames` of a view. Raises OptionError for an address without a name, ModelError where there is no model.
    """
    candidate: Candidate
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        from kairos.bench.exams.remote import Remote

        candidate = Remote(_endpoint(model, "model"), frames)
        return candidate

    from kairos.bench.exams.local import Local

    if model is not None and not isinstance(model, str | os.PathLike):
        candidate = Local(model, str(model.name), frames)
        return candidate

    import kairos
    from kairos.bench.models import fingerprint
    from kairos.model.loading import EMBEDDED, embedded_path

    path = embedded_path() if model is None or os.fspath(model) == EMBEDDED else Path(model)
    candidate = Local(kairos.load(path), fingerprint(path), frames)
    return candidate


def judge_of(address: str) -> EndpointJudge:
    """The language model at an address. Raises OptionError for one without a name."""
    return EndpointJudge(_endpoint(address, "judge"))


def _endpoint(address: str, option: str) -> Endpoint:
    url, _, named = address.partition("#")
    if not named:
        hint = f"give {url}#NAME"
        raise OptionError(f"{address} does not say which model", option=option, value=address, hint=hint)
    return Endpoint(url, named)
