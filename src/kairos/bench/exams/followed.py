"""Where something goes, box by box and mask by mask: LaSOT, GOT-10k, DAVIS, Ref-YouTube-VOS, MeViS, VidSTG; and RefCOCO.

Videos are files or folders of images, whose pictures are counted as the benchmark counts its frames. Trackers are followed at
the follower's own rate and read off at each frame; masks are asked for at every frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.exams.exam import Box, Candidate, Exam, Item, Result, Said, View
from kairos.bench.exams.spans import dumped
from kairos.bench.protocols.masks import labels
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.vidstg import sentences
from kairos.timeline import MaskTrack
from kairos.timeline.files import atomic_path, atomic_write

__all__ = ["EXAMS"]

LASOT_HZ, GOT_10K_HZ, DAVIS_HZ, REFERRED_HZ = 30.0, 10.0, 24.0, 6.0
"""Frames a second of the sets' folders of images; of Ref-YouTube-VOS and MeViS every fifth frame is kept."""


def _rate(candidate: Candidate, view: View, frames: int) -> float:
    """Frames a second of a video with so many frames: a folder's own; of a file, its frames over its length."""
    return view.rate or 1.0 if view.path.is_dir() else frames / candidate.length(view)


# trackers ------------------------------------------------------------------------------------------------------------


