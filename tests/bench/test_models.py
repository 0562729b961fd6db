"""Which models a benchmark is about: one with its hash, and those of a folder."""

from __future__ import annotations

import pytest

from kairos.bench.models import models_in
from kairos.errors import OptionError


def test_models_are_found_in_folders_and_in_runs(tmp_path):
    for folder in ("end", "one/model", "half/pool"):
        (tmp_path / folder).mkdir(parents=True)
    for model in ("end", "one/model"):
        (tmp_path / model / "config.json").touch()
    assert models_in(tmp_path) == {"end": tmp_path / "end", "one": tmp_path / "one" / "model"}
    assert models_in(None) == {}


@pytest.mark.parametrize("name", [".", "missing"])
def test_a_folder_without_models_is_refused(tmp_path, name):
    with pytest.raises(OptionError, match="no models here"):
        models_in(tmp_path / name)
