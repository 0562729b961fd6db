"""What is said of a scene is true of it, and its words are the vocabulary's."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kairos.world.language import ABSENT_TEXT, ANSWER_KINDS, Speaker, all_queries, vocabulary
from kairos.world.lexicon import HELD_OUT_LOOKS, NUMBERS, PHRASES
from kairos.world.sampling import sample_scene
from kairos.world.wording import names_in, things_named

SCENES = [sample_scene(seed) for seed in range(250)]
SAID = [(s, q) for s in SCENES for q in all_queries(s, np.random.default_rng(s.seed), 10, 12, 3)]
KIND_OF = {form: kind for kind, forms in PHRASES.items() for pair in forms for form in pair}


def test_every_word_is_known():
    known = set(vocabulary())
    assert not {w for _, q in SAID for w in (q.query + " " + q.text).split()} - known


def test_a_generator_always_says_the_same():
    scene = SCENES[0]
    one, two = (Speaker(scene, np.random.default_rng(1)).ask(8) for _ in range(2))
    assert one == two


def test_plain_queries_mean_exactly_one_event_of_one_thing():
    for scene, q in SAID:
        if q.kind == "ground" and "plain" in q.tags and q.present:
            things = things_named(scene, names_in(q.query)[0])  # who does it is said before to whom
            spans = {e.span for i in things for e in scene.of(i)}
            assert set(q.moments) <= spans
            assert len(q.moments) == 1


def test_absent_queries_are_false():
    for scene, q in SAID:
        if "absent" in q.tags and "plain" in q.tags and q.kind == "ground":
            kinds = (
                [k for form, k in KIND_OF.items() if f" {form}" in f" {q.query}"]
                + ["colour"] * ("turn" in q.query)
                + ["collide"] * bool({"hit", "hits"} & set(q.query.split()))
            )
            for thing in things_named(scene, names_in(q.query)[0]):
                assert not any(e.kind in kinds for e in scene.of(thing))


def test_a_part_of_a_name_is_said_only_where_it_is_enough():
    parts = [(s, n, q) for s, q in SAID for n in names_in(q.query)[:1] if not (n[1] and n[2])]
    fit = [(len(things_named(s, n)), q) for s, n, q in parts]
    assert sum(many == 1 for many, _ in fit) > 300
    assert all(many == 1 or (many == 0 and not q.moments) for many, q in fit)


def test_absence_is_said_in_parts_of_names_as_well():
    absent = [n for s, q in SAID if not q.moments for n in names_in(q.query)[:1] if not things_named(s, n)]
    assert 0.1 < np.mean([not (n[1] and n[2]) for n in absent]) < 0.5


def test_standing_queries_are_told_each_time():
    for scene, _ in SAID[::40]:
        for s in Speaker(scene, np.random.default_rng(1)).watch(6):
            assert set(s.query.split()) <= set(vocabulary())
            spans = [span for span, _ in s.answers]
            assert spans == sorted(spans)
            assert bool(spans) == ("absent" not in s.tags)
            assert set(spans) <= {e.span for e in scene.events} | {x.span for x in scene.sounds}
            for span, text in s.answers:
                if "sound" not in s.tags:
                    (who,) = names_in(text)[:1]
                    assert any(e.span == span for i in things_named(scene, who) for e in scene.of(i))
            if "everything" in s.tags:
                assert len(spans) == len(scene.events)


def test_counts_and_durations_are_right():
    for _scene, q in SAID:
        if q.kind == "ask" and q.tags[0] == "count":
            assert NUMBERS.index(q.text) == len(q.moments)
        if q.kind == "ask" and q.tags[0] == "how_long":
            (start, end), n = q.moments[0], NUMBERS.index(q.text.split()[1])
            assert abs(end - start - n) <= 0.5


def test_yes_and_no_are_balanced_and_all_kinds_are_asked():
    asked = Counter(q.tags[0] for _, q in SAID if q.kind == "ask")
    assert set(ANSWER_KINDS) <= set(asked)
    yes_no = Counter(q.text for _, q in SAID if q.kind == "ask" and q.tags[0] == "yes_no")
    assert 0.42 < yes_no["yes"] / yes_no.total() < 0.58
    absent = np.mean(["absent" in q.tags for _, q in SAID if q.kind == "ground"])
    assert 0.2 < absent < 0.4
    assert all(q.text == ABSENT_TEXT for _, q in SAID if q.tags[:1] == ("absent",))


def test_training_never_says_a_held_out_pair():
    for _, q in SAID:
        for colour, shape in HELD_OUT_LOOKS:
            assert f"{colour} {shape}" not in q.query + " " + q.text
