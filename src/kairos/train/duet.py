"""Duet samples: a conversation laid into a video, from segments that somebody annotated (MMDuet, section 5).

    caption(segments, duration, rng)            a standing request to narrate; every segment's label is a response
    magqa(question, segments, duration, rng)    a question somewhere before its first answer; answers as they come true
    ground(query, moments, duration)            the query first, what is relevant to it, and no word said
    samples(timeline, kind, rng)                all samples of one kind that a timeline of labels holds
    labels(sample, fps)                         targets for every tick, and the turns between the ticks

A sample is in seconds and knows no frame rate; `labels` puts it on the grid. Tick k covers [k/fps, (k+1)/fps), its frame
is taken in the middle, its scores stand at its end. Where a response falls is drawn from the generator that is given, and
as many numbers are drawn whatever the choices: samples of two ablations differ in nothing else. Numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kairos.errors import OptionError, TimelineError
from kairos.timeline import Moment, Timeline, Turn, checks

__all__ = [
    "CAPTION_QUERIES",
    "GROUND_QUERIES",
    "INFORMATIVE",
    "INSERTIONS",
    "KINDS",
    "SYSTEM",
    "DuetSample",
    "Labels",
    "Placed",
    "caption",
    "ground",
    "labels",
    "magqa",
    "mentioned",
    "samples",
    "segments_of",
]

Span = tuple[float, float]

KINDS = ("caption", "magqa", "ground")
INSERTIONS = ("random", "end")
"""Where a response stands in its segment: anywhere in 50 to 75 % of it, or at its end (ablation, table 5)."""
INFORMATIVE = ("all", "one")
"""Which ticks are informative: all from half of the segment to the response, or the one before it (table 5)."""
HALF, LATEST = 0.5, 0.75

SYSTEM = (
    "A multimodal AI assistant is helping users with some activities. Below is their conversation, "
    "interleaved with the list of video frames received by the assistant."
)
CAPTION_QUERIES = (
    "Please concisely narrate the video in real time.",
    "Help me to illustrate my view in short.",
    "Please simply describe what do you see.",
    "Continuously answer what you observed with simple text.",
    "Do concise real-time narration.",
    "Hey assistant, do you know the current video content? Reply me concisely.",
    "Simply interpret the scene for me.",
    "What can you tell me about? Be concise.",
    "Use simple text to explain what is shown in front of me.",
    "What is the action now? Please response in short.",
)
"""How narration is asked for (appendix B, to the letter)."""
GROUND_QUERIES = (
    "What segment of the video addresses the topic '%s'?",
    "At what timestamp can I find information about '%s' in the video?",
    "Can you highlight the section of the video that pertains to '%s'?",
    "Which moments in the video discuss '%s' in detail?",
    "Identify the parts that mention '%s'.",
    "Where in the video is '%s' demonstrated or explained?",
    "What parts are relevant to the concept of '%s'?",
    "Which clips in the video relate to the query '%s'?",
    "Can you point out the video segments that cover '%s'?",
    "What are the key timestamps in the video for the topic '%s'?",
)
"""How a moment is asked for (appendix B)."""


@dataclass(frozen=True)
class DuetSample:
    """A conversation over one video of `duration` seconds; TimelineError where its parts contradict each other.

    `turns` are sorted by time (system, user, assistant; the stream speaks in between). `segments` belong to the
    assistant's turns one to one, in their order: the time that each response is about, its text as label.
    `informative` has one span (from, response's time) a response: no tick between (or only the one before the response,
    where it is empty) is to be missed. None: the head is not trained on this sample. `relevance` are the spans that
    the query is about; () says that nothing is, None that the head is not trained. Without an assistant's turn the
    language model is not trained.
    """

    video: str
    duration: float
    kind: str
    turns: tuple[Turn, ...]
    segments: tuple[Moment, ...] = ()
    informative: tuple[Span, ...] | None = None
    relevance: tuple[Span, ...] | None = None

    def __post_init__(self) -> None:
        checks.text(self.video, "video")
        if checks.number(self.duration, "duration") <= 0:
            raise TimelineError(f"a sample needs a video of some length, not {self.duration:g} s")
        if self.kind not in KINDS:
            raise TimelineError(f"a sample is one of {', '.join(KINDS)}, not {self.kind!r}")
        times = [turn.time for turn in self.turns]
        if times != sorted(times):
            raise TimelineError("the turns of a sample are not in order of time")
        spans = [*(self.informative or ()), *(self.relevance or ()), *((t, t) for t in times)]
        for a, b in spans:
            checks.span(a, b)
            if a < 0 or b > self.duration:
                raise TimelineError(f"[{a:g}, {b:g}) is not within the video's {self.duration:g} s")
        said = [turn.time for turn in self.responses]
        if len(said) != len(self.segments):
            raise TimelineError(f"{len(said)} responses cannot belong to {len(self.segments)} segments")
        if self.informative is not None and [b for _, b in self.informative] != said:
            raise TimelineError("every response needs one informative span, which ends at the response")

    @property
    def responses(self) -> tuple[Turn, ...]:
        """The assistant's turns."""
        return tuple(turn for turn in self.turns if turn.role == "assistant")

    @property
    def query(self) -> str:
        """What the user says first; empty where the user is silent."""
        return next((turn.text for turn in self.turns if turn.role == "user"), "")


