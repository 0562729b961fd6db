"""Predicted windows in the forms that are about, read and written.

{"qid": 3, "vid": "3MSZA", "query": "he sits", "pred_relevant_windows": [[24.3, 30.4, 0.9]]}       lines, or a list; also
                                                   id for qid, video for vid, timestamp(s) or windows for the last
{"3187": {"timestamp": [[20.8, 30.0]], "query": "...", "vid": "DOYQE.mp4"}}                        TimeChat
{"results": {"v_abc": [{"sentence": "...", "timestamp": [0.3, 55.2], "score": 0.9}]}}              ActivityNet's challenges
{"v_abc": {"timestamps": [[0.3, 55.2]], "sentences": ["..."]}}                                     as its annotations
3MSZA 24.3 30.4##he sits                                                                           as Charades-STA's
{"kind": "ground", "video": "3MSZA", "query": "he sits", "moments": [{"start": 24.3, "end": 30.4}]}   Kairos's timelines
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kairos.bench.annotations.gathering import Place
from kairos.bench.protocols.source import Entries, Source
from kairos.bench.protocols.targets import Catalogue, Target
from kairos.bench.protocols.windows import Windows, windows
from kairos.errors import OptionError
from kairos.score.spans import best_span
from kairos.timeline import Answer, Timeline
from kairos.timeline.files import atomic_write

__all__ = ["FORMATS", "read", "write"]

_LINE = re.compile(r"(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")
Row = tuple[Place, Any, Any, Any, Any]
"""Where it stands, then id, video, query and windows as the file has them."""


def read(source: Source, refs: Entries[Target]) -> Entries[Windows]:
    """The predicted windows of each reference, in the order in which they are listed; problems are noted.

    An empty list says that no window could be read off the model's words, or that it found nothing.
    """
    catalogue = Catalogue(refs.items())
    entries: Entries[Windows] = Entries()
    for place, name, video, query, value in _rows(source):
        key = catalogue.find(name, video, query)
        if key is None:
            source.problem(place, "has neither an id nor a video and a query")
            continue
        ref = refs.get(key)
        found = windows(source, place, value, None if ref is None else ref.duration, what="the prediction")
        entries.put(source, place, key, found)
    return entries


def _rows(source: Source) -> Iterator[Row]:
    if source.suffix == ".txt":
        yield from _sentences(source)
    elif source.suffix == ".json" and isinstance(source.head(), dict):
        yield from _object(source, source.mapping())
    else:
        video: Any = None
        for place, row in source.rows():
            if "kind" not in row and row.get("kairos") == "timeline":
                video = row.get("video")
            elif "kind" not in row:
                yield place, *_fields(row)
            elif row["kind"] == "ground":
                yield place, row.get("id"), row.get("video", video), row.get("query"), _moments(row)


def _fields(row: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    def first(*names: str) -> Any:
        return next((row[name] for name in names if name in row), None)

    value = first("pred_relevant_windows", "windows", "timestamps", "timestamp")
    if isinstance(value, list) and len(value) == 2 and not any(isinstance(x, list) for x in value):
        value = [value]  # one window, bare
    name = first("qid", "id", "desc_id")
    return name, first("vid", "video", "vid_name"), first("query", "sentence", "desc"), value


def _moments(row: dict[str, Any]) -> Any:
    moments = row.get("moments")
    if not isinstance(moments, list):
        return moments
    return [
        [m.get("start"), m.get("end"), m.get("score", 1.0)] if isinstance(m, dict) else m for m in moments
    ]


def _object(source: Source, document: dict[str, Any]) -> Iterator[Row]:
    results = document.get("results")
    if isinstance(results, dict):
        for video, said in results.items():
            grouped: dict[str, list[Any]] = {}
            if not isinstance(said, list):
                source.problem(f"results.{video}", "must be a list of objects with timestamp and sentence")
                continue
            for k, entry in enumerate(said):
                query = entry.get("sentence", entry.get("query")) if isinstance(entry, dict) else None
                if not isinstance(query, str):
                    source.problem(f"results.{video}[{k}]", "must be an object with timestamp and sentence")
                    continue
                window = entry.get("timestamp", entry.get("segment"))
                if isinstance(window, list) and "score" in entry:
                    window = [*window[:2], entry["score"]]
                grouped.setdefault(query, []).append(window)
            for query, value in grouped.items():
                yield f"results.{video}", None, video, query, value
        return
    for name, entry in document.items():
        if not isinstance(entry, dict):
            source.problem(name, f"must be an object with timestamp or timestamps, not {entry!r:.60}")
        elif "timestamps" in entry and "sentences" in entry:
            spans, sentences = entry["timestamps"], entry["sentences"]
            if not isinstance(spans, list) or not isinstance(sentences, list) or len(spans) != len(sentences):
                source.problem(name, "timestamps and sentences must be lists of one length")
                continue
            for k, (span, sentence) in enumerate(zip(spans, sentences, strict=True)):
                yield f"{name}.timestamps[{k}]", None, name, sentence, [span]
        else:
            _, video, query, value = _fields(entry)
            yield name, name, video, query, value


def _sentences(source: Source) -> Iterator[Row]:
    """Lines of one video and sentence that follow one another are one prediction's windows, best first."""
    last: tuple[str, str] | None = None
    place: Place = 0
    spans: list[Any] = []
    for number, line in source.document():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            source.problem(number, "a line must read: VIDEO START END##SENTENCE")
            continue
        video, start, end, sentence = match.groups()
        try:
            span = [float(start), float(end)]
        except ValueError:
            source.problem(number, f"{start} and {end} are not seconds")
            continue
        if last is not None and (video, sentence) != last:
            yield place, None, *last, spans
            spans = []
        if not spans:
            place = number
        last = (video, sentence)
        spans.append(span)
    if last is not None:
        yield place, None, *last, spans


