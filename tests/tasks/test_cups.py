"""Which cup hides it: told from the path and from the cups that are seen, in words, with the path as its proof."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import SquareModel, SquareSession
from painted import square_at, write_square

import kairos
from kairos.tasks import ask
from kairos.tasks.cups import in_a_row, thing_under
from kairos.world.shells import ask_cups, sample_shells

SIZE = (128, 96)
HIDES = 1.5
QUESTION = "which cup is the red square under ?"


class CupSession(SquareSession):
    """Sees `model.standing` in any picture."""

    def __init__(self, model):
        super().__init__(model.config)
        self.standing = model.standing

    def cups(self, tick=None):
        assert self.ticks
        return self.standing


class CupModel(SquareModel):
    """Cups stand where the square hides and so many of its widths to the right of that."""

    def __init__(self, *away):
        super().__init__()
        x1, y1, x2, y2 = np.array(square_at(HIDES)) / np.array([*SIZE, *SIZE])
        self.standing = [(x1 + k * (x2 - x1), y1, x2 + k * (x2 - x1), y2) for k in sorted(away)]

    def unknown_words(self, text):
        return []

    def session(self):
        self.sessions.append(CupSession(self))
        return self.sessions[-1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_square(tmp_path_factory.mktemp("cups") / "clip.mp4", hidden=(HIDES, 4.0))


@pytest.fixture(scope="module")
def revealed(tmp_path_factory):
    return write_square(tmp_path_factory.mktemp("cups") / "revealed.mp4", hidden=(HIDES, 3.0))


@pytest.mark.parametrize(
    ("query", "thing"),
    [
        ("which cup is the red ring under ?", "the red ring"),
        ("Which cup is the red ring under now?", "the red ring"),
        ("which of the cups is the ring under", "the ring"),
        ("which one of the cups hides the small red ring now ?", "the small red ring"),
        ("under which cup is the ring that blinks ?", "the ring that blinks"),
        ("which cup is the ring hidden under ?", "the ring"),
        ("which cup is red ?", None),
        ("which cup moves left ?", None),
        ("where is the red ring ?", None),
        ("what is under the cup ?", None),
        ("which cup is under the red ring ?", None),
        ("", None),
    ],
)
def test_what_is_asked_for(query, thing):
    assert thing_under(query) == thing


def test_every_question_of_the_world_is_understood():
    scenes = [sample_shells(seed, "test") for seed in range(4)]
    asked = [(q, s) for s in scenes for q in ask_cups(s, np.random.default_rng(0), least=0)]
    assert asked
    for question, scene in asked:
        thing = scene.things[question.thing]
        assert thing_under(question.query).split()[-1] in (thing.shape, "object", thing.colour)


@pytest.mark.parametrize(
    ("place", "of", "words"),
    [
        (0, 1, "the only one"),
        (0, 2, "the left one"),
        (1, 2, "the right one"),
        (1, 3, "the middle one"),
        (2, 3, "the right one"),
        (1, 4, "the second one from the left"),
        (10, 12, "number 11 from the left"),
    ],
)
def test_the_order_in_words(place, of, words):
    assert in_a_row(place, of) == words


@pytest.mark.parametrize(
    ("away", "words"),
    [
        ((0, 2, 4), "the left one"),
        ((-2, 0, 2), "the middle one"),
        ((-4, -2, 0), "the right one"),
        ((-2, 0.4), "the right one"),
        ((0.4,), "the only one"),
    ],
)
def test_the_cup_around_its_last_box_is_counted_from_the_left(clip, away, words):
    model = CupModel(*away)
    answer = ask(model, clip, QUESTION)
    assert (answer.kind, answer.query, answer.text) == ("ask", QUESTION, words)
    assert not answer.abstained
    assert [(m.start, m.end) for m in answer.moments] == [(HIDES, pytest.approx(4.0, abs=0.11))]
    assert answer.track.label == "the red square"
    assert answer.track.visible.tolist() == [t < HIDES for t in answer.track.times]
    assert answer.mask_track is None


def test_cups_are_counted_in_the_picture_in_which_it_hides_last(revealed):
    model = CupModel(-2, 0, 2)
    answer = ask(model, revealed, QUESTION)
    assert answer.text == "the middle one"
    assert [(m.start, m.end) for m in answer.moments] == [(HIDES, 3.0)]
    with kairos.open(revealed) as video:
        shown = video.frames([2.875], size=64).images[0]
    np.testing.assert_array_equal(model.sessions[-1].pictures[-1], shown)


def test_as_of_an_end(revealed):
    answer = ask(CupModel(-2, 0, 2), revealed, QUESTION, end=2.0)
    assert answer.text == "the middle one"
    assert answer.moments[0].end == 2.0


def test_what_hides_under_none_is_said_to(clip, revealed):
    assert ask(CupModel(3, 5), clip, QUESTION).text == "under no cup: seen from 0.0 s to 1.5 s"
    assert ask(CupModel(), revealed, QUESTION).text.startswith(
        "under no cup: seen from 0.0 s to 1.5 s, from 3.0"
    )


def test_what_does_not_hide(clip):
    assert ask(CupModel(0), clip, QUESTION, end=1.0).text == "under no cup: seen from 0.0 s to 1.0 s"


def test_what_is_not_there(clip):
    answer = ask(CupModel(0), clip, "which cup is the blue square under ?")
    assert answer.abstained
    assert answer.text == "not in this video: the blue square"
    assert answer.query == "which cup is the blue square under ?"
    assert answer.track is None


def test_a_model_that_sees_no_cups_answers_as_it_can(clip):
    model = SquareModel()
    model.unknown_words = lambda text: []
    assert ask(model, clip, QUESTION).text == f"it is {QUESTION}"
    assert model.sessions[-1].said == [QUESTION]


def test_a_model_that_hands_no_path_over_answers_as_it_can(clip, monkeypatch):
    monkeypatch.setattr(CupSession, "route", lambda self: None)
    model = CupModel(0)
    assert ask(model, clip, QUESTION).text == f"it is {QUESTION}"
    assert model.pursuits == []
