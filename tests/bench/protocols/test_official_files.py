"""The field's own files as references: each is read whole, and the truth itself has full marks."""

from __future__ import annotations

import pytest

from kairos.bench.protocols import find
from kairos.bench.protocols.scoring import score
from kairos.bench.protocols.source import Source
from kairos.score import java

SPANS = [  # task, file, items
    ("charades", "charades_sta/charades_sta_test.txt", 3720),
    ("activitynet", "activitynet_captions/val_1.json", 17505),
    ("tacos", "tacos/test.json", 4001),
    ("tvgbench", "tvgbench/tvgbench.json", 800),
]
LINES = [
    ("qvhighlights", "qvhighlights/highlight_val_release.jsonl", 1550),
    ("audio-moments", "audio_moment/castella_test_release.jsonl", 1347),
    ("audio-moments", "audio_moment/clotho_moment_val_release.jsonl", 4918),
    ("audio-moments", "audio_moment/unav100-subset_test_release.jsonl", 100),
]


@pytest.mark.parametrize(("task", "name", "items"), SPANS)
def test_spans(put, shared, task, name, items):
    path = shared(f"annotations/{name}")
    said = {
        key: {"timestamp": [list(span) for span in ref.spans], "query": ref.query, "vid": ref.video}
        for key, ref in find(task).refs(Source(path)).items()
    }
    found = score(task, put("p.json", said), path, missing="skip", rounds=0)
    assert len(found.matched.pairs) + len(found.matched.problems) == items
    for way in ("official", "strict"):
        assert found.value("mIoU", way=way) == 1.0
        assert found.value("unparsed", way=way) == 0.0


@pytest.mark.parametrize(("task", "name", "items"), LINES)
def test_lines_of_queries(put, shared, task, name, items):
    path = shared(f"annotations/{name}")
    said = [
        {"qid": key, "pred_relevant_windows": [[s, e, 1.0] for s, e, _ in ref.windows]}
        for key, ref in find(task).refs(Source(path)).items()
    ]
    found = score(task, put("p.jsonl", said), path, missing="skip", rounds=0)
    assert len(found.matched.pairs) + len(found.matched.problems) == items
    assert found.value("MR-R1@0.7", "full") == found.value("MR-R1@0.7", "full", "strict") == 1.0


def test_tvr(put, shared):
    path = shared("annotations/tvr/tvr_val_release.jsonl")
    refs = dict(find("tvr").refs(Source(path)).items())
    index = {video: k for k, video in enumerate(dict.fromkeys(ref.video for ref in refs.values()))}
    said = [{"desc_id": int(k), "predictions": [[index[r.video], *r.span, 1.0]]} for k, r in refs.items()]
    found = score("tvr", put("p.json", {"video2idx": index, "SVMR": said, "VR": said}), path, rounds=0)
    assert len(found.matched.pairs) == 10895
    assert found.value("0.7-r1", "SVMR") == found.value("r1", "VR", "strict") == 1.0


def test_dense_captions(put, shared, monkeypatch):
    monkeypatch.setattr(java, "available", lambda: False)
    path = shared("annotations/youcook2/yc2_val.json")
    said = {
        key: [
            {"timestamp": span, "caption": text}
            for span, text in zip(told.spans.tolist(), told.sentences, strict=True)
        ]
        for key, told in list(find("dense-captions").refs(Source(path)).items())[:100]
    }
    found = score("dense-captions", put("p.json", said), path, missing="skip", ways=("official",), rounds=0)
    assert len(found.matched.pairs) == 100
    assert found.value("F1") == pytest.approx(1.0, abs=0.01)  # an instant never meets itself
    rest = score(
        "dense-captions",
        put("p.json", {key: [] for key in said}),
        path,
        missing="zero",
        ways=("official",),
        rounds=0,
    )
    assert len(rest.matched.pairs) == 457
    assert rest.value("F1") == 0.0
