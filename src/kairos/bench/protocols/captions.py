"""Dense captioning (YouCook2, ActivityNet Captions): precision, recall and F1 of spans, CIDEr, METEOR, SODA_c.

`official` is the protocol of Vid2Seq and TimeChat: CIDEr and METEOR per video and threshold, then averaged, a prediction that
meets no truth being compared with a word that cannot be right; F1 per video, then averaged; brackets are words, letters beyond
ASCII are not. `strict` takes one corpus for CIDEr's weights, gives such predictions 0 and leaves them out of the weights, and
makes F1 of the averages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from kairos.bench.protocols.protocol import Pair, Protocol, Scored
from kairos.bench.protocols.source import Entries, Source
from kairos.score import dense, java
from kairos.score.quantity import Derived, Mean, Quantity
from kairos.score.sentences import BRACKETS, cider, tokens
from kairos.timeline.checks import FloatArray

__all__ = ["PROTOCOLS", "Told"]

NOTHING = "qzxjkvwqzxjk"
"""Stands where the official script draws a random word: only that nothing says it matters."""


@dataclass(frozen=True)
class Told:
    """Sentences with their spans in seconds, of a `video`. A reference may have several `sets`, one an annotator."""

    video: str
    spans: FloatArray
    sentences: tuple[str, ...]
    sets: tuple[int, ...] = ()


# files ---------------------------------------------------------------------------------------------------------------


def _references(source: Source) -> Entries[Told]:
    """ActivityNet's {video: {timestamps, sentences}} or TimeChat's {annotations: [...]}; a folder holds a set a file."""
    files = sorted(source.path.glob("*.json")) if source.path.is_dir() else [source.path]
    gathered: dict[str, list[Told]] = {}
    broken: list[str] = []
    for number, file in enumerate(files):
        one = source if file == source.path else Source(file)
        for place, video, spans, sentences in _entries(one):
            told = _told(one, place, video, spans, sentences, number)
            if told is None:
                broken.append(video)
            else:
                gathered.setdefault(video, []).append(told)
        if one is not source:
            source.found.problems += one.found.problems
    if not files:
        source.problem("the folder", "holds no .json files")
    found: Entries[Told] = Entries()
    for video, sets in gathered.items():
        spans = np.concatenate([told.spans for told in sets])
        joined = Told(video, spans, sum((t.sentences for t in sets), ()), sum((t.sets for t in sets), ()))
        found.put(source, video, video, None if video in broken else joined)
    for video in broken:
        if video not in gathered:
            found.put(source, video, video, None)
    return found


def _entries(source: Source) -> list[tuple[str, str, Any, Any]]:
    document = source.mapping()
    listed = document.get("annotations")
    if isinstance(listed, list):
        rows = []
        for k, entry in enumerate(listed):
            if not isinstance(entry, dict) or not isinstance(entry.get("image_id"), str):
                source.problem(f"annotations[{k}]", "must be an object with image_id, segments and pure_cap")
                continue
            rows.append(
                (f"annotations[{k}]", stem(entry["image_id"]), entry.get("segments"), _sentences(entry))
            )
        return rows
    rows = []
    for video, entry in document.items():
        fields = entry if isinstance(entry, dict) else {}
        rows.append((video, stem(video), fields.get("timestamps"), fields.get("sentences")))
    return rows


def _sentences(entry: dict[str, Any]) -> list[str] | None:
    """TimeChat's way: sentences are joined by full stops, and get them back."""
    if isinstance(entry.get("pure_cap"), str):
        return [f"{part}." for part in entry["pure_cap"].split(". ")]
    if isinstance(entry.get("caption"), str):
        return [f"{part.strip()}." for part in entry["caption"].split(".") if len(part) > 5]
    return None


def _predictions(source: Source, refs: Entries[Told]) -> Entries[Told]:
    """{video: [{timestamp, caption or sentence}]}, also below `results`."""
    found: Entries[Told] = Entries()
    document = source.mapping()
    listed = document["results"] if isinstance(document.get("results"), dict) else document
    for video, entries in listed.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            source.problem(video, "must be a list of objects with timestamp and caption")
            found.put(source, video, stem(video), None)
            continue
        spans = [entry.get("timestamp") for entry in entries]
        words = [entry.get("caption", entry.get("sentence")) for entry in entries]
        found.put(source, video, stem(video), _told(source, video, video, spans, words, 0))
    return found


