"""Small files of predictions and references, and the real ones where they are at hand."""

from __future__ import annotations

import json

import pytest
from official import shared


@pytest.fixture
def put(tmp_path):
    """Writes a file: an object or a list as JSON, one object a line where the name ends in .jsonl, text as it is."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        elif name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        else:
            path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture(name="shared")
def found_file():
    """Finds a file of the field's real ones, or skips the test."""
    return shared
