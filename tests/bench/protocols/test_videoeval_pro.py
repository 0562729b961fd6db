"""VideoEval-Pro: open answers that were judged, and the same questions with options."""

from __future__ import annotations

import pytest

from kairos.bench.protocols.scoring import match, score
from kairos.errors import AnnotationError


def line(number, video="v.mp4", **said):
    return {
        "video": video,
        "question": f"what is number {number} ?",
        "options": ["A. red", "B. blue", "C. green"],
        "answer": "B",
        "answer_text": "blue",
        "source": "lvbench" if number % 2 else "mlvu",
        "qa_type": "Local Perception",
        "qa_subtype": "Object Recognition",
        **said,
    }


def test_results_hold_their_questions(put):
    rows = [
        line(0, textqa_answer="blue", textqa_judge=True, mcq_answer="The answer is B."),
        line(1, textqa_answer="red", textqa_judge=False, mcq_answer="A blue thing, so B"),
        line(2, textqa_answer="navy", textqa_judge="A", mcq_answer="(b)"),
        line(
            3, textqa_answer="?", textqa_judge={"correct": False, "reason": "Failed"}, mcq_answer="Answer: C"
        ),
        {"stats": {"textqa_judge_true": 2, "total": 4}},
    ]
    found = score("videoeval-pro", put("judged.jsonl", rows), rounds=0)
    assert found.value("Open-ended") == 0.75  # the script counts a judge that failed as a yes
    assert found.value("Open-ended", way="strict") == pytest.approx(2 / 3)
    assert found.value("Multiple choice") == 0.5  # and reads the first letter of all
    assert found.value("Multiple choice", way="strict") == 0.5
    assert found.value("unread", way="strict") == 0.25
    assert found.value("lvbench", "source", "strict") == 0.0
    assert any("the judge failed" in note for note in found.report().notes)


def test_judged_lines_come_in_any_order(put):
    ref = put("set.json", [line(k) for k in range(3)])
    rows = [line(k, textqa_judge=grade) for k, grade in ((2, "CORRECT"), (0, "NOT ATTEMPTED"), (1, "b"))]
    found = score("videoeval-pro", put("p.jsonl", rows), ref, rounds=0)
    assert found.value("Open-ended") == pytest.approx(1 / 3)
    assert [row["scores"]["Open-ended"] for row in found.rows("strict")] == [0.0, 0.0, 1.0]
    with pytest.raises(KeyError):
        found.value("Multiple choice")


def test_what_was_not_judged_does_not_count(put):
    rows = [line(0, textqa_judge=True), line(1, mcq_answer="B")]
    found = score("videoeval-pro", put("p.jsonl", rows), rounds=0)
    assert found.value("Open-ended") == 1.0
    assert found.value("Multiple choice") == 1.0
    assert any("1 open answers were not judged" in note for note in found.report().notes)


def test_every_problem_is_told(put):
    rows = [line(0, textqa_judge="maybe"), line(1), line(2, options=[], textqa_judge=True)]
    with pytest.raises(AnnotationError) as caught:
        match("videoeval-pro", put("p.jsonl", rows))
    told = "\n".join(caught.value.errors)
    for part in (
        "p.jsonl:1: textqa_judge must be",
        "p.jsonl:2: needs textqa_judge or mcq_answer",
        "p.jsonl:3: needs options",
    ):
        assert part in told
