"""How the files of each set of questions are walked through, and what their fields mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kairos.bench.annotations.gathering import Place
from kairos.bench.harness import rows
from kairos.bench.protocols.source import Source
from kairos.bench.questions import (
    Fields,
    Question,
    QuestionSet,
    Walk,
    choice,
    counted,
    document_of,
    flat,
    is_nested,
    letter_of,
    named,
    options_of,
    seconds,
    stem,
    text_of,
    video_of,
)
from kairos.score.choices import Asked

__all__ = ["MODES", "SETS"]


def _video_mme(fields: Fields) -> Question:
    return choice(
        fields,
        fields["key"],
        answer=fields.get("answer"),
        groups=("duration", "domain", "task_type"),
        video=("videoID", "video", "video_id"),
    )


def _task(fields: Fields) -> str:
    return str(fields.get("task_type") or fields.get("question_type") or fields.get("task") or fields["file"])


def _by_task(source: Source) -> Walk:
    """MVBench and MLVU: a file for each task; a task's name is in each entry or is the file's."""
    for place, name, fields in counted(source, lambda f: _task({**f, "file": source.path.stem})):
        yield place, name, {**fields, "task": _task({**fields, "file": source.path.stem})}


def _task_question(fields: Fields) -> Question:
    return choice(fields, fields["key"], answer=fields.get("answer"), groups=("task",))


def _lvbench(fields: Fields) -> Question:
    """The options stand in the question's own lines: (A) ..., (B) ..."""
    words, *options = re.split(r"\n\s*\(?[A-Z][.)]\s*", text_of(fields, "question"))
    kinds = fields.get("question_type") or ()
    found = choice(
        {**fields, "question": words, "options": options},
        fields["key"],
        answer=fields.get("answer"),
        video=("key_video", "video"),
    )
    return Question(found.video, words, found.asked, {kind: kind for kind in kinds})


def _lvbench_walk(source: Source) -> Walk:
    for place, fields in flat(source, "qa"):
        video = fields.get("key") or fields.get("video")
        yield (
            place,
            str(fields.get("uid", place)),
            {**fields, "key": str(fields.get("uid", place)), "key_video": video},
        )


def _longvideobench(fields: Fields) -> Question:
    return choice(
        fields,
        fields["key"],
        answer=fields.get("correct_choice"),
        groups=("duration_group", "question_category"),
        video=("video_id", "video"),
    )


def _cgbench(fields: Fields) -> Question:
    return choice(
        fields,
        fields["key"],
        answer=fields.get("right_answer"),
        groups=("sub_category", "domain"),
        video=("video_uid", "video"),
    )


def _egoschema_walk(source: Source) -> Walk:
    document = document_of(source)
    if isinstance(document, dict):  # subset_answers.json: id -> place of the right option
        for name, answer in document.items():
            yield name, name, {"video": name, "place": answer, "key": name}
        return
    for place, name, fields in named(source, "q_uid", "id"):
        options = [fields[f"option {k}"] for k in range(5) if f"option {k}" in fields]
        yield place, name, {"video": name, **fields, **({"candidates": options} if options else {})}


def _egoschema(fields: Fields) -> Question:
    if "place" in fields:
        return Question(fields["video"], "", Asked(letter_of(fields["place"], ()), key=fields["key"]))
    return choice(fields, fields["key"], answer=fields.get("answer"))


MODES = {
    "EPM": "Backward",
    "HLD": "Backward",
    "ASI": "Backward",
    "CRR": "Forward",
    "REC": "Forward",
    "SSR": "Forward",
}
"""OVO-Bench's tasks by mode; the others are Realtime."""


def _ovo_walk(source: Source) -> Walk:
    """The annotations, a list; and results, an object of a list a mode. An entry with several times is several questions.

    Official results repeat some ids with other truths, and the official script counts each: the second is `192#2`.
    """
    document = document_of(source)
    if not isinstance(document, dict):
        yield from _tests(source, rows(source))
        return
    seen: dict[str, int] = {}
    for mode, entries in document.items():
        given = entries if isinstance(entries, list) else [entries]
        fields = [(f"{mode}[{k}]", entry) for k, entry in enumerate(given) if isinstance(entry, dict)]
        if len(fields) < len(given):
            source.problem(mode, "must be a list of objects")
        for place, name, one in _tests(source, fields):
            seen[name] = seen.get(name, 0) + 1
            yield place, name if seen[name] == 1 else f"{name}#{seen[name]}", one


def _tests(source: Source, listed: Iterable[tuple[Place, Fields]]) -> Walk:
    for place, fields in listed:
        name, tests = str(fields.get("id", place)), fields.get("test_info")
        if not isinstance(tests, list):
            yield place, name, fields
            continue
        outer = {key: value for key, value in fields.items() if key != "test_info"}
        for k, test in enumerate(tests):
            where = f"{place}.test_info[{k}]"
            if isinstance(test, dict):
                yield where, f"{name}-{k}", {**outer, **test}
            else:
                source.problem(where, "must be an object")


