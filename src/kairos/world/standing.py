"""Standing queries: what a viewer asks for once and wants to be told each time (MAGQA, MMDuet 5.2).

By kind of event, by thing, by sound, or everything that happens; each answer is a plain sentence, pinned to its event.
One in ten or so has no answer: nothing of the kind ever happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from kairos.world.lexicon import PHRASES, SOUNDS
from kairos.world.questions import Questions
from kairos.world.scene import Event
from kairos.world.wording import Span

SOMETHING = ("tell me whenever something {0}", "tell me when something {0}", "describe when something {0}")
THING = ("tell me what {0} does", "what does {0} do ?")
EVERYTHING = ("narrate the video", "tell me what happens", "what happens ?")


@dataclass(frozen=True)
class Standing:
    """A query with its answers in order of time, each with the span of what it tells."""

    query: str
    answers: tuple[tuple[Span, str], ...]
    tags: tuple[str, ...]


class Watching(Questions):
    def watch(self, count: int) -> list[Standing]:
        """At most `count` different standing queries."""
        said: dict[str, Standing] = {}
        for _ in range(4 * count):
            if len(said) == count:
                break
            draw = self.rng.random()
            standing = (
                self._by_kind() if draw < 0.4 else
                self._by_thing() if draw < 0.75 else
                self._by_sound() if draw < 0.87 else
                self._everything()
            )  # fmt: skip
            said.setdefault(standing.query, standing)
        return list(said.values())

    def _by_kind(self) -> Standing:
        kinds = sorted({e.kind for e in self.scene.events})
        if self._chance(0.15):
            kinds = sorted(set(PHRASES) - set(kinds)) or kinds
        kind = self._pick(kinds)
        query = self._pick(SOMETHING).format(self._pick(PHRASES[kind])[0])
        return self._told(query, [(e.thing, e) for e in self.scene.events if e.kind == kind], "kind")

    def _by_thing(self) -> Standing:
        thing = int(self.rng.integers(len(self.scene.things)))
        query = self._pick(THING).format(self.name(thing))
        return self._told(query, [(thing, e) for e in self.scene.of(thing)], "thing")

    def _by_sound(self) -> Standing:
        kind = self._pick(("sound", *SOUNDS))
        query = f"tell me whenever a {kind} is heard"
        heard = [s for s in self.scene.sounds if kind in ("sound", s.kind)]
        return self._standing(query, [(s.span, f"a {s.kind} is heard") for s in heard], "sound")

    def _everything(self) -> Standing:
        return self._told(self._pick(EVERYTHING), [(e.thing, e) for e in self.scene.events], "everything")

    def _told(self, query: str, events: list[tuple[int, Event]], tag: str) -> Standing:
        return self._standing(query, [(e.span, self._statement(who, e)) for who, e in events], tag)

    @staticmethod
    def _standing(query: str, answers: list[tuple[Span, str]], tag: str) -> Standing:
        return Standing(query, tuple(sorted(answers)), (tag,) if answers else (tag, "absent"))
