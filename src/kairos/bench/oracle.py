"""Detectors that are given every true event and still may not see everything: how far half of the truth gets.

One is blind to which object a query is about, the other to which kind of event. Each picks evenly among the events that
fit what it knows. By the first reading it knows the kind of event, or the object, and nothing else: the gate. By the second
it also uses every other word (ordinals, the sound heard with, before or after it, a partner, the colour turned to).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kairos.timeline.intervals import iou_matrix
from kairos.world.language import Query
from kairos.world.lexicon import COLOUR_NAMES, ORDINALS, PHRASES, SOUNDS
from kairos.world.scene import Event, Scene
from kairos.world.wording import Name, names_in, things_named

__all__ = ["Said", "blind_to_event", "blind_to_object", "expected_hit", "understand"]

_ORDER = re.compile(rf"the ({'|'.join((*ORDINALS, 'last'))}) time")
_SIDE = re.compile(rf"\b(before|after) the ({'|'.join(SOUNDS)})\b")
_WITH = re.compile(rf"\b(?:with a|while the) ({'|'.join(SOUNDS)})\b")
_TURN = re.compile(rf"\bturns? ({'|'.join(COLOUR_NAMES)})\b")
_VERBS = sorted(
    [(text, kind) for kind, forms in PHRASES.items() for form in forms for text in form]
    + [("turn", "colour"), ("turns", "colour"), ("hit", "collide"), ("hits", "collide")],
    key=lambda item: -len(item[0]),
)


@dataclass(frozen=True)
class Said:
    """A visual query, taken apart."""

    kind: str
    name: Name
    partner: Name | None = None
    turned: str = ""
    order: str = ""
    side: str = ""
    mark: str = ""
    sound: str = ""


def understand(text: str) -> Said | None:
    """Takes a query about one object apart; None where it is not of that form."""
    objects = names_in(text)
    kind = next((kind for verb, kind in _VERBS if re.search(rf"\b{verb}\b", text)), None)
    if not objects or kind is None:
        return None
    order, side, sound, turn = (p.search(text) for p in (_ORDER, _SIDE, _WITH, _TURN))
    return Said(
        kind,
        objects[0],
        objects[1] if len(objects) > 1 else None,
        turn[1] if turn else "",
        order[1] if order else "",
        side[1] if side else "",
        side[2] if side else "",
        sound[1] if sound else "",
    )


def blind_to_object(scene: Scene, said: Said, every_word: bool = False) -> list[Event]:
    """The events that the query could mean if it were about any object."""
    return _distinct(
        e
        for thing in range(len(scene.things))
        for e in _fitting(
            scene,
            said,
            [e for e in scene.of(thing, said.kind) if not every_word or _turned(e, said)],
            every_word,
        )
    )


def blind_to_event(scene: Scene, said: Said, every_word: bool = False) -> list[Event]:
    """The events that the query could mean if it named any kind of event."""
    return _distinct(
        e
        for thing in things_named(scene, said.name)
        for kind in sorted({e.kind for e in scene.of(thing)})
        for e in _fitting(
            scene,
            said,
            [e for e in scene.of(thing, kind) if not every_word or _with(scene, e, thing, said.partner)],
            every_word,
        )
    )


def expected_hit(candidates: list[Event], query: Query, threshold: float = 0.5) -> float:
    """The chance that one of the candidates, evenly picked, meets a moment of the query."""
    if not candidates:
        return 0.0
    return float((iou_matrix(candidates, query.moments).max(1) >= threshold).mean())


def _fitting(scene: Scene, said: Said, same: list[Event], every_word: bool) -> list[Event]:
    """Of the events that one wording describes, those that the rest of the query leaves."""
    if not every_word:
        return same
    if said.order:
        k = -1 if said.order == "last" else ORDINALS.index(said.order)
        return same[k:][:1] if len(same) > max(k, 1) else []
    if said.side:
        marks = [s for s in scene.sounds if s.kind == said.mark]
        return [
            e
            for e in same
            for s in marks
            if (e.end <= s.start if said.side == "before" else e.start >= s.end)
        ]
    if said.sound:
        heard = [s for s in scene.sounds if s.kind == said.sound]
        return [e for e in same if any(s.start < e.end and e.start < s.end for s in heard)]
    return same


def _turned(e: Event, said: Said) -> bool:
    return not said.turned or e.colour == said.turned


def _with(scene: Scene, e: Event, thing: int, partner: Name | None) -> bool:
    if partner is None:
        return True
    other = e.thing if thing == e.other else e.other
    return other >= 0 and other in things_named(scene, partner)


def _distinct(events: Iterable[Event]) -> list[Event]:
    return list(dict.fromkeys(events))