def _ovo(fields: Fields) -> Question:
    task = text_of(fields, "task")
    groups = {"task": task, "mode": MODES.get(task, "Realtime")}
    at = seconds(fields.get("realtime"))
    video = video_of(fields)
    if task == "REC":
        asked = Asked(str(fields["count"]), form="number")
        words = f"How many times did they {fields.get('activity', 'do it')} by now?"
        return Question(video, words, asked, groups, at)
    if task in ("SSR", "CRR"):
        if fields.get("type") not in (0, 1):
            raise ValueError(f"type must be 0 or 1, not {fields.get('type')!r}")
        asked = Asked("Yes" if fields["type"] else "No", form="yes_no")
        words = (
            f"Is this being done right now: {fields.get('step')}?"
            if task == "SSR"
            else f"Can this be answered by what has been seen so far: {fields.get('question')}"
        )
        return Question(video, words, asked, groups, at)
    truth = fields.get("ground_truth", fields.get("gt"))
    options = options_of(fields) if fields.get("options") else ()
    return Question(video, text_of(fields, "question"), Asked(letter_of(truth, options), options), groups, at)


def _streaming_walk(source: Source) -> Walk:
    document = document_of(source)
    if isinstance(document, list) and is_nested(document):  # questions_sqa.json: a list a video
        source = _Joined(source, [entry for entries in document for entry in entries])

    def video(fields: Fields) -> str:
        return stem(str(fields.get("video_path") or fields.get("audio_path") or "video"))

    for place, name, fields in counted(source, video, "questions"):
        yield place, name, {"video": video(fields), **fields}


class _Joined(Source):
    """A source whose lists have been put behind one another."""

    def __init__(self, source: Source, document: list[Any]) -> None:
        super().__init__(source.path)
        self.found, self.beside, self._document = source.found, source.beside, document


def _streaming(fields: Fields) -> Question:
    if "ground_truth_output" in fields:
        raise ValueError("proactive questions are no choices: score them as streamingbench-proactive")
    return choice(fields, fields["key"], answer=fields.get("answer"), groups=("task_type",), video=("video",))


def _tempcompass_walk(source: Source) -> Walk:
    """The finer aspects stand in meta_info.json, which is read where it lies beside the file."""
    beside = source.path.parent / "meta_info.json"
    about = Source(beside).mapping() if beside.is_file() else {}
    for video, dimensions in source.mapping().items():
        if not isinstance(dimensions, dict):
            source.problem(video, "must be an object of dimensions, each a list of questions")
            continue
        for dimension, entries in dimensions.items():
            for k, fields in enumerate(entries if isinstance(entries, list) else (None,)):
                name = f"{video}/{dimension}/{k}"
                if not isinstance(fields, dict):
                    source.problem(name, "must be a list of objects with question and answer")
                    continue
                kind = _finer(about.get(video), dimension) if about else None
                more = {"video": video, "dimension": dimension, "type": kind, "key": name}
                yield name, name, {**fields, **more}


def _finer(about: Any, dimension: str) -> str:
    """The finer aspect of a video's dimension, where it has one."""
    for key in ("eval_dim", dimension, "type"):
        about = about.get(key) if isinstance(about, dict) else None
    return about if isinstance(about, str) else dimension


def _tempcompass(fields: Fields) -> Question:
    words, *options = text_of(fields, "question").split("\n")
    return choice(
        {**fields, "question": words, "options": options},
        fields["key"],
        answer=fields.get("answer"),
        groups=("dimension", "type"),
    )


def _videoeval_pro_walk(source: Source) -> Walk:
    """A line a question; the script adds one with its counts to what it has judged."""
    for place, name, fields in counted(source, lambda f: stem(str(f.get("video", "stats")))):
        if "stats" not in fields:
            yield place, name, fields


def _videoeval_pro(fields: Fields) -> Question:
    return choice(
        fields, fields["key"], answer=fields.get("answer"), groups=("qa_type", "qa_subtype", "source")
    )


SETS = {
    one.name: one
    for one in (
        QuestionSet("video-mme", "Video-MME", lambda s: named(s, "question_id", "index"), _video_mme),
        QuestionSet("mvbench", "MVBench", _by_task, _task_question),
        QuestionSet("mlvu", "MLVU, multiple choice", _by_task, _task_question),
        QuestionSet("longvideobench", "LongVideoBench", lambda s: named(s, "id", "index"), _longvideobench),
        QuestionSet("lvbench", "LVBench", _lvbench_walk, _lvbench),
        QuestionSet("cg-bench", "CG-Bench", lambda s: named(s, "qid", "index"), _cgbench),
        QuestionSet("egoschema", "EgoSchema", _egoschema_walk, _egoschema),
        QuestionSet("ovo-bench", "OVO-Bench", _ovo_walk, _ovo),
        QuestionSet("streamingbench", "StreamingBench, questions with options", _streaming_walk, _streaming),
        QuestionSet("videoeval-pro", "VideoEval-Pro", _videoeval_pro_walk, _videoeval_pro),
        QuestionSet("tempcompass", "TempCompass, multiple choice", _tempcompass_walk, _tempcompass),
    )
}
"""The sets of questions by the name that `kairos score` and `kairos bench` know them by."""