def _sequences(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for name, ref in refs.items():
        yield Item(name, name, about=ref)


def _track(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    x1, y1, x2, y2 = item.about.boxes[0].tolist()
    return {"": candidate.track(view, None, (x1, y1, x2, y2))}


def _trajectories(nested: bool) -> Any:
    def write(folder: Path, results: Sequence[Result]) -> list[Path]:
        """x, y, width, height a line; the first is the given box, and a thing that was never found stays where it was."""
        home = folder / "predictions"
        for result in results:
            name, ref, answer = result.item.id, result.item.about, result.answer()
            boxes = np.repeat(ref.boxes[:1], len(ref.boxes), axis=0)
            if answer.track is not None and len(answer.track):
                times = _times(answer.duration, len(ref.boxes))
                sides = [np.interp(times, answer.track.times, answer.track.boxes[:, k]) for k in range(4)]
                boxes[1:] = np.stack(sides, axis=1)[1:]
            boxes[:, 2:] -= boxes[:, :2]
            path = home / name / f"{name}_001.txt" if nested else home / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                file.writelines(",".join(f"{value:.4f}" for value in row) + "\n" for row in boxes.tolist())
        home.mkdir(parents=True, exist_ok=True)
        return [home]

    return write


def _times(duration: float | None, frames: int) -> NDArray[np.float64]:
    """The middle of each frame's stay, seconds."""
    return np.asarray((np.arange(frames) + 0.5) * ((duration or 0.0) / max(frames, 1)), np.float64)


# masks ---------------------------------------------------------------------------------------------------------------


def _davis(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    """Sequences with the box of each thing in the first mask, which is what is given."""
    homes = {path.parent.name: path.parent for path in sorted(source.path.glob("**/*.png"))}
    for name, ref in refs.items():
        files = sorted(homes[name].glob("*.png"))
        first = labels(files[0])
        boxes = {thing: _box(first == thing) for thing in ref.things}
        yield Item(name, name, about={"boxes": boxes, "frames": [file.stem for file in files]})


def _box(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _segment_things(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    rate = _rate(candidate, view, len(item.about["frames"]))
    boxes = item.about["boxes"]
    return {str(thing): candidate.segment(view, None, box, rate=rate) for thing, box in boxes.items()}


def _draw_things(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Palette pictures with the things' numbers; where two claim a pixel, it is the smaller thing's."""
    home = folder / "predictions"
    for result in results:
        frames = result.item.about["frames"]
        tracks = {int(thing): result.answer(thing).mask_track for thing in result.steps}
        rate = len(frames) / next((result.answer(thing).duration or 1.0 for thing in result.steps), 1.0)
        for k, frame in enumerate(frames):
            masks = {thing: track.mask(_index(track, k, rate)) for thing, track in tracks.items() if track}
            if masks:
                picture = np.zeros(next(iter(masks.values())).shape, np.uint8)
                for thing in sorted(masks, key=lambda one: -int(masks[one].sum())):
                    picture[masks[thing]] = thing
                _save(home / result.item.id / f"{frame}.png", picture)
    home.mkdir(parents=True, exist_ok=True)
    return [home]


def _index(track: MaskTrack, frame: int, rate: float) -> int:
    """Which of a track's masks is of that frame: the first one taken while it was shown, or else the next, or the last."""
    shown = np.floor(track.times * rate + 1e-6)
    return min(int(np.searchsorted(shown, frame)), len(track) - 1)


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture, mode="P")
    image.putpalette(
        [value for k in range(256) for value in ((k * 67) % 256, (k * 131) % 256, (k * 29) % 256)]
    )
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _expressions(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    videos = Source(source.path / "meta_expressions.json").mapping()["videos"]
    for name, ref in refs.items():
        video, _, key = name.rpartition("/")
        words = str(videos[video]["expressions"][key].get("exp", ""))
        yield Item(name, video, words, about=list(ref.frames))


def _segment_words(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    return {"": candidate.segment(view, item.query, rate=_rate(candidate, view, len(item.about)))}


def _draw_words(folder: Path, results: Sequence[Result]) -> list[Path]:
    """VIDEO/EXPRESSION/FRAME.png; where nothing was found there is nothing, which counts as empty masks."""
    home = folder / "predictions"
    for result in results:
        answer, frames = result.answer(), result.item.about
        track, rate = answer.mask_track, len(frames) / (answer.duration or 1.0)
        for k, frame in enumerate(frames if track else ()):
            assert track is not None
            mask = track.mask(_index(track, k, rate))
            _save(home / result.item.id / f"{frame}.png", mask.astype(np.uint8))
    home.mkdir(parents=True, exist_ok=True)
    return [home]


# when and where --------------------------------------------------------------------------------------------------------


def _sentences(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    """A sentence is about the frames from its start to its end."""
    for _, row in sentences(source)[0]:
        fps = float(row["fps"])
        part = (row["start_frame"] / fps, row["end_frame"] / fps)
        video = str(row.get("video_path") or row["original_video_id"])
        about = {"fps": fps, "qtype": row.get("qtype"), "ref": refs.get(str(row["video_id"]))}
        yield Item(str(row["video_id"]), video, str(row.get("caption", "")), (part,), about)


def _when_and_where(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    return {"when": candidate.ground(view, item.query), "where": candidate.track(view, item.query)}


def _tubes(folder: Path, results: Sequence[Result]) -> list[Path]:
    """TubeDETR's saved predictions: spans in frames, a box for each sampled frame."""
    spans: dict[str, Any] = {}
    boxes: dict[str, Any] = {}
    for r in results:
        fps, ref = r.item.about["fps"], r.item.about["ref"]
        best, track = r.answer("when").best, r.answer("where").track
        span = [0, 0] if best is None else [round(best.start * fps), round(best.end * fps)]
        spans[r.item.id] = {"sted": span, "qtype": r.item.about["qtype"]}
        for frame in ref.frames if ref is not None and track is not None and len(track) else ():
            assert track is not None
            at = (frame + 0.5) / fps
            box = [round(float(np.interp(at, track.times, track.boxes[:, k])), 2) for k in range(4)]
            boxes[f"{r.item.id}_{frame}"] = {"boxes": [box]}
    return dumped(folder / "predictions.json", {"video_predictions": spans, "predictions": boxes})


# pictures ------------------------------------------------------------------------------------------------------------


def _referred(source: Source, refs: Entries[Any]) -> Iterator[Item]:
    for _, row in source.rows():
        name = next((row[key] for key in ("id", "sent_id", "ref_id") if key in row), None)
        words = next((row[key] for key in ("expression", "sentence", "sent", "query") if key in row), "")
        ref = refs.get(str(name))
        if ref is not None:
            yield Item(str(name), ref.video, str(words))


def _locate(candidate: Candidate, view: View, item: Item) -> dict[str, Said]:
    return {"": candidate.locate(view, item.query)}


def _boxes(folder: Path, results: Sequence[Result]) -> list[Path]:
    path = folder / "predictions.jsonl"
    with atomic_write(path) as file:
        for r in results:
            track = r.answer().track
            box = None if track is None else track.boxes[0].tolist()
            file.write(json.dumps({"id": r.item.id, "box": box}, ensure_ascii=False) + "\n")
    return [path]


EXAMS: Mapping[str, Exam] = {
    "lasot": Exam(items=_sequences, put=_track, write=_trajectories(False), rate=LASOT_HZ),
    "got10k": Exam(items=_sequences, put=_track, write=_trajectories(True), rate=GOT_10K_HZ),
    "davis": Exam(
        items=_davis,
        put=_segment_things,
        write=_draw_things,
        rate=DAVIS_HZ,
        notes=("a thing is followed from the box of its first mask, not from the mask itself",),
    ),
    "ref-youtube-vos": Exam(items=_expressions, put=_segment_words, write=_draw_words, rate=REFERRED_HZ),
    "mevis": Exam(items=_expressions, put=_segment_words, write=_draw_words, rate=REFERRED_HZ),
    "vidstg": Exam(items=_sentences, put=_when_and_where, write=_tubes),
    "refcoco": Exam(items=_referred, put=_locate, write=_boxes, rate=1.0, pictures=True),
}
"""The exams of this file by their benchmarks' names."""
