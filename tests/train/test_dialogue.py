"""A duet as a sequence: what is said where it is due, and who may look at whom."""

from __future__ import annotations

import numpy as np
import torch

from kairos.model.words import END, SAY, SPECIAL, STREAM, USER
from kairos.train.dialogue import Reply, Sequences, due, sampled, visible
from kairos.train.duet import labels
from kairos.world.standing import Standing

M = 2
USER_, SAY_, END_, STREAM_ = (SPECIAL.index(x) for x in (USER, SAY, END, STREAM))


def sequence(kept):
    duets = Sequences(1, ticks=4, tokens=M, answers=3, words=4)
    duets.put(0, [20], [Reply(1, 0, [30, 31]), Reply(3, 3, [32])], asked=1, ticks=4, kept=kept)
    return {name: x[0].numpy() for name, x in duets.arrays().items()}


def test_words_and_ticks_take_turns():
    kept = sequence(kept=True)
    assert kept["duet_token"].tolist() == [
        *(USER_, 20, END_, STREAM_, -1, -1, SAY_, 30, 31, END_, STREAM_),
        *(-1, -1, -1, -1, SAY_, 32, END_, STREAM_),
    ]
    assert kept["duet_place"][kept["duet_token"] < 0].tolist() == [2, 3, 4, 5, 6, 7]
    assert kept["duet_position"].tolist() == list(range(19))
    assert not kept["duet_reply"].any()
    assert kept["duet_last"].tolist() == [0, 5, 12, 14]


def test_a_hidden_reply_leaves_no_trace():
    hidden = sequence(kept=False)
    assert hidden["duet_reply"].tolist() == [0] * 6 + [1] * 3 + [0] * 4 + [2] * 2
    assert hidden["duet_position"].tolist() == [*range(9), 6, 7, 8, 9, 10, 11]
    mask = visible(torch.as_tensor(hidden["duet_reply"])[None])[0, 0]
    assert not mask[9:, 6:9].any()
    assert mask[8, :9].all()
    assert mask[14, 9:15].all()
    assert not mask.triu(1).any()


def test_every_word_is_predicted_from_the_one_before():
    for kept in (True, False):
        x = sequence(kept)
        for answer, given in zip(x["duet_answer"], x["duet_given"], strict=True):
            words = answer[answer > 0].tolist()
            places = given[: len(words)]
            assert x["duet_token"][places].tolist() == [SAY_, *words[:-1]][: len(words)]
        assert x["duet_span"].tolist() == [[0, 1], [3, 3], [0, 0]]


def test_replies_of_the_world_are_due_inside_their_events():
    answers = (((2.0, 5.0), "the red circle spins"), ((4.0, 8.0), "the blue star spins"))
    standing = Standing("tell me whenever something spins", answers, ("kind",))
    for seed in range(40):
        sample = sampled(standing, 10.0, np.random.default_rng(seed))
        replies = due(sample, labels(sample, 2.0), str.split, 2.0)
        for reply, ((start, end), text) in zip(replies, answers, strict=True):
            assert " ".join(reply.words) == text
            assert (start + end) / 2 <= (reply.tick + 1) / 2 <= start + 0.75 * (end - start) + 0.5
            assert reply.first == start * 2
    assert sampled(Standing("a", (), ()), 10.0, np.random.default_rng(0)) is None
