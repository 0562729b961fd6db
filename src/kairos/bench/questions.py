"""Questions with one right answer, as the field's benchmarks distribute them, and the replies of models to them.

Every set (`kairos.bench.question_sets`) is told by how to walk through its files: a walk yields each question's place, id and
fields. The same walk reads references and predictions, because most official results are the annotations with a reply added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from kairos.bench.annotations.gathering import Place
from kairos.bench.harness import REPLIES, rows
from kairos.bench.protocols.source import Entries, Source
from kairos.errors import TimelineError
from kairos.score.choices import LETTERS, Asked, options_without_letters
from kairos.timeline import checks

__all__ = [
    "Question",
    "QuestionSet",
    "choice",
    "counted",
    "flat",
    "letter_of",
    "named",
    "options_of",
    "questions",
    "replies",
    "seconds",
    "stem",
    "text_of",
    "video_of",
]

Fields = Mapping[str, Any]
Walk = Iterator[tuple[Place, str, Fields]]

IDS = ("id", "question_id", "qid", "uid", "q_uid", "index")


@dataclass(frozen=True)
class Question:
    """One question about a `video`: its `words`, what is right, and the `groups` that tables are made of.

    `at` is the time in seconds at which it is asked where only what came before may be seen; `clues` are the spans (start,
    end) in which its answer lies, where they are known.
    """

    video: str
    words: str
    asked: Asked
    groups: Mapping[str, str] = field(default_factory=dict)
    at: float | None = None
    clues: tuple[tuple[float, float], ...] = ()

    def prompt(self) -> str:
        """The question with its options, one a line, and what form the reply must have."""
        form = {
            "letter": "Answer with the letter of the right option only.",
            "number": "Answer with one whole number only.",
            "yes_no": "Answer with Yes or No only.",
        }[self.asked.form]
        options = [f"{LETTERS[k]}. {option}" for k, option in enumerate(self.asked.options)]
        return "\n".join([self.words, *options, form])


@dataclass(frozen=True)
class QuestionSet:
    """How a benchmark's files are read: `walk` through them, and make a question of an entry's fields (ValueError: why not)."""

    name: str
    title: str
    walk: Callable[[Source], Walk]
    question: Callable[[Fields], Question]


def questions(of: QuestionSet, source: Source) -> Entries[Question]:
    """The questions of a set's official file, or of its official results; problems are noted in their source."""
    found: Entries[Question] = Entries()
    for one in source.beside:
        for place, name, fields in of.walk(one):
            try:
                value: Question | None = of.question(fields)
            except (ValueError, TimelineError) as error:
                one.problem(place, str(error))
                value = None
            found.put(one, place, name, value)
    return found


def replies(of: QuestionSet, source: Source, refs: Entries[Question]) -> Entries[str]:
    """What was replied to each question: from the set's official results, from a harness's file, or from lines or an object
    with an id and a reply each. Without an id, entries are known by their video and question."""
    known = {(stem(q.video), q.words.strip()): name for name, q in refs.items()}
    found: Entries[str] = Entries()
    for one in source.beside:
        for place, name, fields in _replied(of, one):
            reply, key = _reply(fields), name
            if key not in refs:
                asked = (stem(str(fields.get("video", ""))), str(fields.get("question", "")).strip())
                key = known.get(asked, name)
            if reply is None:
                one.problem(place, f"has no reply: one of {', '.join(REPLIES)}")
            found.put(one, place, key, reply)
    return found


def _replied(of: QuestionSet, source: Source) -> Walk:
    document = document_of(source)
    if isinstance(document, dict) and all(isinstance(value, str | int) for value in document.values()):
        for name, value in document.items():
            yield name, name, {"response": value}
        return
    plain = rows(source) if not is_nested(document) else []
    if plain and all(_reply(fields) is not None and _id(fields) is not None for _, fields in plain):
        for place, fields in plain:
            yield place, str(_id(fields)), fields
        return
    yield from of.walk(source)


def document_of(source: Source) -> Any:
    """A file's JSON; None for a table, which is no text or is read row by row."""
    return source.document() if source.path.suffix.lower() in (".json", ".jsonl") else None


def is_nested(document: Any) -> bool:
    return isinstance(document, dict) or (
        isinstance(document, list) and bool(document) and isinstance(document[0], list)
    )


def _id(fields: Fields) -> str | None:
    return next((str(fields[key]) for key in IDS if isinstance(fields.get(key), str | int)), None)


def _reply(fields: Fields) -> str | None:
    for key in REPLIES:
        value = fields.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        if key in fields and value is None:
            return ""  # the official files hold null where a model said nothing
    return None


