"""Questions from captions: what is asked, what counts as a reply, and work that goes on where it stopped."""

from __future__ import annotations

import json
import threading

import pytest

from kairos.endpoint import Endpoint
from kairos.errors import EndpointError, TimelineError
from kairos.timeline import Answer, Moment, Timeline
from kairos.train.magqa import parse, question, questions

CAPTIONS = Timeline(
    [
        Answer("caption", text="He shoots.", moments=[Moment(8.0, 9.0)]),
        Moment(0.0, 2.0, label="Players warm up."),
        Moment(3.0, 5.0, label="A crowd cheers."),
        Moment(5.0, 6.0),
    ],
    "a.mp4",
    10.0,
)
ANSWERS = ["They warm up.", "Not Mentioned.", "He shoots."]


def reply(answers=ANSWERS, question="What do the players do?", **more) -> str:
    return json.dumps({"question": question, "answers": answers, **more})


def says(text):
    """A model that says the same to everybody."""
    return lambda messages, parse: parse(text)


def test_a_question_with_its_answers_where_they_come_true():
    asked = []

    def ask(messages, parse):
        asked.append(messages)
        return parse(reply())

    standing = question(CAPTIONS, ask)
    assert standing == Answer(
        "watch",
        "What do the players do?",
        moments=(Moment(0.0, 2.0, label="They warm up."), Moment(8.0, 9.0, label="He shoots.")),
        video="a.mp4",
        duration=10.0,
    )
    system, user = asked[0]
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == "1. Players warm up.\n2. A crowd cheers.\n3. He shoots."
    assert "Not Mentioned." in system["content"]


def test_without_captions_nobody_is_asked():
    with pytest.raises(TimelineError, match=r"b\.mp4 has no captions"):
        question(Timeline([Moment(0, 1)], "b.mp4", 4.0), says("never"))


@pytest.mark.parametrize("wrap", ["{}", "  {}\n", "```json\n{}\n```", "```\n{}\n```\n"])
def test_the_object_may_stand_in_a_fence(wrap):
    assert parse(wrap.replace("{}", reply()), 3) == ("What do the players do?", tuple(ANSWERS))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sure! " + reply(), "not one JSON object"),
        (reply() + reply(), "not one JSON object"),
        ("[" * 100_000, "not one JSON object"),
        ("", "not one JSON object"),
        ("[]", "must be an object"),
        (json.dumps({"question": "what?"}), "must be an object"),
        (reply(note="x"), "must be an object"),
        (reply(question=" "), "question is not words"),
        (reply(question=3), "question is not words"),
        (reply(answers="They warm up."), "list of sentences"),
        (reply(answers=["a", None, "b"]), "list of sentences"),
        (reply(answers=["a", "", "b"]), "list of sentences"),
        (reply(answers=["a", "b"]), "2 answers to 3 captions"),
        (reply(answers=["a", "b", "c", "d"]), "4 answers to 3 captions"),
        (reply(answers=["Not Mentioned."] * 3), "no caption answers"),
    ],
)
def test_anything_else_is_no_reply(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text, 3)


def timelines(count: int) -> list[Timeline]:
    return [
        Timeline([Moment(0, 1, label=f"caption {k}"), Moment(1, 2, label="b")], f"{k}.mp4", 9.0)
        for k in range(count)
    ]


class Replies:
    """Stands for the network below an endpoint: counts requests, answers each by the number in its first caption."""

    def __init__(self, monkeypatch, text):
        self.sent, self.lock = [], threading.Lock()
        replies = self

        def send(endpoint, request):
            k = int(request["messages"][1]["content"].split("\n")[0].rsplit(" ", 1)[1])
            with replies.lock:
                replies.sent.append(k)
            return {"choices": [{"message": {"content": text(k)}}]}

        monkeypatch.setattr(Endpoint, "_send", send)


def written(k: int) -> str:
    return reply([f"answer {k}", "Not Mentioned."], f"question {k}?")


def test_many_are_asked_at_a_time_and_stay_in_order(monkeypatch):
    Replies(monkeypatch, written)
    counts = []
    found = questions(
        timelines(20),
        Endpoint("http://h/v1", "m").parsed,
        parallel=4,
        progress=lambda *done: counts.append(done),
    )
    assert [answer.query for answer in found] == [f"question {k}?" for k in range(20)]
    assert [answer.video for answer in found] == [f"{k}.mp4" for k in range(20)]
    assert counts == [(k, 20) for k in range(1, 21)]


def test_what_was_replied_is_not_asked_again(monkeypatch, tmp_path):
    ask = Endpoint("http://h/v1", "m", cache=tmp_path, retries=0, backoff_s=0).parsed

    def until_seven(k):
        if k >= 7:
            raise EndpointError("cannot be reached", url="http://h/v1")
        return written(k)

    first = Replies(monkeypatch, until_seven)
    with pytest.raises(EndpointError, match="cannot be reached"):
        questions(timelines(12), ask, parallel=1)
    assert first.sent == [*range(8)]  # and nobody after the failure
    second = Replies(monkeypatch, written)
    found = questions(timelines(12), ask, parallel=1)
    assert second.sent == [*range(7, 12)]
    assert [answer.query for answer in found] == [f"question {k}?" for k in range(12)]


def test_a_reply_that_is_not_as_asked_costs_its_own_video_only(monkeypatch, tmp_path):
    ask = Endpoint("http://h/v1", "m", cache=tmp_path, retries=1, backoff_s=0).parsed
    replies = Replies(monkeypatch, lambda k: "I cannot." if k == 1 else written(k))
    good, bad, last = questions(timelines(3), ask, parallel=1)
    assert replies.sent == [0, 1, 1, 2]  # asked again, in vain
    assert isinstance(bad, EndpointError)
    assert (good.query, last.query) == ("question 0?", "question 2?")
