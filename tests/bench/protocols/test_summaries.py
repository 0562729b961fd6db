"""TVSum and YouTube Highlights: which clips matter most."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kairos.bench.protocols.scoring import match, score
from kairos.bench.protocols.summaries import precision
from kairos.errors import AnnotationError


def flags(*marks):
    return np.array(marks, bool)


def test_precision_is_the_area_by_trapezia():
    assert precision(np.array([9.0, 8.0, 7.0]), flags(1, 1, 0), None, False) == 1.0
    # ranked: no, yes, yes; precision 0, 1/2, 2/3 at recall 0, 1/2, 1
    found = precision(np.array([9.0, 8.0, 7.0]), flags(0, 1, 1), None, False)
    assert found == pytest.approx(0.5 * (0 + 1 / 2) / 2 + 0.5 * (1 / 2 + 2 / 3) / 2)
    assert precision(np.ones(3), flags(0, 0, 0), None, False) == 0.0
    assert np.isnan(precision(np.ones(3), flags(0, 0, 0), None, True))


def test_what_lies_beyond_the_top_is_no_miss_officially():
    scores, positive = np.arange(10.0, 0.0, -1), flags(1, 0, 0, 0, 0, 1, 1, 1, 1, 1)
    assert precision(scores, positive, 5, False) == 1.0
    assert precision(scores, positive, 5, True) == pytest.approx(0.2)


def rows(name, *labels, domain="dog"):
    return [
        {"qid": f"{name}{k}", "vid": f"{name}{k}", "label": label, "domain": domain}
        for k, label in enumerate(labels)
    ]


def said(refs, *scores):
    return [{"qid": ref["qid"], "pred_saliency_scores": one} for ref, one in zip(refs, scores, strict=True)]


def test_domains_weigh_the_same(put):
    refs = [*rows("d", [[1], [0]], [[1], [0]]), *rows("s", [[0], [1]], domain="surfing")]
    pred = put("p.jsonl", said(refs, [2, 1], [2, 1, 9], [2, 1]))  # scores beyond the clips are cut
    found = score("youtube-highlights", pred, put("r.jsonl", refs), rounds=0)
    assert (found.value("dog", "domain"), found.value("surfing", "domain")) == (1.0, 0.25)
    assert found.value("mAP") == pytest.approx((1.0 + 0.25) / 2)


def test_clips_above_each_annotators_median_matter(put):
    refs = rows("t", [[5, 1], [3, 1], [1, 2], [1, 1]])  # medians 1 and 1: clips 0 and 1; clip 2
    pred = put("p.jsonl", said(refs, [4, 3, 2, 1]))
    found = score("tvsum", pred, put("r.jsonl", refs), rounds=0)
    assert found.value("top-5 mAP") == pytest.approx((1.0 + (0 + 1 / 3) / 2) / 2)


@pytest.mark.parametrize(
    ("task", "name", "items"),
    [
        ("tvsum", "tvsum/tvsum_val.jsonl", 10),
        ("youtube-highlights", "youtube_highlights/youtube_train.jsonl", 233),
    ],
)
def test_the_real_files(put, shared, task, name, items):
    path = shared(f"annotations/{name}")
    refs = [json.loads(line) for line in path.read_text().splitlines()]
    best = [[float(np.mean(clip)) for clip in ref["label"]] for ref in refs]
    found = score(task, put("p.jsonl", said(refs, *best)), path, rounds=0)
    value = found.value(found.scored["strict"].quantities[0].name, way="strict")
    assert len(found.matched.pairs) == items
    assert value == 1.0 if task != "tvsum" else 0.5 < value < 1.0  # no order pleases 20 people


def test_every_problem_is_told(put):
    refs = [*rows("d", [[1], [0]], [[1], [0, 1]], "x"), {"qid": "n", "vid": 3, "label": [[1]]}]
    pred = [{"qid": "d0", "pred_saliency_scores": [1]}, {"qid": "d1", "pred_saliency_scores": ["x"]}]
    with pytest.raises(AnnotationError) as caught:
        match("youtube-highlights", put("p.jsonl", pred), put("r.jsonl", refs))
    told = "\n".join(caught.value.errors)
    for part in (
        "p.jsonl:1: has 1 scores for 2 clips",
        "p.jsonl:2: pred_saliency",
        "r.jsonl:2: label must",
        "r.jsonl:3: label must",
        "r.jsonl:4: vid",
    ):
        assert part in told
