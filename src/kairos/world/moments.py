"""Queries for moments: plain, ordinal, relative, bound to a sound, sounds themselves; about a quarter of them absent.

Absent queries bind anew who, what and when of things that are there, so that no word gives them away.
"""

from __future__ import annotations

from kairos.world.lexicon import EVENTS, HELD_OUT_BONDS, ORDINALS, PHRASES, SOUNDS
from kairos.world.wording import ABSENT_TEXT, Maker, Query, Wording, held


class Moments(Wording):
    def ground(self, count: int) -> list[Query]:
        """`count` queries for moments: about a quarter absent, the rest plain, ordinal, relative, bound and sound."""
        makers: tuple[Maker, ...] = (
            (0.30, self._plain),
            (0.13, self._ordinal),
            (0.12, self._relative),
            (0.07, self._bound),
            (0.06, self._sound),
            (0.06, self._something),
            (0.26, self._absent),
        )
        return self._draw(makers, count)

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

    # absent --------------------------------------------------------------------------------------------------

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
        return Query("ground", text, ABSENT_TEXT, (), ("visual", tag, "absent", *held(who)))

    def _unbound(self) -> Query | None:
        events = [e for e in self.scene.events if e.kind not in ("collide", "follow")]
        if not events:
            return None
        e = self._pick(events)
        heard = {s.kind for o in self.scene.of(e.thing, e.kind) for s in self._heard_in(o.span)}
        wrong = [
            s
            for s in {o.kind for o in self.scene.sounds} - heard
            if self.any_pair or (e.kind, s) not in HELD_OUT_BONDS
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
