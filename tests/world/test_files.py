"""Files hold what the scene says, labels beside them, and are not written twice."""

from __future__ import annotations

import json

import numpy as np

from kairos.timeline import Timeline
from kairos.video import open as open_video
from kairos.world import render_split
from kairos.world.files import queries
from kairos.world.raster import render
from kairos.world.sampling import sample_scene


def test_a_clip_and_its_labels(tmp_path):
    (path,) = render_split(seed=3, split="composition", count=1, out=tmp_path)
    scene = sample_scene(3_000_000, "composition")
    stamp = path.stat().st_mtime_ns
    assert render_split(seed=3, split="composition", count=1, out=tmp_path) == [path]
    assert path.stat().st_mtime_ns == stamp
    with open_video(path) as video:
        assert abs(video.duration - scene.duration) < 0.1
        assert video.size == (256, 256)
        assert video.has_audio
        times = np.array([0.25, 3.25, scene.duration - 0.75])
        frames = video.frames(times, size=64).images.astype(float)
    drawn = render([scene], [np.floor(times * 24) / 24], 64).images.numpy().astype(float)
    assert np.abs(frames - drawn).mean() < 4.0
    lines = [json.loads(line) for line in path.with_suffix(".timeline.jsonl").read_text().splitlines()]
    assert lines[0]["kind"] == "world"
    assert {"track", "mask_track", "ground", "ask", "caption"} <= {r["kind"] for r in lines}
    said = [r for r in lines if r["kind"] in ("ground", "ask")]
    assert [r["query"] for r in said] == [q.query for q in queries(scene) if q.kind in ("ground", "ask")]
    timeline = Timeline.from_jsonl(path.with_suffix(".timeline.jsonl"))
    assert len(timeline) == len(lines)