class Placed(NamedTuple):
    """A turn on the grid: said when `after` ticks have been seen, at `after` / fps seconds."""

    after: int
    role: str
    text: str


class Labels(NamedTuple):
    """`informative` and `relevance` bool (T,), None where the head is not trained; `turns` in order; `asked` is the
    number of ticks before the first user's turn, on which nothing can be asked of heads that need a query.
    """

    informative: NDArray[np.bool_] | None
    relevance: NDArray[np.bool_] | None
    turns: tuple[Placed, ...]
    asked: int


def caption(
    segments: Sequence[Moment],
    duration: float,
    rng: np.random.Generator,
    *,
    query: str | None = None,
    video: str = "",
    insertion: str = "random",
    informative: str = "all",
) -> DuetSample:
    """Dense captioning (section 5.1): the request comes first, then the label of every segment (a Moment with a label).

    `query` is drawn from CAPTION_QUERIES if left out. Segments may overlap: each has its own response, in order of time.
    They are cut to the video; TimelineError where none is left, or one has no label.
    """
    asked = CAPTION_QUERIES[int(rng.integers(len(CAPTION_QUERIES)))]
    said = _respond(segments, duration, rng, insertion, informative)
    if not said:
        raise TimelineError("no segment of the video is left to narrate")
    first = Turn("user", asked if query is None else query, 0.0)
    return _sample(video, duration, "caption", first, said)


def magqa(
    question: str,
    segments: Sequence[Moment],
    duration: float,
    rng: np.random.Generator,
    *,
    video: str = "",
    insertion: str = "random",
    informative: str = "all",
    relevance: bool = False,
) -> DuetSample:
    """Multi-answer grounded question answering (section 5.2); a segment's label is its answer to the question.

    Answers that say "Not mentioned." are left out; the question stands at a random place before the first that is given.
    Where none is, nothing is ever to be said, and the question stands in the first half of the video. The paper trains
    the relevance head on grounding alone; `relevance` gives it the answered segments too. Errors: a segment without a
    label.
    """
    answered = [moment for moment in segments if moment.label is None or mentioned(moment.label)]
    place = rng.random()
    said = _respond(answered, duration, rng, insertion, informative)
    first = Turn("user", question, place * (said[0][0] if said else HALF * duration))
    sample = _sample(video, duration, "magqa", first, said)
    return replace(sample, relevance=tuple(m.span for m in sample.segments)) if relevance else sample


def ground(query: str, moments: Sequence[Moment], duration: float, *, video: str = "") -> DuetSample:
    """Temporal grounding (section 5.3): the query first, `moments` (none: it is absent) relevant, no word to learn."""
    spans = tuple(m.span for m in _within(moments, duration))
    return DuetSample(video, float(duration), "ground", (Turn("user", query, 0.0),), relevance=spans)


