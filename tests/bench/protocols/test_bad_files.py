"""Whatever lies in a file, every protocol tells what is wrong with it, and where: no file makes a traceback."""

from __future__ import annotations

import pytest

from kairos.bench.protocols import PROTOCOLS
from kairos.bench.protocols.scoring import score
from kairos.errors import KairosError

CONTENTS = {
    "nothing": "",
    "words": "hello\nworld\n",
    "a torn object": '{"a": ',
    "a list": "[]",
    "an object": "{}",
    "a number": "3",
    "lists": "[[1, 2], [3]]",
    "numbers": "[1, 2, 3]",
    "numbers by name": '{"a": 3.5, "videos": 3.5, "annotations": 4.5, "results": 5.5, "predictions": 6.5, "categories": 7.5}',
    "lists by name": '{"a": [1], "videos": [3], "annotations": [4], "results": [5], "images": [6], "trajectories": [7]}',
    "objects by name": '{"a": {"b": 3}, "videos": {"v": 3}, "results": {"v": 3}, "trajectories": {"v": 3}}',
    "lists in objects": '{"a": {"b": [1]}, "results": {"v": [3]}, "videos": {"v": [3]}}',
    "rows": '[{"id": 1, "video": "v", "question": "q"}]',
    "rows of odd things": '[{"id": [1], "video": {}, "questions": [3], "timestamps": "x", "bbox": "y"}]',
    "no number": '[{"id": 1, "video": "v", "timestamps": [NaN, Infinity]}]',
}


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("task", PROTOCOLS)
def test_files_of_another_schema(put, task, suffix):
    files = [put(f"{k}{suffix}", content) for k, content in enumerate(CONTENTS.values())]
    rows = files[list(CONTENTS).index("rows")]
    for pred, ref in [*zip(files, files, strict=True), *((rows, file) for file in files)]:
        with pytest.raises(KairosError) as caught:
            score(task, pred, ref, missing="skip", rounds=0)
        assert str(caught.value).strip()


@pytest.mark.parametrize("task", PROTOCOLS)
def test_files_that_are_not_there(tmp_path, task):
    with pytest.raises(KairosError):
        score(task, tmp_path / "no.json", tmp_path / "neither.json")
