"""Charades-STA: a line a sentence. Lengths come from Charades' own tables (`Charades_v1_*.csv`) where they lie beside.

3MSZA 24.3 30.4##person turn a light on.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from kairos.bench.annotations.gathering import Gathering

NAME, SUFFIX = "charades", ".txt"

_LINE = re.compile(r"(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")


def fits(document: Any) -> bool:
    return any(_LINE.fullmatch(line.strip()) for _, line in document)


def read(document: Any, found: Gathering) -> None:
    """A labelled moment for each line; a video's length stays unknown where no table has it."""
    lengths = _lengths(Path(found.path).parent)
    for number, line in document:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            found.problem(number, "a line must read: VIDEO START END##SENTENCE")
            continue
        video, start, end, sentence = match.groups()
        try:
            span = float(start), float(end)
        except ValueError:
            found.problem(number, f"{start} and {end} are not seconds")
            continue
        label = found.words(number, sentence, "the sentence")
        moment = found.moment(number, span, lengths.get(video), label)
        if moment and label and found.video(number, video, lengths.get(video)):
            found.add(video, moment)


def _lengths(folder: Path) -> dict[str, float]:
    """Seconds by video; rows that do not say them are passed over: they are another file's."""
    lengths = {}
    for path in sorted(folder.glob("Charades_v1_*.csv")):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                if re.fullmatch(r"\d+(\.\d+)?", row.get("length") or "") and row.get("id"):
                    lengths[row["id"]] = float(row["length"])
    return {video: length for video, length in lengths.items() if length > 0}