def samples(
    timeline: Timeline,
    kind: str,
    rng: np.random.Generator,
    *,
    insertion: str = "random",
    informative: str = "all",
    relevance: bool = False,
) -> list[DuetSample]:
    """All samples of one of KINDS that a timeline of labels holds; TimelineError where its length is not known.

    caption: one, of all its segments (`segments_of`).
    magqa:   one for each answer with a query whose moments have labels, the texts to be said.
    ground:  one for each ground answer, and one for each different label among the moments.
    """
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is none of {', '.join(KINDS)}", option="kind", value=kind)
    video, duration = timeline.video or "", timeline.duration
    if duration is None:
        raise TimelineError(f"the length of the video {video!r} is not known")
    ways = {"insertion": insertion, "informative": informative}
    if kind == "caption":
        inside = _within(segments_of(timeline), duration)
        return [caption(inside, duration, rng, video=video, **ways)] if inside else []
    if kind == "magqa":
        return [
            magqa(answer.query, answer.moments, duration, rng, video=video, relevance=relevance, **ways)
            for answer in timeline.answers
            if answer.query.strip() and any(moment.label for moment in _within(answer.moments, duration))
        ]
    wanted = [(answer.query, list(answer.moments)) for answer in timeline.answers if answer.kind == "ground"]
    labelled = [moment for moment in timeline.moments if (moment.label or "").strip()]
    for label in dict.fromkeys(moment.label for moment in labelled):
        wanted.append((label or "", [moment for moment in labelled if moment.label == label]))
    result = []
    for query, moments in wanted:
        words = GROUND_QUERIES[int(rng.integers(len(GROUND_QUERIES)))].replace("%s", query.strip(" ."))
        if _within(moments, duration) or not moments:
            result.append(ground(words, moments, duration, video=video))
    return result


def segments_of(timeline: Timeline) -> list[Moment]:
    """What a timeline says happens, by start and end: moments with a label, and moments of caption answers."""
    found = [moment for moment in timeline.moments if (moment.label or "").strip()]
    found += [
        moment.replace(label=answer.text)
        for answer in timeline.answers
        if answer.kind == "caption" and answer.text.strip()
        for moment in answer.moments
    ]
    return sorted(found, key=lambda moment: moment.span)


def mentioned(answer: str) -> bool:
    """Says whether an answer says anything: not blank and not "Not mentioned." in whatever case and punctuation."""
    words = answer.strip(" \t\r\n.!'\"").casefold()
    return bool(words) and words != "not mentioned"


