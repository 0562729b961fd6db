"""What can be said of a scene: queries with their moments, questions with answers, captions.

Everything is drawn from the scene's exact record, in lower case, words separated by blanks, so that a word-level
vocabulary is complete. How the language is kept from telling the answer: absent queries swap the bindings of things
that are there (who does it, what is done, what is heard), yes and no are drawn evenly, and counts, sounds and durations
are drawn by answer first where the scene allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kairos.world.lexicon import (
    EVENTS,
    HELD_OUT_BONDS,
    HELD_OUT_LOOKS,
    NUMBERS,
    ORDINALS,
    PHRASES,
    SHAPES,
    SOUNDS,
)
from kairos.world.scene import Event, Scene, Sound

Span = tuple[float, float]
ANSWER_KINDS = ("what", "which", "count", "before_after", "first_last", "how_long", "heard", "yes_no")
ABSENT_TEXT = "that is not in the video"


@dataclass(frozen=True)
class Query:
    """A query with its truth: `moments` prove it (none if it is absent), `text` answers it."""

    kind: str  # ground, ask or caption
    query: str
    text: str
    moments: tuple[Span, ...]
    tags: tuple[str, ...]

    @property
    def present(self) -> bool:
        return bool(self.moments)


class Speaker:
    """Says things about one scene, at random but from one generator."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene, self.rng = scene, rng
        self.exists = scene.split == "composition"

    # drawing -------------------------------------------------------------------------------------------------

    def ground(self, count: int) -> list[Query]:
        """`count` queries for moments: about a quarter absent, the rest plain, ordinal, relative, bound and sound."""
        makers: tuple[tuple[float, Callable[[], Query | None]], ...] = (
            (0.30, self._plain),
            (0.13, self._ordinal),
            (0.12, self._relative),
            (0.07, self._bound),
            (0.06, self._sound),
            (0.06, self._something),
            (0.26, self._absent),
        )
        return self._draw(makers, count)

    def ask(self, count: int) -> list[Query]:
        """`count` questions, all kinds alike, a tenth about what is not there."""
        kinds = (
            self._what,
            self._which,
            self._how_many,
            self._before_after,
            self._first_last,
            self._how_long,
            self._heard,
            self._yes_no,
        )
        return self._draw((*((0.1, k) for k in kinds), (0.12, self._when), (0.08, self._unanswerable)), count)

    def caption(self, count: int) -> list[Query]:
        """`count` captions of single events; the query names the kind of event, as dense captioning asks for it."""
        events = [self.scene.events[k] for k in self.rng.permutation(len(self.scene.events))[:count]]
        return [self._caption(e) for e in events]

    def _draw(self, makers: tuple[tuple[float, Callable[[], Query | None]], ...], count: int) -> list[Query]:
        weights = np.array([w for w, _ in makers])
        said: dict[tuple[str, str], Query] = {}
        for _ in range(6 * count):
            if len(said) == count:
                break
            query = makers[int(self.rng.choice(len(makers), p=weights / weights.sum()))][1]()
            if query is not None:
                said.setdefault((query.kind, query.query), query)
        return list(said.values())

    def _pick(self, items):  # type: ignore[no-untyped-def]
        return items[int(self.rng.integers(len(items)))]

    def _chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    # words ---------------------------------------------------------------------------------------------------

    def name(self, thing: int, canonical: bool = False) -> str:
        t = self.scene.things[thing]
        sized = t.sized or (not canonical and self._chance(0.08) and not self._resized(thing))
        return " ".join(["the", *([t.size] if sized else []), t.colour, t.shape])

    def _resized(self, thing: int) -> bool:
        return any(e.kind in ("grow", "shrink") for e in self.scene.of(thing))

    def verb(
        self, event: Event, base: bool = False, canonical: bool = False, subject: int | None = None
    ) -> str:
        forms = PHRASES[event.kind]
        text = forms[0 if canonical else int(self.rng.integers(len(forms)))][base]
        if event.kind == "colour" and (canonical or self._chance(0.5)):
            return f"{'turn' if base else 'turns'} {event.colour}"
        if event.kind in ("collide", "follow"):
            partner = event.thing if subject == event.other else event.other
            who = self.name(partner, canonical=True)
            if event.kind == "follow":
                return f"{text} {who}"
            if canonical or self._chance(0.5):
                hits = not canonical and subject != event.other and self._chance(0.4)
                return f"{'hit' if base else 'hits'} {who}" if hits else f"{text} with {who}"
        return text

    def sentence(self, event: Event, canonical: bool = False) -> str:
        return f"{self.name(event.thing, canonical)} {self.verb(event, canonical=canonical, subject=event.thing)}"

    def _wrap(self, who: str, third: str, base: str | None, tail: str = "") -> str:
        """A query's form: a statement, or a question for the time."""
        draw, tail = self.rng.random(), f" {tail}" if tail else ""
        if base is not None and draw < 0.35:
            return f"when does {who} {base}{tail} ?"
        if draw < 0.45:
            return f"find the moment when {who} {third}{tail}"
        return f"{who} {third}{tail}"

    def _said(self, who: int, event: Event, tail: str = "") -> str:
        """The event as a query, in one random wording of its verb for statement and question alike."""
        state = self.rng.bit_generator.state
        third = self.verb(event, subject=who)
        self.rng.bit_generator.state = state
        base = self.verb(event, base=True, subject=who)
        return self._wrap(self.name(who), third, base, tail)

    # truth ---------------------------------------------------------------------------------------------------

    def same(self, thing: int, event: Event) -> list[Event]:
        """All events that the event's plain wording about `thing` describes, in order of time."""
        found = self.scene.of(thing, event.kind)
        if event.kind in ("collide", "follow"):
            partner = event.thing if thing == event.other else event.other
            found = [e for e in found if partner in (e.thing, e.other)]
        return found

    def _unique(self, thing: int, event: Event) -> bool:
        """Whether every wording for the event means it alone (collisions may be told without their partner)."""
        return len(self.scene.of(thing, event.kind)) == 1

    def _role(self, event: Event) -> int:
        return event.other if event.kind == "collide" and self._chance(0.35) else event.thing

    def _tags(self, thing: int, kind: str, *more: str, sound: str = "") -> tuple[str, ...]:
        others = any(e.kind == kind and thing not in (e.thing, e.other) for e in self.scene.events)
        several = len({e.kind for e in self.scene.of(thing)}) > 1
        tags = [*more]
        if others and several:
            tags.append("hard")
        if self.scene.things[thing].look in HELD_OUT_LOOKS or (kind, sound) in HELD_OUT_BONDS:
            tags.append("held_out")
        return tuple(tags)

    def _event(self) -> Event | None:
        return self._pick(self.scene.events) if self.scene.events else None

    # queries for moments -------------------------------------------------------------------------------------

    def _plain(self) -> Query | None:
        e = self._event()
        if e is None:
            return None
        who = self._role(e)
        if not self._unique(who, e):
            return None
        return Query(
            "ground",
            self._said(who, e),
            self._statement(who, e),
            (e.span,),
            self._tags(who, e.kind, "visual", "plain"),
        )

    def _statement(self, who: int, e: Event) -> str:
        return f"{self.name(who, canonical=True)} {self.verb(e, canonical=True, subject=who)}"

    def _repeated(self) -> list[tuple[int, list[Event]]]:
        """Things that do one kind of event several times, all of one wording."""
        found = []
        for thing in range(len(self.scene.things)):
            for kind in EVENTS:
                events = self.scene.of(thing, kind)
                if len(events) > 1 and kind not in ("collide", "follow"):
                    found.append((thing, events))
        return found

    def _plainly(self, thing: int, kind: str, tail: str, prefix: str = "") -> str:
        form = self._pick(PHRASES[kind])
        if prefix:
            return f"{prefix} {self.name(thing)} {form[0]}"
        return self._wrap(self.name(thing), form[0], form[1], tail)

    def _ordinal(self) -> Query | None:
        repeated = self._repeated()
        if not repeated:
            return None
        thing, events = self._pick(repeated)
        k = int(self.rng.integers(min(len(events), 3)))
        word = "last" if k == len(events) - 1 and self._chance(0.5) else ORDINALS[k]
        if self._chance(0.4):
            text = self._plainly(thing, events[k].kind, "", f"the {word} time")
        else:
            text = self._plainly(thing, events[k].kind, f"for the {word} time")
        tags = self._tags(thing, events[k].kind, "visual", "ordinal")
        return Query("ground", text, self._statement(thing, events[k]), (events[k].span,), tags)

    def _landmarks(self) -> list[tuple[str, Span]]:
        """Things heard once, which "before" and "after" can lean on."""
        kinds = [s.kind for s in self.scene.sounds]
        return [(f"the {s.kind}", s.span) for s in self.scene.sounds if kinds.count(s.kind) == 1]

    def _relative(self) -> Query | None:
        marks = self._landmarks()
        e = self._event()
        if not marks or e is None:
            return None
        if self._chance(0.75):  # prefer what is done on both sides of a landmark
            repeated = self._repeated()
            if repeated:
                e = self._pick(self._pick(repeated)[1])
        if e.kind in ("collide", "follow"):
            return None
        mark, (start, end) = self._pick(marks)
        same = self.scene.of(e.thing, e.kind)
        sides = ["before" if s.end <= start else "after" if s.start >= end else "" for s in same]
        if "" in sides:
            return None
        side = sides[same.index(e)]
        if sides.count(side) > 1:
            return None
        text = self._plainly(e.thing, e.kind, f"{side} {mark}")
        tags = self._tags(e.thing, e.kind, "visual", "relative")
        return Query("ground", text, self._statement(e.thing, e), (e.span,), tags)

    def _bound(self) -> Query | None:
        """An event told by the sound that it makes: the one occurrence with it, whatever others there are."""
        events = [e for e in self.scene.events if e.sound and e.kind not in ("collide", "follow")]
        if not events:
            return None
        e = self._pick(events)
        clear = [s for s in self.scene.of(e.thing, e.kind) if s is not e and self._heard_in(s.span, e.sound)]
        if clear:
            return None
        text = self._plainly(e.thing, e.kind, self._with(e.sound))
        tags = self._tags(e.thing, e.kind, "visual", "bound", sound=e.sound)
        return Query("ground", text, self._statement(e.thing, e), (e.span,), tags)

    def _with(self, sound: str) -> str:
        return self._pick((f"with a {sound}", f"while the {sound} is heard"))

    def _heard_in(self, span: Span, kind: str | None = None) -> list[Sound]:
        return [
            s
            for s in self.scene.sounds
            if s.start < span[1] and span[0] < s.end and (kind is None or s.kind == kind)
        ]

    def _sound(self) -> Query | None:
        if not self.scene.sounds:
            return None
        s = self._pick(self.scene.sounds)
        same = [o for o in self.scene.sounds if o.kind == s.kind]
        if len(same) > 1:
            k = same.index(s)
            if k > 2:
                return None
            return Query(
                "ground",
                f"the {ORDINALS[k]} {s.kind}",
                f"a {s.kind} is heard",
                (s.span,),
                ("sound", "ordinal_sound"),
            )
        text = self._pick(
            (f"a {s.kind} is heard", f"the {s.kind}", f"when is the {s.kind} heard ?", f"a {s.kind}")
        )
        return Query("ground", text, f"a {s.kind} is heard", (s.span,), ("sound",))

    def _something(self) -> Query | None:
        """A class of event whoever does it; every occurrence is a moment (dense captioning stands on it)."""
        e = self._event()
        if e is None:
            return None
        spans = tuple(o.span for o in self.scene.events if o.kind == e.kind)
        return Query(
            "ground",
            f"something {PHRASES[e.kind][0][0]}",
            f"something {PHRASES[e.kind][0][0]}",
            spans,
            ("something",),
        )

    def _absent(self) -> Query | None:
        """A query that is false here although its parts are here: who, what and when are bound anew."""
        draw = self.rng.random()
        if draw < 0.12:
            missing = [s for s in SOUNDS if not any(o.kind == s for o in self.scene.sounds)]
            if not missing:
                return None
            kind = self._pick(missing)
            text = self._pick(
                (f"a {kind} is heard", f"the {kind}", f"when is the {kind} heard ?", f"a {kind}")
            )
            return Query("ground", text, ABSENT_TEXT, (), ("sound", "absent"))
        if draw < 0.18:
            done = {e.kind for e in self.scene.events}
            kind = self._pick([k for k in EVENTS if k not in done] or [""])
            if not kind:
                return None
            return Query(
                "ground", f"something {PHRASES[kind][0][0]}", ABSENT_TEXT, (), ("something", "absent")
            )
        false = self._false_event()
        if false is None:
            return None
        who, kind = false
        if draw < 0.28:  # a sound that goes with another event
            return self._unbound()
        if draw < 0.36:
            return self._wrong_side()
        tail, tag = "", "plain"
        if draw < 0.44:
            tail, tag = f"for the {self._pick((*ORDINALS, 'last'))} time", "ordinal"
        elif draw < 0.50 and (marks := self._landmarks()):
            tail, tag = f"{self._pick(('before', 'after'))} {self._pick(marks)[0]}", "relative"
        text = self._false_words(who, kind, tail)
        return Query("ground", text, ABSENT_TEXT, (), ("visual", tag, "absent", *_held(who)))

    def _unbound(self) -> Query | None:
        events = [e for e in self.scene.events if e.kind not in ("collide", "follow")]
        if not events:
            return None
        e = self._pick(events)
        heard = {s.kind for o in self.scene.of(e.thing, e.kind) for s in self._heard_in(o.span)}
        wrong = [
            s
            for s in {o.kind for o in self.scene.sounds} - heard
            if self.exists or (e.kind, s) not in HELD_OUT_BONDS
        ]
        if not wrong:
            return None
        text = self._plainly(e.thing, e.kind, self._with(self._pick(sorted(wrong))))
        return Query(
            "ground", text, ABSENT_TEXT, (), self._tags(e.thing, e.kind, "visual", "bound", "absent")
        )

    def _wrong_side(self) -> Query | None:
        marks, e = self._landmarks(), self._event()
        if not marks or e is None or e.kind in ("collide", "follow"):
            return None
        mark, (start, end) = self._pick(marks)
        same = self.scene.of(e.thing, e.kind)
        if all(s.end <= start for s in same):
            side = "after"
        elif all(s.start >= end for s in same):
            side = "before"
        else:
            return None
        text = self._plainly(e.thing, e.kind, f"{side} {mark}")
        return Query(
            "ground", text, ABSENT_TEXT, (), self._tags(e.thing, e.kind, "visual", "relative", "absent")
        )

    def _false_event(self) -> tuple[str, str] | None:
        """A (name, event kind) that is not true: a thing here and what only others do, or nearly a thing here."""
        done = sorted({e.kind for e in self.scene.events})
        if not done:
            return None
        weights = np.array([sum(e.kind == k for e in self.scene.events) for k in done], float)
        kind = done[int(self.rng.choice(len(done), p=weights / weights.sum()))]
        doers = {
            t
            for e in self.scene.events
            if e.kind == kind
            for t in (e.thing, *((e.other,) if kind == "collide" else ()))
        }
        idle = [i for i in range(len(self.scene.things)) if i not in doers]
        if kind in (
            "left",
            "right",
            "up",
            "down",
        ):  # who is followed moves too, and so does who follows or collides
            idle = [
                i
                for i in idle
                if not any(
                    i in (e.thing, e.other) for e in self.scene.events if e.kind in ("follow", "collide")
                )
            ]
        if idle and self._chance(0.7):
            return self.name(self._pick(idle)), kind
        looks = {t.look for t in self.scene.things}
        near = [
            look
            for t in self.scene.things
            for o in self.scene.things
            for look in ((t.colour, o.shape), (t.colour, self._pick(SHAPES)))
            if look not in looks and (self.exists or look not in HELD_OUT_LOOKS)
        ]
        return (f"the {' '.join(self._pick(near))}", kind) if near else None

    def _false_words(self, who: str, kind: str, tail: str = "") -> str:
        third, base = self._pick(PHRASES[kind])
        if kind == "colour" and self._chance(0.5):
            target = self._pick([e.colour for e in self.scene.events if e.kind == "colour"])
            shape = who.split()[-1]
            if who.split()[-2] != target and (self.exists or (target, shape) not in HELD_OUT_LOOKS):
                third, base = f"turns {target}", f"turn {target}"
        if kind == "follow" or (kind == "collide" and self._chance(0.5)):
            partners = [
                self.name(i, True) for i in range(len(self.scene.things)) if self.name(i, True) not in who
            ]
            partner = self._pick(partners)
            third, base = (
                f"{third} {'with ' if kind == 'collide' else ''}{partner}",
                f"{base} {'with ' if kind == 'collide' else ''}{partner}",
            )
            if kind == "collide" and self._chance(0.3):
                third, base = f"hits {partner}", f"hit {partner}"
        return self._wrap(who, third, base, tail)

    # questions -----------------------------------------------------------------------------------------------

    def _question(
        self, kind: str, query: str, text: str, spans: tuple[Span, ...], tags: tuple[str, ...] = ()
    ) -> Query:
        return Query("ask", query, text, spans, (kind, *tags))

    def _when(self) -> Query | None:
        """A query for a moment, asked of the speaker: the answer says what is seen, its moments say when."""
        query = self._pick((self._plain, self._ordinal, self._relative, self._bound, self._sound))()
        if query is None:
            return None
        return Query("ask", query.query, query.text, query.moments, ("when", *query.tags))

    def _unanswerable(self) -> Query | None:
        if self._chance(0.5):
            query = self._absent()
            return None if query is None else Query("ask", query.query, ABSENT_TEXT, (), ("absent",))
        false = self._false_event()
        if false is None:
            return None
        who, kind = false
        third, base = self._pick(PHRASES[kind])
        if kind == "follow":
            return None
        text = self._pick(
            (
                f"how long does {who} {base} ?",
                f"which sound is heard while {who} {third} ?",
                f"what does {who} do {self._pick(('before', 'after'))} it {third} ?",
            )
        )
        return self._question("absent", text, ABSENT_TEXT, ())

    def _what(self) -> Query | None:
        """What a thing does while a sound is heard."""
        pairs = []
        for s in self.scene.sounds:
            if sum(o.kind == s.kind for o in self.scene.sounds) > 1:
                continue
            for thing in range(len(self.scene.things)):
                during = [e for e in self.scene.of(thing) if e.start < s.end and s.start < e.end]
                if len(during) == 1 and min(during[0].end, s.end) - max(during[0].start, s.start) > 0.75:
                    e = during[0]
                    if self.exists or (e.kind, s.kind) not in HELD_OUT_BONDS:
                        pairs.append((thing, e, s.kind))
        if not pairs:
            return None
        thing, e, sound = self._pick(pairs)
        text = f"what does {self.name(thing)} do while the {sound} is heard ?"
        return self._question(
            "what", text, self._does(thing, e), (e.span,), self._tags(thing, e.kind, sound=sound)
        )

    def _does(self, thing: int, e: Event) -> str:
        return f"it {self.verb(e, canonical=True, subject=thing)}"

    def _which(self) -> Query | None:
        kinds = [e.kind for e in self.scene.events]
        events = [e for e in self.scene.events if kinds.count(e.kind) == 1 and e.kind != "collide"]
        if not events:
            return None
        e = self._pick(events)
        text = f"which object {self._pick(PHRASES[e.kind])[0]} ?"
        if e.kind == "follow":
            text = f"which object follows {self.name(e.other)} ?"
        return self._question(
            "which", text, self.name(e.thing, canonical=True), (e.span,), self._tags(e.thing, e.kind)
        )

    def _how_many(self) -> Query | None:
        counts: dict[int, list[tuple[int, str]]] = {}
        for thing in range(len(self.scene.things)):
            for kind in sorted({e.kind for e in self.scene.events} - {"follow"}):
                counts.setdefault(min(len(self.scene.of(thing, kind)), 4), []).append((thing, kind))
        if not counts:
            return None
        n = int(self._pick([k for k in sorted(counts) for _ in range(2 if k > 1 else 1)]))
        thing, kind = self._pick(counts[n])
        n = len(self.scene.of(thing, kind))
        text = f"how many times does {self.name(thing)} {self._pick(PHRASES[kind])[1]} ?"
        spans = tuple(e.span for e in self.scene.of(thing, kind))
        return (
            self._question("count", text, NUMBERS[n], spans, self._tags(thing, kind))
            if n < len(NUMBERS)
            else None
        )

    def _before_after(self) -> Query | None:
        thing = int(self.rng.integers(len(self.scene.things)))
        events = self.scene.of(thing)
        if len(events) < 2:
            return None
        k = int(self.rng.integers(len(events) - 1))
        anchor, answer, word = (
            (events[k], events[k + 1], "after") if self._chance(0.5) else (events[k + 1], events[k], "before")
        )
        if not self._unique(thing, anchor) or anchor.kind in ("collide", "follow"):
            return None
        text = f"what does {self.name(thing)} do {word} it {self._pick(PHRASES[anchor.kind])[0]} ?"
        return self._question(
            "before_after", text, self._does(thing, answer), (answer.span,), self._tags(thing, answer.kind)
        )

    def _first_last(self) -> Query | None:
        thing = int(self.rng.integers(len(self.scene.things)))
        events = self.scene.of(thing)
        if len(events) < 2:
            return None
        k, word = (0, "first") if self._chance(0.5) else (-1, "last")
        text = f"what does {self.name(thing)} do {word} ?"
        return self._question(
            "first_last",
            text,
            self._does(thing, events[k]),
            (events[k].span,),
            self._tags(thing, events[k].kind),
        )

    def _how_long(self) -> Query | None:
        events = [e for e in self.scene.events if self._unique(e.thing, e) and e.kind != "follow"]
        if not events:
            return None
        want = self.rng.uniform(1.5, 4.5)  # the rarer lengths as often as the others
        e = min(events, key=lambda o: abs(o.end - o.start - want))
        n = int(np.floor(e.end - e.start + 0.5))
        text = f"how long does {self.name(e.thing)} {self._pick(PHRASES[e.kind])[1]} ?"
        return self._question(
            "how_long", text, f"about {NUMBERS[n]} seconds", (e.span,), self._tags(e.thing, e.kind)
        )

    def _heard(self) -> Query | None:
        found: dict[str, list[Event]] = {}
        for e in self.scene.events:
            if self._unique(e.thing, e) and e.kind != "follow":
                heard = self._heard_in(e.span)
                if not heard:
                    found.setdefault("nothing", []).append(e)
                    continue
                told = len(heard) == 1 and min(heard[0].end, e.end) - max(heard[0].start, e.start) > 0.75
                if told and (self.exists or (e.kind, heard[0].kind) not in HELD_OUT_BONDS):
                    found.setdefault(heard[0].kind, []).append(e)
        if not found:
            return None
        answer = self._pick(sorted(found))
        e = self._pick(found[answer])
        text = f"which sound is heard while {self.name(e.thing)} {self._pick(PHRASES[e.kind])[0]} ?"
        tags = self._tags(e.thing, e.kind, sound=answer)
        return self._question(
            "heard", text, answer if answer == "nothing" else f"a {answer}", (e.span,), tags
        )

    def _yes_no(self) -> Query | None:
        if self._chance(0.25):
            return self._order()
        if self._chance(0.5):
            e = self._event()
            if e is None:
                return None
            who = self._role(e)
            spans = tuple(o.span for o in self.same(who, e))
            if e.kind in ("collide", "colour"):  # whoever the partner, whatever the colour
                spans = tuple(o.span for o in self.scene.of(who, e.kind))
                text = f"does {self.name(who)} {PHRASES[e.kind][0][1]} ?"
            else:
                text = f"does {self.name(who)} {self.verb(e, base=True, subject=who)} ?"
            return self._question("yes_no", text, "yes", spans, self._tags(who, e.kind))
        false = self._false_event()
        if false is None:
            return None
        who_name, kind = false
        base = self._pick(PHRASES[kind])[1]
        if kind == "follow":
            base += " " + self._pick(
                [
                    self.name(i, True)
                    for i in range(len(self.scene.things))
                    if self.name(i, True) not in who_name
                ]
            )
        return self._question("yes_no", f"does {who_name} {base} ?", "no", (), _held(who_name))

    def _order(self) -> Query | None:
        thing = int(self.rng.integers(len(self.scene.things)))
        events = [
            e for e in self.scene.of(thing) if self._unique(thing, e) and e.kind not in ("collide", "follow")
        ]
        if len(events) < 2:
            return None
        a, b = sorted(self.rng.choice(len(events), 2, replace=False))
        first, second = events[a], events[b]
        if self._chance(0.5):
            first, second, answer = second, first, "no"
        else:
            answer = "yes"
        text = f"does {self.name(thing)} {self._pick(PHRASES[first.kind])[1]} before it {self._pick(PHRASES[second.kind])[0]} ?"
        return self._question(
            "yes_no", text, answer, (first.span, second.span), (*self._tags(thing, first.kind), "order")
        )

    # captions ------------------------------------------------------------------------------------------------

    def _caption(self, e: Event) -> Query:
        held = ("held_out",) if self.scene.things[e.thing].look in HELD_OUT_LOOKS else ()
        return Query(
            "caption",
            f"describe when something {PHRASES[e.kind][0][0]}",
            self.sentence(e, canonical=True),
            (e.span,),
            held,
        )


