"""Clips painted on the spot, official files about them, and a model that sees what is painted."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import COLOURS, SquareModel, SquareSession
from painted import square_at, write_clip, write_square

from kairos.bench import run


class Candid(SquareModel):
    """Knows every word, and answers with the letter of the colour that it has seen most of."""

    def unknown_words(self, text: str) -> list[str]:
        return []

    def session(self) -> Any:
        session = Session(self.config)
        self.sessions.append(session)
        return session


class Session(SquareSession):
    def reply(self, max_words: int = 24) -> SimpleNamespace:
        lines = [line for line in (self.query or "").split("\n") if line[1:2] == "."]
        seen = {
            line[0]: float((np.abs(self.frames - COLOURS[line[3:]]).mean(1) < 60).sum())
            for line in lines
            if line[3:] in COLOURS
        }
        text = max(seen, key=lambda letter: seen[letter]) if seen else (self.query or "").split("\n")[0]
        return SimpleNamespace(text=text, confidence=0.9, abstained=False)


def put(path: Path, content: Any) -> Path:
    """Writes a file as its name says: .json, .jsonl, .pkl, or text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    elif isinstance(content, str):
        path.write_text(content)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        path.write_text(json.dumps(content))
    return path


@pytest.fixture(autouse=True)
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR takes half a minute to start."""
    from kairos.score import java

    monkeypatch.setattr(java, "available", lambda: False)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """one.mp4, 8 s: red from 1 to 3, green from 4 to 6. square.mp4, 4 s of 10 frames a second: a red square that moves."""
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "one.mp4", [(1.0, 3.0, "red"), (4.0, 6.0, "green")], sound=False)
    write_square(folder / "square.mp4")
    return folder


@pytest.fixture
def sit(videos: Path, tmp_path: Path) -> Any:
    """Sits an exam; returns its report, and the lines of its items by id."""

    def sitting(name: str, annotations: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
        given = {"model": Candid(), "videos": videos, "out": tmp_path / "out", **options}
        report = run(name, annotations=annotations, **given)
        lines = (given["out"] / "items.jsonl").read_text().splitlines()
        return report, {row["id"]: row for row in map(json.loads, lines)}

    return sitting


@pytest.fixture
def write(tmp_path: Path) -> Any:
    return lambda name, content: put(tmp_path / name, content)


@pytest.fixture
def frames(tmp_path: Path) -> Any:
    """Writes a folder of images with a red square that moves; returns its boxes (n, 4) xyxy."""

    def draw(folder: str, count: int = 12, *, rate: float = 6.0, start: int = 0) -> np.ndarray:
        from PIL import Image

        home = tmp_path / folder
        home.mkdir(parents=True)
        boxes = []
        for k in range(count):
            x1, y1, x2, y2 = (round(v) for v in square_at(k / rate, duration=count / rate))
            image = np.zeros((96, 128, 3), np.uint8)
            image[y1:y2, x1:x2] = COLOURS["red"]
            Image.fromarray(image).save(home / f"{start + k:05d}.png")
            boxes.append((x1, y1, x2, y2))
        return np.array(boxes, np.float64)

    return draw
