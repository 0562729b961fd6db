"""The world as files: real H.264 + AAC mp4, and beside each NAME.mp4 its labels, NAME.timeline.jsonl.

Labels are one JSON record a line (`kind`, `query` or `text`, `moments`, boxes, masks, tracks), so that anybody can score a
model with a dozen lines of code. Boxes are xyxy in source pixels; masks are uncompressed COCO RLE of what is visible.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kairos.timeline.files import atomic_path, atomic_write
from kairos.world.language import Query, Speaker, Standing
from kairos.world.raster import boxes_at, render
from kairos.world.sampling import sample_scene
from kairos.world.scene import Scene, states_at
from kairos.world.sound import waveform

SIZE_PX, RATE_FPS = 256, 24
TRACK_FPS, MASK_FPS = 8.0, 2.0
GROUND, ASK, WATCH = 12, 14, 4  # queries, questions and standing queries a clip
_CHUNK = 96  # frames drawn at once


def render_split(
    *, seed: int, split: str, count: int, out: str | Path, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write `count` clips of a split, the same for the same seed; those that are complete already are kept.

    Returns the paths of the mp4 files. Each file appears only when it is whole.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(count):
        path = out / f"{split}-{seed}-{k:05}.mp4"
        labels = path.with_suffix(".timeline.jsonl")
        scene = sample_scene(seed * 1_000_000 + k, split)
        if not path.exists():
            write_video(scene, path)
        if not labels.exists():
            with atomic_write(labels) as file:
                file.writelines(json.dumps(r) + "\n" for r in records(scene, path.stem))
        paths.append(path)
        if progress is not None:
            progress(k + 1, count)
    return paths


def write_video(scene: Scene, path: Path) -> None:
    """One scene as mp4: 256 px, 24 frames a second, mono sound at 16 kHz."""
    import av

    with atomic_path(path) as part, av.open(str(part), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=RATE_FPS, options={"preset": "veryfast", "crf": "20"})
        video.width = video.height = SIZE_PX
        video.pix_fmt, video.codec_context.gop_size = "yuv420p", 2 * RATE_FPS
        video.codec_context.thread_count = 1
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        sound.bit_rate = 64_000
        wave, sent = waveform(scene), 0
        for a, images in _pictures(scene):
            for k, image in enumerate(images, a):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, RATE_FPS)
                container.mux(video.encode(frame))
            until = min(len(wave), round((a + len(images)) / RATE_FPS * 16_000)) // 1024 * 1024
            while sent < until:
                sent = _sound(container, sound, wave, sent)
        while sent < len(wave):
            sent = _sound(container, sound, wave, sent)
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def _sound(container: Any, stream: Any, wave: np.ndarray, a: int) -> int:
    import av

    block = wave[None, a : a + 1024]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16_000, a, Fraction(1, 16_000)
    container.mux(stream.encode(frame))
    return a + block.shape[1]


def _pictures(scene: Scene) -> Iterator[tuple[int, np.ndarray]]:
    times = np.arange(round(scene.duration * RATE_FPS)) / RATE_FPS
    for a in range(0, len(times), _CHUNK):
        yield a, render([scene], [times[a : a + _CHUNK]], SIZE_PX).images.numpy()


def queries(scene: Scene) -> list[Query]:
    """What the labels ask of a scene, the same each time; captions of all its events."""
    speaker = Speaker(scene, np.random.default_rng((scene.seed, 5)))
    return [*speaker.ground(GROUND), *speaker.ask(ASK), *speaker.caption(len(scene.events))]


def standing(scene: Scene) -> list[Standing]:
    """The standing queries of a scene's labels, the same each time."""
    return Speaker(scene, np.random.default_rng((scene.seed, 6))).watch(WATCH)


def records(scene: Scene, name: str) -> Iterator[dict[str, Any]]:
    """The labels of a scene, record by record."""
    yield {
        "kind": "world",
        "name": name,
        "seed": scene.seed,
        "split": scene.split,
        "duration": scene.duration,
        "size": [SIZE_PX, SIZE_PX],
        "fps": RATE_FPS,
        "objects": [{"colour": t.colour, "shape": t.shape, "size": t.size} for t in scene.things],
        "events": [
            {
                "event": e.kind,
                "object": e.thing,
                "other": e.other,
                "sound": e.sound,
                "start": e.start,
                "end": e.end,
            }
            for e in scene.events
        ],
        "sounds": [{"sound": s.kind, "start": s.start, "end": s.end} for s in scene.sounds],
    }
    for q in queries(scene):
        moments = [{"start": a, "end": b} for a, b in q.moments]
        said = (
            {"text": q.text}
            if q.kind == "caption"
            else {"query": q.query} | ({"text": q.text} if q.kind == "ask" else {})
        )
        yield {"kind": q.kind, **said, "moments": moments, "tags": list(q.tags)}
    for s in standing(scene):
        told = [{"start": a, "end": b, "label": text} for (a, b), text in s.answers]
        yield {"kind": "watch", "query": s.query, "moments": told, "tags": list(s.tags)}
    yield from _places(scene)


def _places(scene: Scene) -> Iterator[dict[str, Any]]:
    track_times = np.arange(int(scene.duration * TRACK_FPS)) / TRACK_FPS
    mask_times = np.arange(int(scene.duration * MASK_FPS)) / MASK_FPS
    states = states_at(scene, track_times)
    owner = render([scene], [mask_times], SIZE_PX).owner.numpy()
    small = render([scene], [track_times], 64).owner.numpy()
    for i, thing in enumerate(scene.things):
        label = f"{thing.size} {thing.colour} {thing.shape}"
        seen = (small == i).any((1, 2))
        boxes = np.clip(boxes_at(states, i) * SIZE_PX, 0, SIZE_PX)[seen]
        if not len(boxes):
            continue
        yield {
            "kind": "track",
            "label": label,
            "times": track_times[seen].tolist(),
            "boxes": boxes.round(2).tolist(),
        }
        masks = [(t, o == i) for t, o in zip(mask_times.tolist(), owner, strict=True) if (o == i).any()]
        if masks:
            rle = [{"size": [SIZE_PX, SIZE_PX], "counts": _runs(m)} for _, m in masks]
            yield {
                "kind": "mask_track",
                "label": label,
                "size": [SIZE_PX, SIZE_PX],
                "times": [t for t, _ in masks],
                "masks": rle,
            }


def _runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths: column by column, beginning with background."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    return [0, *runs] if flat[0] else runs