def _held(name: str) -> tuple[str, ...]:
    """The tag of a name whose colour and shape are held out."""
    return ("held_out",) if any(name.endswith(f"{c} {s}") for c, s in HELD_OUT_LOOKS) else ()


def vocabulary() -> list[str]:
    """Every word that the world can say, sorted."""
    from kairos.world.lexicon import COLOUR_NAMES, SIZES

    words = {w for forms in PHRASES.values() for form in forms for text in form for w in text.split()}
    words |= {
        *COLOUR_NAMES,
        *SHAPES,
        *SIZES,
        *SOUNDS,
        *NUMBERS,
        *ORDINALS,
        "last",
        "turn",
        "turns",
        "hit",
        "hits",
        "with",
    }
    for text in (
        ABSENT_TEXT,
        "when does the ? find the moment when for the time before after while the is heard a an something it",
        "how many times does how long does about seconds which sound which object what does do first last yes no nothing",
        "describe when something",
    ):
        words |= set(text.split())
    return sorted(words)


def all_queries(
    scene: Scene, rng: np.random.Generator, ground: int, ask: int, caption: int
) -> Iterator[Query]:
    """A scene's queries of all three kinds."""
    speaker = Speaker(scene, rng)
    yield from speaker.ground(ground)
    yield from speaker.ask(ask)
    yield from speaker.caption(caption)
