"""What a task gives back for what is there, what is not there, and words that the model does not know."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from fakes import ColourModel, PaintedVideo

from kairos.errors import InputError, ModelError, OptionError
from kairos.tasks import TASKS, ask, caption, ground, highlight


@pytest.fixture
def video():
    return PaintedVideo(
        12.0, [(2.0, 4.0, "red"), (6.0, 7.0, "green"), (9.0, 10.0, "red")], sound=[(6.0, 7.0)]
    )


@pytest.fixture
def model():
    return ColourModel()


def spans(answer):
    return [(moment.start, moment.end) for moment in answer.moments]


def test_ground_returns_moments_best_first(model, video):
    answer = ground(model, video, "the red")
    assert sorted(spans(answer)) == [(2.0, 4.0), (9.0, 10.0)]
    assert [m.score for m in answer.moments] == sorted((m.score for m in answer.moments), reverse=True)
    assert answer.kind == "ground"
    assert answer.query == "the red"
    assert (answer.video, answer.duration, answer.model) == ("painted.mp4", 12.0, "colours")
    assert answer.curve.at(3.0) > 0.9
    assert answer.curve.at(11.5) < 0.1


def test_ask_cites_the_moments_that_ground_finds(model, video):
    answer = ask(model, video, "what is red ?")
    assert answer.text == "it is what is red ?"
    assert answer.moments == ground(model, video, "what is red ?").moments
    assert answer.confidence == 0.9


def test_an_answer_about_what_is_not_there_cites_nothing(model, video, monkeypatch):
    says_no = SimpleNamespace(text="no", confidence=0.8, abstained=False)
    monkeypatch.setattr("fakes.ColourSession.reply", lambda self, max_words: says_no)
    answer = ask(model, video, "is it blue ?")
    assert (answer.text, answer.abstained, answer.moments) == ("no", False, ())


def test_ask_keeps_to_the_words_it_may_use(model, video):
    assert ask(model, video, "what is red ?", max_words=3).text == "it is what"


def test_top_limits_the_moments(model, video):
    assert len(ground(model, video, "red", top=1).moments) == 1


def test_moments_of_a_part_are_on_the_videos_clock(model, video):
    assert spans(ground(model, video, "red", start=8.5, end=12.0)) == [(9.0, 10.0)]


@pytest.mark.parametrize("task", [ask, ground, highlight])
def test_what_is_not_in_the_video_gets_no_moment(task, model, video):
    answer = task(model, video, "when is it blue ?")
    assert answer.abstained
    assert answer.moments == ()
    assert answer.text == "not in this video: when is it blue ?"
    part = task(model, video, "when is it green ?", start=8.0)
    assert part.text.startswith("not in this part of the video")


@pytest.mark.parametrize("task", [ask, ground, highlight])
def test_unknown_words_are_named_with_the_way_to_a_larger_model(task, model, video):
    answer = task(model, video, "when is the dragon red ?")
    assert answer.unknown_words == ("dragon",)
    assert answer.abstained
    assert answer.moments == ()
    assert '"dragon"' in answer.text
    assert f"kairos {task.name} ... --model PATH" in answer.text
    assert video.asked == []


def test_highlight_about_a_query_follows_relevance(model, video):
    answer = highlight(model, video, "green")
    (peak,) = answer.moments
    assert 5.5 <= peak.start < peak.end <= 8.0
    assert answer.curve.values.max() == 1.0


def test_highlight_without_a_query_follows_what_is_informative(model, video):
    answer = highlight(model, video)
    assert answer.curve.name == "informative"
    (peak,) = answer.moments
    assert peak.contains(6.75)


def test_the_temporal_head_is_asked_by_name(model, video, monkeypatch):
    def saliency(session):
        score = np.linspace(0, 1, session.ticks)
        return score, [(2.0, 3.5, 0.75), (6.0, 7.0, 0.5)]

    monkeypatch.setattr(type(model.session()), "saliency", saliency, raising=False)
    found = ground(model, video, "red", head="temporal")
    assert spans(found) == [(2.0, 3.5), (6.0, 7.0)]
    assert found.curve.name == "saliency"
    shown = highlight(model, video, "red", head="temporal")
    assert shown.curve.name == "saliency"
    assert shown.curve.values[-1] == 1.0


def test_a_model_without_a_temporal_head_says_so(model, video):
    with pytest.raises(ModelError, match="no temporal head"):
        ground(model, video, "red", head="temporal")
    with pytest.raises(OptionError, match="give track or temporal"):
        ground(model, video, "red", head="strong")


def test_a_flat_score_has_no_highlight(model):
    answer = highlight(model, PaintedVideo(5.0, []))
    assert answer.moments == ()
    assert answer.abstained
    assert "nothing stands out" in answer.text


def test_captions_come_in_the_order_of_time(model, video):
    answer = caption(model, video)
    assert spans(answer) == [(2.0, 4.0), (6.0, 7.0), (9.0, 10.0)]
    assert [m.label for m in answer.moments] == [f"the picture is {c}" for c in ("red", "green", "red")]
    assert answer.text.count(";") == 2


def test_nothing_to_tell_is_said(model):
    answer = caption(model, PaintedVideo(5.0, []))
    assert answer.abstained
    assert answer.text


def test_notes_reach_the_answer(model):
    answer = ground(model, PaintedVideo(9.0, [(1.0, 2.0, "red")], watermark=5.0), "red")
    assert answer.notes == ("the file is damaged: 5.0 s - 9.0 s could not be decoded",)
    assert spans(answer) == [(1.0, 2.0)]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("fps", -3),
        ("fps", 0),
        ("fps", float("nan")),
        ("fps", float("inf")),
        ("fps", "fast"),
        ("fps", True),
        ("start", -1),
        ("start", float("nan")),
        ("end", 0),
        ("top", 0),
        ("top", 2.5),
        ("top", 1000),
    ],
)
def test_an_absurd_option_is_named_with_its_range(model, video, option, value):
    with pytest.raises(OptionError, match=rf"--{option} .* out of range \(give a ") as caught:
        ground(model, video, "red", **{option: value})
    assert caught.value.option == option
    assert video.asked == []


def test_an_end_before_the_start_is_refused(model, video):
    with pytest.raises(OptionError, match="--end 3 is not after --start 5"):
        ground(model, video, "red", start=5, end=3)


def test_an_unknown_option_is_refused_with_those_that_exist(model, video):
    with pytest.raises(OptionError, match=r"ground has no option fsp .*start, end, fps, top, head"):
        ground(model, video, "red", fsp=2)


@pytest.mark.parametrize("query", [None, "", "  \n"])
def test_a_missing_query_is_refused(model, video, query):
    with pytest.raises(InputError, match="ask needs a query"):
        ask(model, video, query)


def test_a_query_that_is_not_wanted_is_refused(model, video):
    with pytest.raises(InputError, match="caption takes no query"):
        caption(model, video, "red")


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_the_schema_describes_every_argument_and_accepts_what_the_task_accepts(task):
    schema = task.schema()
    parameters = schema["parameters"]
    assert schema["name"] == task.name
    assert parameters["required"] == (["video", "query"] if task.query == "required" else ["video"])
    assert set(parameters["properties"]) - {"video", "query"} == {option.name for option in task.options}
    for name, described in parameters["properties"].items():
        assert described["description"]
        if name in ("video", "query"):
            continue
        option = task.option(name)
        assert option.check(None) == described.get("default")
        if described["type"] == "array":
            assert option.check([1, 2, 3, 4]) == (1.0, 2.0, 3.0, 4.0)
            with pytest.raises(OptionError, match=f"--{option.flag} 4,3,2,1 is no box"):
                option.check([4, 3, 2, 1])
            continue
        if described["type"] in ("string", "boolean"):
            for value in described.get("enum", (True, False)):
                assert option.check(value) == value
            for wrong in ("perhaps", 1):
                with pytest.raises(OptionError, match=f"--{option.flag} {wrong} is not known"):
                    option.check(wrong)
            continue
        low, high = described.get("minimum", described.get("exclusiveMinimum")), described.get("maximum")
        if "exclusiveMinimum" in described:
            with pytest.raises(OptionError):
                option.check(low)
        else:
            assert option.check(low) == low
        if high is not None:
            assert option.check(high) == high
            with pytest.raises(OptionError):
                option.check(high + 1)
