"""`kairos bench duet-speed`: the duet beside the plain loop, many standing queries beside one, and the hundred thousandth tick
beside the thousandth. One core, float32, one run, the same weights; what is compared takes turns.

The language model's loop is measured alone, over ticks that are there already, and once from pixels. A busy machine changes
seconds more than ratios, and ratios too: run it on a quiet one.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos.bench import Progress
from kairos.bench.decode import resident_mib
from kairos.bench.report import Measure, Report, Target, command
from kairos.world.lexicon import COLOUR_NAMES, SHAPES

if TYPE_CHECKING:
    from torch import Tensor

    from kairos.bench.loops import Heard
    from kairos.model.kairos import KairosModel

__all__ = ["run"]

ROUNDS = 5
TICKS = 400  # MMDuet's cap on the frames of a video
CHUNK, LIVE = 32, 1
TOKENS = 49  # a frame, in MMDuet
SHARE, WORDS = 0.2, 8  # of ticks that speak, at most so many words
QUERIES, QUERY_TICKS = 16, 192
WINDOW, NEAR, FAR, LAPS = 64, 1_000, 100_000, 4
NEVER = 2.0  # two scores in [0, 1] are never above it
PLAIN, HERE, FASTER = "plain loop, ms a tick", "here, ms a tick", "times faster"
ONE, MANY, COSTS = "one, ms a tick", "sixteen, ms a tick", "times the cost"
EARLY, LATE, LATER = f"tick {NEAR:,}, ms", f"tick {FAR:,}, ms", "late / early"
FOUND = "found"
AGAINST, EQUAL, STANDING, ENDLESS = (
    "against the plain loop",
    "the same comes out",
    "sixteen standing queries",
    "without an end",
)
LOOPS = (  # name, tokens a tick (None: the model's own), share of ticks that speak, chunk, floor
    ("in chunks, nothing is said", None, 0.0, CHUNK, 6.0),
    ("in chunks, 20 % of ticks speak", None, SHARE, CHUNK, 3.5),
    (f"in chunks, {TOKENS} tokens a tick", TOKENS, 0.0, CHUNK, 2.3),
    ("live, tick by tick", None, 0.0, LIVE, 1.4),
)
Race = Callable[[Callable[[], object], Callable[[], object], str], list[tuple[float, float]]]


def run(*, model: Any, out: Any, count: int | None, seed: int, dry_run: bool, progress: Progress) -> Report:
    """The report of `count` rounds (5 if None) of each comparison. `out` has no meaning here."""
    rounds = ROUNDS if count is None else count
    again = command("duet-speed", count=rounds, model=model, seed=seed)
    facts: dict[str, Any] = {"rounds": rounds, "ticks": TICKS, "chunk": CHUNK, "window": WINDOW, "threads": 1}
    title = "Speed of the duet"
    if dry_run:
        return Report("duet-speed", title, facts=facts, command=again)
    import torch

    import kairos
    from kairos.bench.loops import ATTENTION, race

    loaded = kairos.load(model) if model is not None else kairos.load()
    total = (len(LOOPS) + 6) * rounds + 1
    done = iter(range(1, total + 1))

    def raced(one: Callable[[], object], other: Callable[[], object], what: str) -> list[tuple[float, float]]:
        gc.collect()
        return race(one, other, rounds, lambda: progress(next(done), total, what))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        measures = [*_loops(loaded, seed, raced), *_standing(loaded, seed, raced)]
        measures += _endless(loaded, seed, rounds, lambda: progress(next(done), total, "without an end"))
    finally:
        torch.set_num_threads(threads)
    facts |= {"model": loaded.name, "attention of the plain loop": ATTENTION}
    notes = ("medians of rounds that take turns, in brackets the least and the greatest of them",)
    return Report("duet-speed", title, tuple(measures), facts, notes, again)


def _loops(model: KairosModel, seed: int, raced: Race) -> Iterator[Measure]:
    """Both loops over the same ticks, how long they take and what they come to."""
    import torch

    from kairos.bench.loops import Plain, duet, plain, plain_decoder

    words, decoder = _queries(model)[0], plain_decoder(model)
    pairs: list[tuple[Heard, Heard]] = []
    for name, tokens, share, chunk, floor in LOOPS:
        ticks = _ticks(model, TICKS, tokens, seed)
        speaking = set(np.random.default_rng(seed).choice(TICKS, int(share * TICKS), replace=False).tolist())
        heard: dict[str, Heard] = {}

        def one(
            ticks: Tensor = ticks, speaking: set[int] = speaking, heard: dict[str, Heard] = heard
        ) -> None:
            heard["plain"] = plain(decoder, words, ticks, speaking, WORDS)

        def other(
            ticks: Tensor = ticks,
            speaking: set[int] = speaking,
            heard: dict[str, Heard] = heard,
            chunk: int = chunk,
        ) -> None:
            heard["here"] = duet(model, words, ticks, speaking, WORDS, chunk)

        taken = raced(one, other, name)
        yield from _faster(name, taken, TICKS, Target(floor))
        pairs.append((heard["plain"], heard["here"]))

    frames = _frames(model, QUERY_TICKS, seed)

    @torch.inference_mode()
    def from_pixels() -> None:
        from kairos.model.intake import Intake

        loop, names = Plain(decoder, words), model.speech.embed(model.speech.names)
        for fused in Intake(model).see(frames, None, 1):
            model.stream.scores(loop.see(model.stream.tokens(fused, names)))

    taken = raced(from_pixels, lambda: _watch(model, frames, 1, "context"), "from pixels")
    yield from _faster("from pixels, in chunks, nothing is said", taken, QUERY_TICKS, None)
    yield from _equal(model, pairs)


def _equal(model: KairosModel, pairs: list[tuple[Heard, Heard]]) -> Iterator[Measure]:
    """The promise behind the speed: what both loops came to in the last round."""
    import torch

    with torch.inference_mode():
        scores = [[model.stream.scores(heard.states).sigmoid() for heard in pair] for pair in pairs]
    apart = max(float((a - b).abs().max()) for a, b in scores)
    said = [same for a, b in pairs for same in (x == y for x, y in zip(a.said, b.said, strict=True))]
    limit = Target(1e-4, at_most=True)
    n = sum(len(a.states) for a, _ in pairs)
    yield Measure(
        "greatest difference of a score", FOUND, apart, n=n, target=limit, unit="", digits=6, section=EQUAL
    )
    share = sum(said) / len(said)
    yield Measure("replies of the same words", FOUND, share, n=len(said), target=Target(1.0), section=EQUAL)


def _standing(model: KairosModel, seed: int, raced: Race) -> Iterator[Measure]:
    """Sixteen queries beside one, from pixels with both kinds of heads: live, as standing queries are for, and in chunks, where
    one query costs so little that the products of sixteen rows stand out; and in the language model alone.
    """
    frames, ticks = _frames(model, QUERY_TICKS, seed), _ticks(model, QUERY_TICKS, None, seed)

    def alone(queries: int) -> None:
        from kairos.model.context import Context

        context = Context(model)
        for words in _queries(model)[:queries]:
            context.open(words)
        for a in range(0, QUERY_TICKS, CHUNK):
            context.see(ticks[:, a : a + CHUNK])

    exactly, late = Target(3.0, at_most=True), Target(1.1, at_most=True)
    for name, work, limit in (
        ("live, exactly", lambda n: _watch(model, frames, n, "context", LIVE), exactly),
        ("live, by late interaction", lambda n: _watch(model, frames, n, "track", LIVE), late),
        ("in chunks, exactly", lambda n: _watch(model, frames, n, "context"), None),
        ("in chunks, by late interaction", lambda n: _watch(model, frames, n, "track"), None),
        ("in chunks, exactly, the language model alone", alone, None),
    ):
        taken = raced(lambda work=work: work(1), lambda work=work: work(QUERIES), name)  # type: ignore[misc]
        costs = [many / one for one, many in taken]
        yield _ms(name, ONE, [one for one, _ in taken], QUERY_TICKS, STANDING)
        yield _ms(name, MANY, [many for _, many in taken], QUERY_TICKS, STANDING)
        yield _ratio(name, COSTS, costs, limit, STANDING)


def _endless(model: KairosModel, seed: int, rounds: int, tell: Callable[[], None]) -> list[Measure]:
    """Laps of a whole window, tick by tick, of a context that is old and one that is young; memory that the old one took."""
    from kairos.bench.loops import race
    from kairos.model.context import Context

    ticks, words = _ticks(model, WINDOW, None, seed), _queries(model)[0]

    def after(n: int) -> Context:
        context = Context(model, window=WINDOW)
        context.open(words)
        return go(context, n)

    def go(context: Context, n: int) -> Context:
        while context.ticks < n:
            at = context.ticks % WINDOW
            context.see(ticks[:, at : at + min(CHUNK, n - context.ticks)])
        return context

    def lap(context: Context) -> None:
        for k in range(WINDOW):
            context.see(ticks[:, k : k + 1])

    gc.collect()
    old = after(NEAR)
    before = resident_mib()
    go(old, FAR)
    gc.collect()
    added = resident_mib() - before
    tell()
    young = after(NEAR)
    taken = [
        (early, late)
        for _ in range(rounds)
        for early, late in race(lambda: lap(young), lambda: lap(old), LAPS, lambda: None)
    ]
    name, limit = f"a window of {WINDOW} ticks", Target(1.05, at_most=True)
    return [
        _ms(name, EARLY, [early for early, _ in taken], WINDOW, ENDLESS),
        _ms(name, LATE, [late for _, late in taken], WINDOW, ENDLESS),
        _ratio(name, LATER, [late / early for early, late in taken], limit, ENDLESS),
        Measure(
            "resident memory added between, MiB",
            FOUND,
            added,
            target=Target(20.0, at_most=True, strictly=True),
            unit="",
            digits=1,
            section=ENDLESS,
        ),
    ]


def _watch(model: KairosModel, frames: Any, queries: int, heads: str, chunk: int = CHUNK) -> None:
    """A duet over frames that never speaks; frames come as many at a time as its chunks have."""
    from kairos.model.duet import Duet
    from kairos.model.trigger import Trigger

    duet = Duet(model, trigger=Trigger(threshold=NEVER), heads=heads, chunk=chunk)
    for text in _texts()[:queries]:
        duet.say(text)
    for a in range(0, len(frames), chunk):
        duet.see(frames[a : a + chunk])


def _texts() -> list[str]:
    looks = [(colour, shape) for colour in COLOUR_NAMES for shape in SHAPES]
    return [f"when does the {colour} {shape} move ?" for colour, shape in looks[:: len(looks) // QUERIES]][
        :QUERIES
    ]


def _queries(model: KairosModel) -> list[list[int]]:
    return [model.words(text) for text in _texts()]


def _ticks(model: KairosModel, n: int, tokens: int | None, seed: int) -> Tensor:
    """Ticks (1, n, M, E) of noise: what is in them takes no time."""
    import torch

    width = model.speech.decoder.config.hidden_size
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, n, tokens or model.config.context_tokens, width, generator=generator)


def _frames(model: KairosModel, n: int, seed: int) -> Any:
    size = model.config.image_size
    return np.random.default_rng(seed).integers(0, 255, (n, size, size, 3), np.uint8)


def _faster(
    name: str, taken: list[tuple[float, float]], ticks: int, target: Target | None
) -> Iterator[Measure]:
    yield _ms(name, PLAIN, [a for a, _ in taken], ticks, AGAINST)
    yield _ms(name, HERE, [b for _, b in taken], ticks, AGAINST)
    yield _ratio(name, FASTER, [a / b for a, b in taken], target, AGAINST)


def _ms(name: str, group: str, seconds: list[float], ticks: int, section: str) -> Measure:
    value = 1000 * statistics.median(seconds) / ticks
    return Measure(name, group, value, n=len(seconds), unit="", digits=2, section=section)


def _ratio(name: str, group: str, ratios: list[float], target: Target | None, section: str) -> Measure:
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    return Measure(name, group, middle, low, high, len(ratios), target, "", 2, section)
