from __future__ import annotations

import json
import os

import numpy as np
import pytest
from official import shared

from kairos.errors import TimelineError
from kairos.score import java
from kairos.score.sentences import bleu, cider, rouge_l, tokens

java_wanted = pytest.mark.skipif(
    "KAIROS_JAVA" not in os.environ or not java.available(),
    reason=f"METEOR takes half a minute to start: set KAIROS_JAVA=1; {java.WAY_OUT}",
)

GOOD, BAD = "a man opens the red door", "two dogs run over green grass"


def nlgeval() -> tuple[dict[str, dict[str, object]], list[str], list[list[str]]]:
    folder = shared("metrics/caption_nlgeval")
    pred = (folder / "predictions/hyp.txt").read_text().strip().split("\n")
    refs = [(folder / f"ground_truth/ref{k}.txt").read_text().strip().split("\n") for k in (1, 2)]
    expected = json.loads((folder / "expected/published.json").read_text())
    return expected, pred, [list(group) for group in zip(*refs, strict=True)]


def test_nlgeval_to_the_last_printed_digit():
    expected, pred, refs = nlgeval()
    wanted = expected["corpus"]
    for k, value in enumerate(bleu(pred, refs), start=1):
        assert round(value, 6) == wanted[f"Bleu_{k}"]
    assert round(float(rouge_l(pred, refs).mean()), 6) == wanted["ROUGE_L"]
    assert round(float(cider(pred, refs).mean()), 6) == wanted["CIDEr"]


def test_nlgeval_of_one_sentence():
    expected, _, _ = nlgeval()
    wanted = expected["single"]
    pred, refs = [wanted["hyp"]], [wanted["ref"]]
    for k, value in enumerate(bleu(pred, refs), start=1):
        assert value == pytest.approx(wanted[f"Bleu_{k}"], abs=1e-6)
    assert rouge_l(pred, refs)[0] == pytest.approx(wanted["ROUGE_L"], abs=1e-6)
    assert cider(pred, refs)[0] == wanted["CIDEr"] == 0.0


@java_wanted
def test_meteor_as_nlgeval_prints_it():
    expected, pred, refs = nlgeval()
    with java.Meteor() as meteor:
        assert round(meteor.scores(pred, refs)[0], 6) == expected["corpus"]["METEOR"]
        one = expected["single"]
        assert round(meteor.scores([one["hyp"]], [one["ref"]])[0], 8) == one["METEOR"]
        assert meteor.scores([], []) == (0.0, [])


@java_wanted
def test_tokens_agree_with_the_reference_tokenizer():
    document = json.loads(shared("annotations/youcook2/yc2_val.json").read_text())
    sentences = [text for entry in document.values() for text in entry["sentences"]]
    sentences += ["Don't stop, he's here; she can't (really) go.", "It is 3.5 kg - a well-known fact!"]
    theirs = java.treebank(sentences)
    same = np.mean([tokens(text) == other for text, other in zip(sentences, theirs, strict=True)])
    assert same > 0.99


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Don't stop, he's here.", "do n't stop he 's here"),
        ("A well-known  man!", "a well-known man"),
        ('He (a "man") left.', "he -lrb- a man -rrb- left"),
        ("", ""),
        ("...", ""),
    ],
)
def test_tokens(text, wanted):
    assert tokens(text) == wanted


def test_cider_of_the_same_and_of_other_words():
    same, other = cider([GOOD, BAD], [[GOOD], [BAD]]), cider([GOOD, BAD], [[BAD], [GOOD]])
    np.testing.assert_allclose(same, 10.0)
    np.testing.assert_allclose(other, 0.0)
    assert 0 < cider([GOOD + " again", BAD], [[GOOD], [BAD]])[0] < 10
    assert cider([""], [[GOOD]])[0] == 0.0


def test_cider_takes_its_weights_from_a_corpus():
    assert cider([GOOD], [[GOOD]])[0] == 0.0  # nothing is telling in a corpus of one
    assert cider([GOOD], [[GOOD]], corpus=[[GOOD], [BAD]])[0] == pytest.approx(10.0)


def test_what_is_refused():
    with pytest.raises(TimelineError, match="list of references"):
        cider([GOOD], [])
    with pytest.raises(TimelineError, match="list of references"):
        bleu([GOOD], [GOOD])
