"""TVSum and YouTube Highlights: which clips of a video matter most, as UMT scores it (Liu et al., 2022) and others since.

References are the lines of QD-DETR's files: `label`, for each clip what every annotator said of it (TVSum: 20 from 1 to 5;
YouTube Highlights: one, above 0 where the clip is a highlight), and `domain`. Predictions: {"qid", "pred_saliency_scores"}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos.bench.protocols.choices import parts
from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.windows import numbers
from kairos.score.quantity import Mean
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS"]

TOP = 5
"""The clips of TVSum that are looked at."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rated:
    """What of a `video` matters: `positive` (clips, annotators), and the `domain` that it belongs to."""

    video: str
    positive: Flags
    domain: str


def _above_median(label: FloatArray) -> Flags:
    """Clips above an annotator's median, the lower one of two in the middle."""
    middle = np.sort(label, axis=0)[(len(label) - 1) // 2]
    found: Flags = label > middle
    return found


def _references(source: Source, positive: Callable[[FloatArray], Flags]) -> Entries[Rated]:
    entries: Entries[Rated] = Entries()
    for place, row in source.rows():
        label = row.get("label")
        try:
            ratings = np.array(label, np.float64)
        except (TypeError, ValueError):
            ratings = np.zeros(0)
        value = None
        if ratings.ndim != 2 or not ratings.size or not np.isfinite(ratings).all():
            source.problem(place, "label must be a list of ratings for each clip, as many for every one")
        else:
            video = source.found.words(place, row.get("vid"), "vid")
            value = None if video is None else Rated(video, positive(ratings), str(row.get("domain", "")))
        entries.put(source, place, row.get("qid"), value)
    return entries


def _predictions(source: Source, refs: Entries[Rated]) -> Entries[FloatArray]:
    """A score a clip; more scores than clips are cut, as the features of some videos are longer than their ratings."""
    entries: Entries[FloatArray] = Entries()
    for place, row in source.rows():
        found = numbers(source, place, row.get("pred_saliency_scores"), what="pred_saliency_scores")
        ref = refs.get(str(row.get("qid")))
        if found is not None and ref is not None and len(found) < len(ref.positive):
            source.problem(place, f"has {len(found)} scores for {len(ref.positive)} clips")
            found = None
        entries.put(source, place, row.get("qid"), None if found is None else np.array(found, np.float64))
    return entries


def precision(scores: FloatArray, positive: Flags, top: int | None, strict: bool) -> float:
    """The area below precision over recall, by trapezia, of clips by their scores, the first of equals first.

    Of a `top` that is looked at, recall is officially the share of the positives among these, which none can miss; strictly of
    as many as there could be. Without a positive 0, strictly NaN.
    """
    ranked = positive[np.argsort(-scores[: len(positive)], kind="stable")]
    seen = ranked[:top]
    wanted = min(int(ranked.sum()), len(seen)) if strict else int(seen.sum())
    if not wanted:
        return np.nan if strict else 0.0
    precisions = np.cumsum(seen) / np.arange(1, len(seen) + 1)
    before = np.concatenate([[1.0], precisions[:-1]])
    return float((seen / wanted * (before + precisions) / 2).sum())


def _score(pairs: Sequence[Pair[Rated, FloatArray]], strict: bool, top: int | None) -> Scored:
    """The mean over domains of the mean over their videos, of each the mean over annotators."""
    values = np.full(len(pairs), np.nan)
    for k, pair in enumerate(pairs):
        each = [precision(pair.pred, of_one, top, strict) for of_one in pair.ref.positive.T]
        known = [value for value in each if not np.isnan(value)]
        values[k] = np.mean(known) if known else np.nan
    domains = [pair.ref.domain for pair in pairs]
    name = "mAP" if top is None else f"top-{top} mAP"
    return Scored((Mean(name, values=values, groups=(domains,)), *parts("domain", values, domains)))


def _protocol(
    name: str, title: str, positive: Callable[[FloatArray], Flags], top: int | None
) -> Protocol[Any, Any]:
    return Protocol(
        name=name,
        title=title,
        refs=lambda source: _references(source, positive),
        preds=_predictions,
        nothing=lambda ref: np.zeros(len(ref.positive)),
        score=lambda pairs, strict: _score(pairs, strict, top),
        partial=True,
    )


PROTOCOLS: dict[str, Protocol[Any, Any]] = {
    "tvsum": _protocol("tvsum", "TVSum: highlights", _above_median, TOP),
    "youtube-highlights": _protocol(
        "youtube-highlights", "YouTube Highlights", lambda label: label > 0, None
    ),
}
