"""Where something goes: its box in every picture, also while it hides, from a first box or from words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kairos.errors import InputError, ModelError, OptionError
from kairos.tasks.option import WATCHING, Option
from kairos.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kairos.tasks.protocol import PlaceModel, PlaceSession
    from kairos.tasks.stream import Progress, Watched
    from kairos.timeline import Answer, Moment
    from kairos.video import Video

__all__ = ["FOLLOWING", "find_and_follow", "fits", "follow_found", "runs", "track"]

MOST_TOLD = 3
"""So many stretches in which a thing is seen are told one by one."""

START, END, _ = WATCHING
FOLLOWING = (
    Option(name="box", help="what to follow", type=tuple),
    Option(
        name="at",
        help="when the box is there, seconds, 0 without it; by words where to begin, without it where it is seen best",
        least=0.0,
    ),
    START,
    END,
    Option(
        name="rate",
        help="pictures looked at in a second; without it the follower's own",
        above=0.0,
        most=120.0,
    ),
)
"""The options of tasks that follow something."""


@dataclass(frozen=True, kw_only=True)
class _Beginning:
    """From where something is followed: `what` is for `Model.follow`, `at` in seconds, `back` also before that."""

    what: Mapping[str, Any]
    at: float
    back: bool
    label: str
    confidence: float | None = None
    notes: tuple[str, ...] = ()


def find_and_follow(
    kind: str,
    model: PlaceModel,
    video: Video,
    query: str | None,
    *,
    box: tuple[float, float, float, float] | None,
    at: float | None,
    start: float | None,
    end: float | None,
    rate: float | None,
    masks: bool,
    progress: Progress | None,
) -> Answer:
    """Follows what a box holds (source pixels) from `at` onwards, or finds what words are about and follows it both ways."""
    from kairos.tasks import evidence, places
    from kairos.tasks.stream import part

    _check_follower(model)
    if box is not None:
        inside = places.fractions(box, video.size)
        time = at if at is not None else start or 0.0
        cut = abs(places.pixels([inside], video.size)[0] - box).max() > 0.01
        begin = _Beginning(
            what={"box": inside},
            at=time,
            back=False,
            label=f"{places.box_words(box)} at {time:g} s",
            notes=("the box was cut to the picture",) if cut else (),
        )
        return _answer(kind, model, video, "", begin, time, end, rate, masks, progress)
    assert query is not None
    if (refusal := evidence.unknown_words(kind, model, video, query)) is not None:
        return refusal
    span = {"at": at, "start": start, "end": end}
    length = float(video.duration)
    watching = part(progress, 0, 2, length)
    session, watched = places.watch_for(kind, query, model, video, **span, progress=watching)
    rest = part(progress, 1, 2, length)
    return follow_found(
        kind, model, video, query, session, watched, **span, rate=rate, masks=masks, progress=rest
    )


def follow_found(
    kind: str,
    model: PlaceModel,
    video: Video,
    query: str,
    session: PlaceSession,
    watched: Watched,
    *,
    masks: bool,
    at: float | None = None,
    start: float | None = None,
    end: float | None = None,
    rate: float | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Follows both ways what a session has found, from `at`, which is its last tick, or from where it is seen best."""
    from kairos.tasks import places

    _check_follower(model)
    tick = session.best_tick() if at is None else None
    place = session.place(tick)
    if place is None:
        return places.absent(kind, model, video, query, session, watched, at)
    prompt = session.prompt(tick)
    begin = _Beginning(
        what={"box": tuple(place.box)} if prompt is None else {"prompt": prompt},
        at=places.time_of(watched, tick, at, video),
        back=True,
        label=query,
        confidence=places.sure(place),
        notes=watched.notes,
    )
    return _answer(kind, model, video, query, begin, start or 0.0, end, rate, masks, progress)


