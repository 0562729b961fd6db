"""Questions with several answers, written by a language model from a video's captions (MMDuet, section 5.2).

    endpoint = Endpoint("http://localhost:8000/v1", "qwen3-32b", cache="replies")
    standing = question(timeline, endpoint.parsed)      # Answer("watch", query, moments labelled with their answers)

The reply must be one JSON object with a question and an answer for each caption, or it is asked for again: nothing is
guessed. A reply once kept by the endpoint is not paid for again, so work that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from kairos.errors import EndpointError, TimelineError
from kairos.timeline import Answer, Moment, Timeline
from kairos.train.duet import mentioned, segments_of

__all__ = ["Ask", "Written", "messages", "parse", "question", "questions"]

Written = tuple[str, tuple[str, ...]]
"""A question, and an answer for each caption."""

Ask = Callable[[Sequence[Mapping[str, Any]], Callable[[str], Written]], Written]
"""Puts messages to a model and returns what the parser makes of its words; `Endpoint.parsed` is one."""

NOT_MENTIONED = "Not Mentioned."

INSTRUCTION = f"""\
You are given the captions of all segments of one video, numbered in order of time. Write one question that a viewer \
could ask while watching, related to one or more of the captions. Then answer it for each caption: where the caption is \
related to the question, with a short sentence that can be inferred from this caption alone; otherwise with exactly \
"{NOT_MENTIONED}"
Reply with one JSON object and nothing else: {{"question": "...", "answers": ["...", ...]}}, with exactly one answer \
for each caption, in their order."""

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL)


def question(timeline: Timeline, ask: Ask) -> Answer:
    """The standing question that `ask` writes to a video's captions: "watch", its moments labelled with the answers.

    Captions that it has no answer for are left out. Raises TimelineError where the timeline has no captions, and
    whatever `ask` raises.
    """
    captions = segments_of(timeline)
    if not captions:
        raise TimelineError(f"{timeline.video or 'the timeline'} has no captions to ask about")
    query, answers = ask(messages(captions), lambda reply: parse(reply, len(captions)))
    moments = tuple(
        caption.replace(label=answer)
        for caption, answer in zip(captions, answers, strict=True)
        if mentioned(answer)
    )
    return Answer("watch", query, moments=moments, video=timeline.video, duration=timeline.duration)


def messages(captions: Sequence[Moment]) -> list[dict[str, str]]:
    """What the model is asked, for captions in order of time."""
    listed = "\n".join(f"{k}. {caption.label}" for k, caption in enumerate(captions, start=1))
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": listed}]


def parse(reply: str, count: int) -> Written:
    """The question and its `count` answers. Raises ValueError for anything but the object that was asked for.

    A code fence around it is taken off. At least one answer must say something.
    """
    text = reply.strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced.group(1)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("the reply is not one JSON object") from error
    if not isinstance(said, dict) or set(said) != {"question", "answers"}:
        raise ValueError("the reply must be an object with question and answers, no more")
    query, answers = said["question"], said["answers"]
    if not isinstance(query, str) or not query.strip():
        raise ValueError("the question is not words")
    if not isinstance(answers, list) or not all(isinstance(a, str) and a.strip() for a in answers):
        raise ValueError("the answers are not a list of sentences")
    if len(answers) != count:
        raise ValueError(f"{len(answers)} answers to {count} captions")
    if not any(mentioned(answer) for answer in answers):
        raise ValueError("no caption answers the question")
    return query.strip(), tuple(answer.strip() for answer in answers)


def questions(
    timelines: Sequence[Timeline],
    ask: Ask,
    *,
    parallel: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer | EndpointError]:
    """A standing question for each timeline, `parallel` at a time, in the order of the timelines.

    Where no reply was as asked, its error stands in the answer's place. Whatever else goes wrong (nobody there, a wrong
    key) is raised at once, and what was replied until then stays with the endpoint. `progress` takes done and total.
    """

    failed = threading.Event()

    def one(timeline: Timeline) -> Answer | EndpointError:
        if failed.is_set():
            raise CancelledError
        try:
            return question(timeline, ask)
        except BaseException as error:
            if isinstance(error, EndpointError) and isinstance(error.__cause__, ValueError):
                return error  # it replied, but not as asked
            failed.set()
            raise

    result: list[Answer | EndpointError] = []
    with ThreadPoolExecutor(parallel) as pool:
        try:
            for done in pool.map(one, timelines):  # in order: a failure comes before whatever it cancelled
                result.append(done)
                if progress is not None:
                    progress(len(result), len(timelines))
        finally:
            failed.set()  # nothing more is asked, also after Ctrl-C
    return result
