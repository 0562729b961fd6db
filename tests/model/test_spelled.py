"""Places and moments in words: exact to the step, and nothing is guessed of what is no number."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kairos.model.follower import Follower
from kairos.model.spelled import LAST, numbers, spell


@given(st.lists(st.integers(0, LAST), min_size=1, max_size=4))
def test_what_is_spelled_is_read(values):
    assert numbers(spell(values), len(values)) == values


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_box_is_told_to_half_a_step(box):
    told = numbers(spell([LAST * side for side in box]), 4)
    assert np.abs(np.array(told) / LAST - box).max() <= 0.5 / LAST + 1e-9


def test_what_is_beyond_is_the_nearest():
    assert numbers(spell([-3, 60.2]), 2) == [0, LAST]


@pytest.mark.parametrize("text", ["", "one", "one two three", "one ring", "the one", "one two one"])
def test_nothing_is_guessed(text):
    assert numbers(text, 1) is None


@pytest.fixture(scope="module")
def spelling(tiny):
    torch.manual_seed(0)
    model = copy.deepcopy(tiny)
    model.give_heads(dict.fromkeys(("region", "temporal", "mask")))
    model.give_follower(Follower())
    model.config.presence_threshold = 0.0
    return model.eval()


def says(model, monkeypatch, text):
    """Whatever it is asked it says this, over and over."""
    ids, at = model.words(text), iter(range(10**6))

    def words(self, hidden, frames, weight):
        logp = torch.full((*hidden.shape[:3], len(model.tokenizer)), -9.0)
        logp[..., 0, ids[(next(at) - 1) % len(ids)]] = 0.0  # the first word asked for is the route's
        return logp

    monkeypatch.setattr(type(model.speech), "words", words)


def asked(model, stream):
    session = model.session()
    session.say("where is the red ring ?")
    session.see(stream[0], stream[1])
    return session


def test_a_box_in_words_is_a_place(spelling, stream, monkeypatch):
    session = asked(spelling, stream)
    says(spelling, monkeypatch, spell([0, 12, 24, 48]))
    assert session.place().box == pytest.approx((0, 0.25, 0.5, 1))
    assert not spelling.handover.tokens.heads


def test_a_box_in_words_prompts_the_follower(spelling, stream, monkeypatch):
    session = asked(spelling, stream)
    says(spelling, monkeypatch, spell([0, 12, 24, 48]))
    assert torch.allclose(session.prompt(), spelling.follower.prompt(torch.tensor([[0, 0.25, 0.5, 1]])))


def test_a_moment_in_words_is_a_span(spelling, stream, monkeypatch):
    session = asked(spelling, stream)
    says(spelling, monkeypatch, spell([3, 7]))
    saliency, spans = session.saliency()
    assert spans == [(1.5, 3.5, 1.0)]
    assert np.flatnonzero(saliency).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("text", ["the red ring", "six zero one one", "six six six six"])
def test_what_is_no_answer_is_none(spelling, stream, monkeypatch, text):
    """Words, a span that ends before it starts, and one that lies beyond what was seen."""
    session = asked(spelling, stream)
    says(spelling, monkeypatch, text)
    assert session.saliency()[1] == []
    says(spelling, monkeypatch, "the red ring")
    assert session.place() is None
    assert session.prompt() is None
