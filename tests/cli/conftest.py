"""Clips made on the spot and a command line that answers with the model that sees colours."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fakes import ColourModel
from painted import write_clip

import kairos
from kairos.cli import main


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Eight seconds: red from 3 to 5, green from 6 to 7."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_clip(path, [(3.0, 5.0, "red"), (6.0, 7.0, "green")])


@pytest.fixture
def loaded(monkeypatch):
    """Makes `kairos.load` give the model that sees colours; holds the paths that were asked for."""
    paths = []

    def load(path=None, device="cpu"):
        paths.append(path)
        return ColourModel()

    # Not setattr, which looks at the real one first: that would load torch.
    monkeypatch.setitem(kairos.__dict__, "load", load)
    return paths


@pytest.fixture
def cli(capsys, loaded):
    """Runs the command line in this process; returns code, out and err."""

    def call(*arguments: object) -> SimpleNamespace:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return SimpleNamespace(code=end.value.code, out=shown.out, err=shown.err, loaded=loaded)

    return call