def stem(video: str) -> str:
    """A video's name without folders and ending, by which files of different sources agree."""
    return PurePosixPath(video.replace("\\", "/")).stem


# the parts of an entry, and ways to walk -----------------------------------------------------------------------------------------------


def text_of(fields: Fields, *keys: str) -> str:
    for key in keys:
        if isinstance(fields.get(key), str) and fields[key].strip():
            return str(fields[key]).strip()
    raise ValueError(f"needs {' or '.join(keys)}")


def video_of(fields: Fields, *keys: str) -> str:
    for key in keys or ("video", "video_id", "video_path"):
        if isinstance(fields.get(key), str | int) and str(fields[key]).strip():
            return str(fields[key]).strip()
    raise ValueError(f"needs {' or '.join(keys or ('video',))}")


def options_of(fields: Fields, *keys: str) -> tuple[str, ...]:
    for key in keys or ("options", "candidates", "choices"):
        value = fields.get(key)
        if isinstance(value, list | tuple) and value:
            return options_without_letters(value)
    lettered = [fields[one] for one in LETTERS if isinstance(fields.get(one), str) and fields[one].strip()]
    if lettered:  # VLMEvalKit has a column for each letter
        return options_without_letters(lettered)
    raise ValueError(f"needs {' or '.join(keys or ('options', 'candidates', 'choices'))}, a list")


def letter_of(answer: Any, options: tuple[str, ...]) -> str:
    """The letter of an answer that is a letter, a place from 0, or the words of one option."""
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(LETTERS):
        return LETTERS[answer]
    text = str(answer).strip()
    if bare := re.fullmatch(r"\(?([A-Z])\)?[.)]?", text):
        return bare[1]
    cut = re.sub(r"^\(?[A-Z][.):]\s+", "", text)
    places = [k for k, option in enumerate(options) if option in (text, cut)]
    if not places:
        raise ValueError(f"the answer {answer!r} is none of the options")
    return LETTERS[places[-1]]  # as MVBench and MLVU have it where two options are the same


def seconds(value: Any) -> float | None:
    """Seconds of a number, or of 00:01:30."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and re.fullmatch(r"\d+(:\d+){0,2}(\.\d+)?", value.strip()):
        total = 0.0
        for part in value.strip().split(":"):
            total = total * 60 + float(part)
        return total
    return None


def choice(
    fields: Fields, key: str, *, answer: Any, groups: Iterable[str] = (), video: tuple[str, ...] = ()
) -> Question:
    options = options_of(fields)
    return Question(
        video_of(fields, *video),
        text_of(fields, "question"),
        Asked(letter_of(answer, options), options, key=key),
        {name: str(fields[name]) for name in groups if fields.get(name) is not None},
        seconds(fields.get("time_stamp", fields.get("realtime"))),
        clues_of(fields),
    )


def clues_of(fields: Fields) -> tuple[tuple[float, float], ...]:
    """The spans of `clue_intervals`, in seconds; none where there are none."""
    given = fields.get("clue_intervals") or ()
    try:
        return tuple(checks.span(*clue) for clue in given)
    except TypeError as error:
        raise ValueError(f"clue_intervals must be pairs of seconds, not {given!r:.60}") from error


def flat(source: Source, *lists: str) -> Iterator[tuple[Place, Fields]]:
    """Entries of a list; where an entry has a list of questions, each of them with the fields of its entry."""
    for place, fields in rows(source):
        inner = next((key for key in lists if isinstance(fields.get(key), list)), None)
        if inner is None:
            yield place, fields
            continue
        outer = {key: value for key, value in fields.items() if key != inner}
        for k, entry in enumerate(fields[inner]):
            where = f"{place}.{inner}[{k}]"
            if isinstance(entry, dict):
                yield where, outer | entry
            else:
                source.problem(where, f"must be an object, not {entry!r}")


def counted(source: Source, by: Callable[[Fields], str], *lists: str) -> Walk:
    """Entries without an id of their own: named by a group and their number in it."""
    seen: dict[str, int] = {}
    for place, fields in flat(source, *lists):
        group = by(fields)
        seen[group] = seen.get(group, -1) + 1
        yield place, f"{group}-{seen[group]}", {**fields, "key": f"{group}-{seen[group]}"}


def named(source: Source, *keys: str, lists: tuple[str, ...] = ("questions", "qa")) -> Walk:
    for place, fields in flat(source, *lists):
        name = next((fields[key] for key in keys if isinstance(fields.get(key), str | int)), None)
        if name is None:
            source.problem(place, f"needs {' or '.join(keys)}")
        else:
            yield place, str(name), {**fields, "key": str(name)}