def _told(source: Source, place: str, video: str, spans: Any, sentences: Any, number: int) -> Told | None:
    if not isinstance(spans, list) or not isinstance(sentences, list) or len(spans) != len(sentences):
        source.problem(place, "needs as many spans as sentences")
        return None
    try:
        array = np.array(spans, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        array = np.full((1, 2), np.nan)
    good = True
    if not np.isfinite(array).all() or len(array) != len(spans):
        source.problem(place, "spans must be pairs of finite seconds")
        good = False
    for k, text in enumerate(sentences):
        if not isinstance(text, str):
            source.problem(f"{place}[{k}]", f"a sentence must be words, not {text!r}")
            good = False
    return Told(stem(video), array, tuple(sentences), (number,) * len(sentences)) if good else None


def stem(video: str) -> str:
    """A video's name without its ending."""
    return video.removesuffix(".mp4").removesuffix(".mkv").removesuffix(".webm")


# scoring -------------------------------------------------------------------------------------------------------------


def _score(pairs: Sequence[Pair[Told, Told]], strict: bool) -> Scored:
    with java.Meteor() if java.available() else nullcontext() as meteor:
        return _scored(pairs, strict, meteor)


def _scored(pairs: Sequence[Pair[Told, Told]], strict: bool, meteor: java.Meteor | None) -> Scored:
    said, true = _tokenized(pairs, meteor is not None, strict)
    overlaps = [dense.ious(pair.pred.spans, pair.ref.spans, strict=strict) for pair in pairs]
    sets = [np.array(pair.ref.sets, int) for pair in pairs]
    corpus = [[text] for texts in true for text in texts] if strict else None
    precision, recall = np.zeros((2, len(pairs), len(dense.THRESHOLDS)))
    words = np.zeros((2, len(pairs), len(dense.THRESHOLDS)))
    soda = np.zeros(len(pairs))
    for i, overlap in enumerate(overlaps):
        each = [dense.found(overlap[:, sets[i] == k], strict=strict) for k in np.unique(sets[i])]
        if each:
            precision[i], recall[i] = np.max(each, axis=0)
        for j, threshold in enumerate(dense.THRESHOLDS):
            met = dense.met(overlap, threshold)
            if not met:
                continue
            ours, theirs = dense.words_of(met, said[i], true[i], NOTHING)
            values = cider(ours, theirs, corpus=corpus)
            words[0, i, j] = np.mean(
                [0.0 if strict and k is None else v for v, (_, k) in zip(values, met, strict=True)]
            )
            if meteor is not None:
                words[1, i, j] = meteor.scores(ours, theirs)[0]
        if meteor is not None:
            alike = (
                np.array([meteor.scores(said[i], [[text]] * len(said[i]))[1] for text in true[i]], np.float64)
                .reshape(len(true[i]), len(said[i]))
                .T
            )
            stories = [
                dense.story(overlap[:, sets[i] == k], alike[:, sets[i] == k]) for k in np.unique(sets[i])
            ]
            soda[i] = np.mean(stories) if stories else 0.0
    found = _quantities(precision, recall, words, soda, strict, meteor is not None)
    return Scored(found, _notes(pairs, meteor is not None))


def _tokenized(
    pairs: Sequence[Pair[Told, Told]], reference: bool, strict: bool
) -> tuple[list[list[str]], list[list[str]]]:
    """All sentences as tokens, by the reference tokenizer if it is there: said, and true. Officially whatever is not ASCII is
    a blank, and brackets are words."""
    texts = [text for pair in pairs for told in (pair.pred, pair.ref) for text in told.sentences]
    if not strict:
        texts = [re.sub(r"[^\x00-\x7f]", " ", text) for text in texts]
    words = java.treebank(texts) if reference else [tokens(text) for text in texts]
    if strict:
        words = [" ".join(word for word in text.split() if word not in BRACKETS) for text in words]
    made = iter(words)
    both = [[[next(made) for _ in told.sentences] for told in (pair.pred, pair.ref)] for pair in pairs]
    return [one for one, _ in both], [two for _, two in both]


def _quantities(
    precision: FloatArray, recall: FloatArray, words: FloatArray, soda: FloatArray, strict: bool, meteor: bool
) -> tuple[Quantity, ...]:
    p, r = precision.mean(1), recall.mean(1)
    found: list[Quantity] = [Mean("Precision", values=p), Mean("Recall", values=r)]
    if strict:
        found.append(Derived("F1", of=("Precision", "Recall"), by=dense.f1))
    else:
        found.append(Mean("F1", values=dense.f1(p, r)))
    found.append(Mean("CIDEr", values=words[0].mean(1)))
    if meteor:
        found += [Mean("METEOR", values=words[1].mean(1)), Mean("SODA_c", values=soda)]
    for j, threshold in enumerate(dense.THRESHOLDS):
        section = f"IoU {threshold:g}"
        found += [
            Mean("Precision", section=section, values=precision[:, j], detail=True),
            Mean("Recall", section=section, values=recall[:, j], detail=True),
            Mean("CIDEr", section=section, values=words[0, :, j], detail=True),
        ]
        if meteor:
            found.append(Mean("METEOR", section=section, values=words[1, :, j], detail=True))
    return tuple(found)


def _notes(pairs: Sequence[Pair[Told, Told]], meteor: bool) -> tuple[str, ...]:
    notes = []
    if not meteor:
        notes.append(f"without METEOR, SODA_c and the reference tokenizer: {java.WAY_OUT}")
    reversed_ = sum(int((pair.pred.spans[:, 1] < pair.pred.spans[:, 0]).sum()) for pair in pairs)
    if reversed_:
        notes.append(
            f"{reversed_} predicted spans end before they start; they are turned round, as in the script"
        )
    return tuple(notes)


PROTOCOLS: dict[str, Protocol[Told, Told]] = {
    "dense-captions": Protocol(
        name="dense-captions",
        title="Dense captioning: YouCook2, ActivityNet Captions",
        refs=_references,
        preds=_predictions,
        nothing=lambda ref: Told(ref.video, np.zeros((0, 2)), ()),
        score=_score,
    )
}