def _answer(
    kind: str,
    model: PlaceModel,
    video: Video,
    query: str,
    begin: _Beginning,
    start: float,
    end: float | None,
    rate: float | None,
    masks: bool,
    progress: Progress | None,
) -> Answer:
    """Follows from the beginning and tells what came of it: boxes, masks, and the moments in which it is seen."""
    from kairos.tasks import evidence
    from kairos.tasks.following import follow
    from kairos.tasks.stream import Watched, damage
    from kairos.timeline import Curve, MaskTrack, Moment, Track

    assert model.follower is not None
    pace = rate or float(model.follower.fps)
    stop = max(begin.at, min(end or float(video.duration), float(video.duration)))
    trail = follow(
        model,
        video,
        begin.what,
        at=begin.at,
        start=start,
        end=stop,
        rate=pace,
        back=begin.back,
        masks=masks,
        progress=progress,
    )
    until = min(float(trail.times[-1]) + 1.0 / pace, stop)
    notes = dict.fromkeys((*begin.notes, *damage(video, start, stop, until)))
    moments = tuple(
        Moment(a, b, float(trail.visible[run].mean())) for run, a, b in runs(trail.seen, trail.times, until)
    )
    score = 1.0 if begin.confidence is None else begin.confidence
    followed = Watched(
        start=start, end=until, ticks=len(trail.times), fps=pace, looks=pace, notes=tuple(notes)
    )
    width, height = video.size
    return evidence.answer(
        kind,
        model,
        video,
        query,
        followed,
        text=_words(moments, until - start) or f"not to be seen: {begin.label}",
        moments=moments,
        abstained=not moments,
        confidence=begin.confidence,
        curve=Curve("visible", trail.times, trail.visible),
        track=Track(begin.label, trail.times, trail.boxes, score, trail.seen) if moments else None,
        mask_track=MaskTrack(begin.label, (height, width), trail.times, trail.masks, score)
        if moments and trail.masks is not None
        else None,
    )


def runs(
    flags: NDArray[np.bool_], times: NDArray[np.float64], until: float
) -> Iterator[tuple[slice, float, float]]:
    """The runs of true `flags` (n,), in the order of time: which they are, and from when to when in seconds. Each of the
    `times` (n,) stands until the next, the last one `until` then.
    """
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    ends = np.append(times[1:], until)
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        start, end = float(times[first]), float(ends[stop - 1])
        yield slice(first, stop), start, max(start, end)


def _words(moments: tuple[Moment, ...], length: float) -> str:
    from kairos.tasks.clock import clock
    from kairos.tasks.evidence import span_words

    if len(moments) > MOST_TOLD:
        seen = sum(moment.duration for moment in moments)
        return f"seen for {clock(seen)} of {clock(length)}, in {len(moments)} stretches"
    return "seen " + ", ".join(span_words(moment) for moment in moments) if moments else ""


def _check_follower(model: PlaceModel) -> None:
    if getattr(model, "follower", None) is None:
        raise ModelError(
            f"the model {model.name} cannot follow anything", hint="give one that can: --model PATH"
        )


def fits(video: Video, query: str | None, values: Mapping[str, Any]) -> None:
    """Raises InputError or OptionError unless there are words or a box, and what is given lies inside of the video."""
    from kairos.tasks import places
    from kairos.tasks.stream import check_inside

    box, at, start, end = (values[name] for name in ("box", "at", "start", "end"))
    if (box is None) == (query is None):
        wrong = "neither words nor a box say" if box is None else "both words and a box say"
        raise InputError(f"{wrong} what to follow", hint='give one: "the red ring", or --box x1,y1,x2,y2')
    if box is not None:
        places.check_box(video, box)
    if at is None:
        return
    check_inside(video, "at", at)
    if (start is not None and at < start) or (end is not None and at >= end):
        raise OptionError(
            f"--at {at:g} is not between --start and --end",
            option="at",
            value=at,
            hint="widen them, or move it",
        )


def _track(model: PlaceModel, video: Video, query: str | None, **options: Any) -> Answer:
    return find_and_follow("track", model, video, query, masks=False, **options)


track = Task(
    name="track",
    description="follow something through a video, from a first box or by words: its box in every picture, also while it hides",
    query="optional",
    options=FOLLOWING,
    answer=_track,
    rule=fits,
)