# writing -------------------------------------------------------------------------------------------------------------


def write(path: str | os.PathLike[str], timelines: Iterable[Timeline], form: str) -> None:
    """Writes the `ground` answers (and for "qvhighlights" `highlight` curves) of timelines, one a video, in an official form.

    `form` is one of FORMATS. Raises OptionError for another.
    """
    if form not in FORMATS:
        raise OptionError(f"there is no form {form!r}", option="form", value=form, hint=", ".join(FORMATS))
    with atomic_write(path) as file:
        file.writelines(FORMATS[form](timelines))


def _grounded(timelines: Iterable[Timeline]) -> Iterator[tuple[str, Answer, Windows]]:
    for timeline in timelines:
        for answer in timeline.answers:
            if answer.kind == "ground":
                yield str(timeline.video), answer, [[m.start, m.end, m.score] for m in answer.moments]


def _write_windows(timelines: Iterable[Timeline]) -> Iterator[str]:
    for timeline in timelines:
        curves = {a.query: a.curve for a in timeline.answers if a.curve is not None and len(a.curve)}
        for video, answer, spans in _grounded([timeline]):
            row: dict[str, Any] = {
                "qid": _number(answer.id),
                "query": answer.query,
                "vid": video,
                "pred_relevant_windows": spans,
            }
            curve = curves.get(answer.query)
            if curve is not None and timeline.duration:
                clips = range(max(1, int(timeline.duration / 2.0)))
                row["pred_saliency_scores"] = [round(curve.at(2.0 * k + 1.0), 6) for k in clips]
            yield json.dumps(row, ensure_ascii=False) + "\n"


def _write_timechat(timelines: Iterable[Timeline]) -> Iterator[str]:
    document = {
        answer.id or f"{video}#{k}": {
            "timestamp": [w[:2] for w in spans],
            "query": answer.query,
            "vid": video,
        }
        for k, (video, answer, spans) in enumerate(_grounded(timelines))
    }
    yield json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _write_results(timelines: Iterable[Timeline]) -> Iterator[str]:
    results: dict[str, list[Any]] = {}
    for video, answer, spans in _grounded(timelines):
        entries = [{"sentence": answer.query, "timestamp": w[:2], "score": w[2]} for w in spans]
        results.setdefault(video, []).extend(entries)
    document = {"version": "VERSION 1.0", "results": results, "external_data": {"used": False}}
    yield json.dumps(document, ensure_ascii=False) + "\n"


def _write_charades(timelines: Iterable[Timeline]) -> Iterator[str]:
    for video, answer, spans in _grounded(timelines):
        for start, end, _ in spans:
            yield f"{video} {start:g} {end:g}##{' '.join(answer.query.split())}\n"


def _write_nextgqa(timelines: Iterable[Timeline]) -> Iterator[str]:
    """The best moment of each answer that has one, by its id VIDEO_QID."""
    document = {
        answer.id: list(best.span)
        for timeline in timelines
        for answer in timeline.answers
        if answer.id and (best := best_span(answer.moments)) is not None
    }
    yield json.dumps(document, ensure_ascii=False) + "\n"


def _write_nlq(timelines: Iterable[Timeline]) -> Iterator[str]:
    """Answers whose ids read CLIP/ANNOTATION/QUERY."""
    results = []
    for _, answer, spans in _grounded(timelines):
        clip, annotation, query = f"{answer.id}//".split("/")[:3]
        results.append(
            {
                "clip_uid": clip,
                "annotation_uid": annotation,
                "query_idx": _number(query),
                "predicted_times": [w[:2] for w in spans],
            }
        )
    document = {"version": "1.0", "challenge": "ego4d_nlq_challenge", "results": results}
    yield json.dumps(document, ensure_ascii=False) + "\n"


def _number(name: str | None) -> str | int | None:
    """Official files have whole numbers as ids where Kairos has words."""
    return int(name) if name is not None and re.fullmatch(r"0|[1-9]\d*", name) else name


FORMATS: dict[str, Callable[[Iterable[Timeline]], Iterator[str]]] = {
    "qvhighlights": _write_windows,
    "timechat": _write_timechat,
    "activitynet": _write_results,
    "charades": _write_charades,
    "nextgqa": _write_nextgqa,
    "ego4d-nlq": _write_nlq,
}
"""The forms that can be written."""