def labels(sample: DuetSample, fps: float, ticks: int | None = None) -> Labels:
    """Targets on the grid of `fps` ticks a second: the whole ticks of the video (one at least), at most `ticks`.

    - A user's turn at t stands after the ticks that have ended by then, floor(t * fps), but before the last tick; a
      response after the tick that holds t, ceil(t * fps). So a tick lies between a question and its first answer.
    - Of several responses in one tick the later waits for the next tick without one while that does not begin after
      its segment; where there is none, both are one turn (the same words are said once).
    - Informative are the ticks after the question whose middle lies in [half of the segment, response], and always the
      one right before the response, for each of the responses: where segments overlap a tick needs to be for one only.
    - Relevant are the ticks whose middle lies in a span, and for a span that holds no middle the tick of its own.
    - Beyond `ticks` (appendix A.1: the first 120) nothing is kept, no turn either.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise OptionError(f"fps must be positive, not {fps}", option="fps", value=fps)
    if ticks is not None and ticks < 1:
        raise OptionError(f"ticks must be at least 1, not {ticks}", option="ticks", value=ticks)
    whole = max(1, _floor(sample.duration * fps))
    count = whole if ticks is None else min(ticks, whole)
    said = [(t, min(_floor(t.time * fps), whole - 1)) for t in sample.turns if t.role != "assistant"]
    placed = [Placed(after, turn.role, turn.text) for turn, after in said]
    asked = min((after for turn, after in said if turn.role == "user"), default=0)
    stops = _places(sample, fps, whole)
    texts: dict[int, list[str]] = {}
    for turn, after in zip(sample.responses, stops, strict=True):
        given = texts.setdefault(after, [])
        if turn.text not in given:
            given.append(turn.text)
    placed += [Placed(after, "assistant", " ".join(given)) for after, given in texts.items()]
    # In the same place answers come first: they are to what was there before.
    placed.sort(key=lambda turn: (turn.after, turn.role != "assistant"))

    middle = (np.arange(whole) + 0.5) / fps
    new = near = None
    if sample.informative is not None:
        new = np.zeros(whole, bool)
        for (start, _), after in zip(sample.informative, stops, strict=True):
            new[:after] |= middle[:after] >= start
            new[after - 1] = True
        new = _from(new, asked, count)
    if sample.relevance is not None:
        near = np.zeros(whole, bool)
        for start, end in sample.relevance:
            on = (middle >= start) & (middle < end)
            near |= on
            if not on.any() and end > start:
                near[min(_floor((start + end) / 2 * fps), whole - 1)] = True
        near = _from(near, asked, count)
    return Labels(new, near, tuple(turn for turn in placed if turn.after <= count), min(asked, count))


def _places(sample: DuetSample, fps: float, whole: int) -> list[int]:
    """After how many ticks each response is said."""
    taken: set[int] = set()
    stops = []
    for turn, segment in zip(sample.responses, sample.segments, strict=True):
        first = min(max(_ceil(turn.time * fps), 1), whole)
        last = min(max(_ceil(segment.end * fps), first), whole)
        after = next((k for k in range(first, last + 1) if k not in taken), first)
        taken.add(after)
        stops.append(after)
    return stops


def _from(on: NDArray[np.bool_], asked: int, count: int) -> NDArray[np.bool_]:
    """Nothing is to be told before anybody has asked."""
    on[:asked] = False
    return on[:count]


Said = tuple[float, float, Moment]  # when it is said, from when it can be known, what it is about


def _respond(
    segments: Sequence[Moment], duration: float, rng: np.random.Generator, insertion: str, informative: str
) -> list[Said]:
    for name, value, known in (
        ("insertion", insertion, INSERTIONS),
        ("informative", informative, INFORMATIVE),
    ):
        if value not in known:
            raise OptionError(f"{name} {value!r} is none of {', '.join(known)}", option=name, value=value)
    kept = _within(segments, duration)
    said: list[Said] = []
    for segment, share in zip(kept, rng.uniform(HALF, LATEST, len(kept)).tolist(), strict=True):
        if not (segment.label or "").strip():
            raise TimelineError(
                f"the segment [{segment.start:g}, {segment.end:g}) has no label: nothing to say"
            )
        half = segment.start + HALF * segment.duration
        time = segment.end if insertion == "end" else segment.start + share * segment.duration
        said.append((time, half if informative == "all" else time, segment))
    return sorted(said, key=lambda one: one[0])  # stable: of equal times the segment that begins first


def _within(segments: Sequence[Moment], duration: float) -> list[Moment]:
    """Segments by start and end, cut to the video; those that hold no time of it are dropped."""
    checks.span(0.0, duration)
    cut = [segment.clamp(0.0, duration) for segment in segments]
    return sorted((segment for segment in cut if segment.duration > 0), key=lambda segment: segment.span)


def _sample(video: str, duration: float, kind: str, first: Turn, said: Sequence[Said]) -> DuetSample:
    responses = [Turn("assistant", (segment.label or "").strip(), time) for time, _, segment in said]
    return DuetSample(
        video,
        float(duration),
        kind,
        (first, *responses),
        tuple(segment for _, _, segment in said),
        tuple((start, time) for time, start, _ in said),
    )


def _floor(x: float) -> int:
    return math.floor(x + 1e-6)  # 0.3 * 10 is a little less than 3, and means 3


def _ceil(x: float) -> int:
    return math.ceil(x - 1e-6)
