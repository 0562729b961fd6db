"""Watching: when turns come, on which clock, what may happen meanwhile, and how it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from duets import DuetModel, Playing, ticks

from kairos.errors import InputError, OptionError, VideoError
from kairos.model.trigger import PRESETS, Trigger
from kairos.tasks import TASKS, caption, watch
from kairos.tasks.events import Ended, Noticed, Scored, Started, to_dict
from kairos.tasks.stream import CHUNK_TICKS
from kairos.tasks.watch import NARRATE
from kairos.tasks.watching import Watch
from kairos.timeline import Timeline, Turn
from kairos.timeline.journal import Journal
from kairos.video.tick import Notice

RED = [None, None, "red", "red", None, "green", "red", None]


@pytest.fixture
def model():
    return DuetModel()


def opened(model, source, *queries, preset="magqa", journal=None, trigger=None, **options):
    """A watch of a source laid out by hand."""
    started = Started(
        source="a.mp4", model="colours", fps=2.0, preset=preset, heads="track", queries=queries or ("red",)
    )
    options = {"heads": "track", "keep_replies": False, "window": None} | options
    duet = model.duet(trigger=trigger or PRESETS[preset], **options)
    return Watch(model, duet, source, started, journal=journal, trigger=trigger)


def told(watching):
    return [(turn.time, turn.text, turn.query) for turn in watching]


def until_it_breaks(events):
    """What came before the error, and the error."""
    seen = []
    try:
        for event in events:
            seen.append(event)
    except BaseException as error:
        return seen, error
    raise AssertionError("nothing broke")


# turns -------------------------------------------------------------------------------------------------------


def test_turns_come_at_the_end_of_the_tick_that_triggered_them(model):
    watching = opened(model, Playing(ticks(RED[:5])), "when is it red ?")
    assert told(watching) == [(1.5, "the picture is red", "when is it red ?")]


def test_each_turn_names_its_query_and_the_scores_that_triggered_it(model):
    watching = opened(model, Playing(ticks(RED)), "red", "green", trigger=Trigger(threshold=1.5))
    assert told(watching) == [
        (1.5, "the picture is red", "red"),
        (3.0, "the picture is green", "green"),
        (3.5, "the picture is red", "red"),
    ]
    asked, _, said, *_ = watching.timeline
    assert (asked.role, asked.id) == ("user", "query-0")
    assert said.parents == ("query-0",)
    assert said.confidence == 0.9
    assert (said.extra["relevance"], said.extra["informative"]) == (1.0, 1.0)


@pytest.mark.parametrize("chunk", [1, 3, 5, 16])
def test_turns_do_not_depend_on_how_ticks_come(model, chunk, monkeypatch):
    monkeypatch.setattr("kairos.tasks.watching.CHUNK_TICKS", chunk)
    colours = [None, "red", "red", "green", None] * 8
    watching = opened(model, Playing(ticks(colours)), "red", "what is it ?")
    assert told(watching) == told(
        opened(DuetModel(), Playing(ticks(colours), paced=True), "red", "what is it ?")
    )
    assert max(model.duets[0].chunks) == chunk


def test_a_file_goes_in_chunks_and_what_is_paced_as_it_comes(model):
    list(opened(model, Playing(ticks([None] * 20))))
    assert model.duets[-1].chunks == [CHUNK_TICKS, 20 - CHUNK_TICKS]
    two, three = ticks([None] * 2), ticks([None] * 3, start=2)
    list(opened(model, Playing([*two, None, *three, None], paced=True)))
    assert model.duets[-1].chunks == [2, 3], "a backlog is taken at once"


def test_times_stay_on_the_videos_clock_where_ticks_were_dropped(model):
    late = [tick._replace(dropped=6 if k == 0 else 0) for k, tick in enumerate(ticks(["red"], start=8))]
    watching = opened(model, Playing([*ticks([None, None]), *late]), trigger=Trigger(threshold=1.0))
    (turn,) = watching
    assert turn.time == 4.5
    assert (watching.ticks, watching.dropped, watching.time) == (3, 6, 4.5)
    (answer,) = watching.answers()
    assert answer.curve.times.tolist() == [0.5, 1.0, 4.5]


def test_the_last_tick_ends_with_the_file(model):
    watching = opened(model, Playing(ticks([None, "red"]), duration=0.8))
    (turn,) = watching
    assert turn.time == 0.8
    assert watching.duration == 0.8


def test_sound_that_stops_becomes_silence(model):
    import numpy as np

    loud = np.full(4000, 0.5, np.float32)
    first, second = ticks([None, None])
    list(opened(model, Playing([first._replace(audio=loud), second])))
    assert model.duets[0].loudest == 0.5


# events ------------------------------------------------------------------------------------------------------


def test_events_tell_everything_in_order(model):
    notice = Notice(1.0, "stall", "nothing came for 3 s")
    watching = opened(model, Playing([*ticks([None, "red"]), notice, None]), trigger=Trigger(threshold=1.0))
    events = list(watching.events())
    assert [type(event) for event in events] == [Started, Turn, Noticed, Scored, Turn, Ended]
    documents = [to_dict(event) for event in events]
    assert [document["event"] for document in documents] == [
        "start",
        "turn",
        "notice",
        "scores",
        "turn",
        "end",
    ]
    assert documents[0]["queries"] == ("red",)
    assert documents[1] == {
        "event": "turn", "role": "user", "text": "red", "time": 0.0, "query": None, "confidence": None, "id": "query-0"
    }  # fmt: skip
    assert documents[2] == {"event": "notice", "time": 1.0, "kind": "stall", "text": "nothing came for 3 s"}
    assert documents[3] == {
        "event": "scores", "query": 0, "times": (0.5, 1.0), "relevance": (0.0, 1.0), "informative": (0.0, 1.0)
    }  # fmt: skip
    assert documents[4]["relevance"] == 1.0
    assert documents[5] == {
        "event": "end",
        "time": 1.0,
        "ticks": 2,
        "turns": 1,
        "dropped": 0,
        "reason": "end",
    }
    assert watching.answers()[0].notes == ("nothing came for 3 s",)


def test_notices_come_while_the_source_gives_nothing(model):
    """A stall is told when it happens, not when it is over."""
    source = Playing([Notice(0.0, "stall", "nothing comes"), None, *ticks(["red"])], paced=True)
    events = opened(model, source).events()
    assert [type(next(events)) for _ in range(3)] == [Started, Turn, Noticed]
    assert len(source.entries) == 1


def test_that_a_file_ends_is_no_news_but_that_a_stream_does(model):
    for duration, expected in ((1.0, []), (None, ["it has ended"])):
        source = Playing([*ticks([None, None]), Notice(1.0, "end", "it has ended"), None], duration=duration)
        events = list(opened(model, source).events())
        assert [event.text for event in events if isinstance(event, Noticed)] == expected


def test_damage_is_told_at_the_end(model):
    source = Playing(ticks([None] * 4), duration=4.0)
    source.video = SimpleNamespace(duration=4.0, watermark=2.0, gaps=())
    watching = opened(model, source)
    *_, noticed, ended = watching.events()
    assert noticed.text == "the file is damaged: 2.0 s - 4.0 s could not be decoded"
    assert ended.time == 2.0
    assert watching.answers()[0].notes == (noticed.text,)


def test_scores_are_told_where_memory_is_shorter_than_a_chunk(model):
    watching = opened(model, Playing(ticks([None, None, "red"])), window=2)
    (scored,) = (event for event in watching.events() if isinstance(event, Scored))
    assert scored.times == (1.0, 1.5)


# questions ---------------------------------------------------------------------------------------------------


def test_a_query_may_come_at_any_time_and_counts_from_then(model):
    source = Playing([])
    watching = opened(model, source, "red")
    source.entries.extend([*ticks(["green"]), lambda: watching.say("what  is green ?"), None])
    source.entries.extend(ticks([None, "green"], start=1))
    assert told(watching) == [(1.5, "the picture is green", "what is green ?")]
    assert watching.queries == ("red", "what is green ?")
    asked = [record for record in watching.timeline if isinstance(record, Turn) and record.role == "user"]
    assert [(turn.time, turn.text) for turn in asked] == [(0.0, "red"), (0.5, "what is green ?")]
    assert watching.answers()[1].curve.times.tolist() == [1.0, 1.5]


def test_a_query_may_come_from_another_thread(model):
    source = Playing([])
    watching = opened(model, source, "red")

    def ask():
        thread = threading.Thread(target=watching.say, args=("green",))
        thread.start()
        thread.join()

    source.entries.extend([ask, None, *ticks(["green"])])
    assert [turn.query for turn in watching] == ["green"]


def test_words_that_the_model_does_not_know_are_named(model):
    source = Playing([])
    watching = opened(model, source, "red")
    source.entries.extend([lambda: watching.say("the dragon is red"), None, *ticks(["red"])])
    refusal, said = watching
    assert refusal.text.startswith('this model does not know "dragon"')
    assert refusal.text.endswith("kairos watch ... --model PATH")
    assert (refusal.query, refusal.extra["unknown_words"]) == ("the dragon is red", ["dragon"])
    assert said.query == "red"
    assert watching.queries == ("red",)


def test_where_no_query_is_understood_nothing_is_watched(model):
    source = Playing(ticks(["red"]))
    watching = opened(model, source, "the dragon", "a unicorn")
    assert ["dragon" in turn.text for turn in watching] == [True, False]
    assert (watching.ticks, len(source.entries)) == (0, 1)
    assert source.closed


def test_a_query_that_cannot_be_put_does_not_end_the_watching(model):
    long = "red " * 60
    with pytest.raises(InputError, match="longer than the window"):
        opened(model, Playing([]), long)
    source = Playing([])
    watching = opened(model, source, "red")
    source.entries.extend([lambda: watching.say(long), None, *ticks(["red"])])
    events = list(watching.events())
    (refused,) = (event for event in events if isinstance(event, Noticed))
    assert (refused.kind, "longer than the window" in refused.text) == ("refused", True)
    assert events[-1].turns == 1


@pytest.mark.parametrize("query", ["", "  \n", None, 7, "\udcff"])
def test_what_is_no_query(model, query):
    watching = opened(model, Playing([]))
    with pytest.raises(InputError, match="empty or no text"):
        watching.say(query)
    list(watching)
    with pytest.raises(InputError, match="it is over"):
        watching.say("red")


# the end -----------------------------------------------------------------------------------------------------


def test_a_source_that_breaks_loses_nothing_that_came_before(model, tmp_path):
    path = tmp_path / "a.jsonl"
    source = Playing([*ticks([None, "red"]), VideoError("the stream broke off")])
    watching = opened(model, source, journal=Journal(path), trigger=Trigger(threshold=1.0))
    events, error = until_it_breaks(watching.events())
    assert (type(error), str(error)) == (VideoError, "the stream broke off")
    assert [type(event) for event in events] == [Started, Turn, Scored, Turn, Noticed, Ended]
    assert (events[-2].kind, events[-1].reason) == ("failed", "failed")
    assert source.closed
    assert [turn.text for turn in Timeline.from_jsonl(path).filter("turn")] == ["red", "the picture is red"]
    assert list(watching.events()) == [], "an error is told once"


def test_a_model_that_breaks_is_an_error_too(model, monkeypatch):
    monkeypatch.setattr("duets.ColourDuet.see", lambda *_: 1 / 0)
    source = Playing(ticks(["red"]))
    with pytest.raises(ZeroDivisionError):
        list(opened(model, source))
    assert source.closed


def test_leaving_the_loop_ends_it_and_finishes_the_file(model, tmp_path):
    path = tmp_path / "a.jsonl"
    source = Playing(ticks(["red", None, None, "red"] * 40))
    with opened(model, source, journal=Journal(path)) as watching:
        for turn in watching:
            assert Timeline.from_jsonl(path)[-1].role == "assistant", "written before it is told"
            assert turn.time == 0.5
            break
    assert source.closed
    saved = Timeline.from_jsonl(path)
    assert saved == watching.timeline
    assert saved.duration == watching.time == CHUNK_TICKS / 2
    assert isinstance(list(watching.events())[-1], Ended)
    watching.close()


def test_ctrl_c_is_an_end_like_any_other(model, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    path = tmp_path / "a.jsonl"
    source = Playing([*ticks(["red"]), None, interrupt])
    watching = opened(model, source, journal=Journal(path))
    with pytest.raises(KeyboardInterrupt), watching:
        list(watching)
    assert list(watching.events())[-1].reason == "interrupted"
    assert [turn.text for turn in Timeline.from_jsonl(path).filter("turn")] == ["red", "the picture is red"]


def test_closing_from_another_thread_ends_a_source_that_gives_nothing(model):
    source = Playing([])
    watching = opened(model, source)

    def nothing():
        time.sleep(0.001)
        source.entries.extend([nothing, None])

    nothing()
    threading.Timer(0.05, watching.close).start()
    assert list(watching.events())[-1].reason == "closed"
    assert source.closed


def test_a_disk_that_is_full_is_told_and_loses_no_turn(model, tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    watching = opened(model, Playing(ticks(["red"])), journal=Journal(path))
    monkeypatch.setattr("kairos.timeline.Timeline.to_jsonl", lambda *_: 1 / 0)
    seen, error = until_it_breaks(watching.events())
    assert isinstance(error, ZeroDivisionError)
    assert isinstance(seen[-1], Ended)
    assert len(Timeline.from_jsonl(path)) == 2


# async -------------------------------------------------------------------------------------------------------


def test_async_for_gives_the_same_turns_and_leaves_the_loop_free(model):
    colours = [None, "red", None, None, "green", None] * 20
    expected = told(opened(DuetModel(), Playing(ticks(colours)), "what is it ?"))
    threads = set()
    source = Playing([lambda: threads.add(threading.current_thread()), *ticks(colours)])

    async def main():
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(beat())
        turns = []
        with opened(model, source, "what is it ?") as watching:
            async for turn in watching:
                turns.append((turn.time, turn.text, turn.query))
        task.cancel()
        return turns, beats

    turns, beats = asyncio.run(main())
    assert turns == expected
    assert beats > 5
    assert threading.current_thread() not in threads


def test_async_a_query_may_come_at_any_time_and_errors_arrive(model):
    async def main():
        source = Playing([])
        watching = opened(model, source, "red")
        source.entries.extend(
            [*ticks(["red", None]), None, *ticks(["green"], start=2), None, VideoError("gone")]
        )
        try:
            async for turn in watching:
                turns.append(turn.query)
                if len(turns) == 1:
                    watching.say("green")
        except VideoError as error:
            return str(error)

    turns = []
    assert asyncio.run(main()) == "gone"
    assert turns == ["red", "green"]


# presets -----------------------------------------------------------------------------------------------------


def test_magqa_answers_with_every_turn_pinned_to_its_tick(model):
    watching = opened(model, Playing(ticks(RED)), "what is it ?", trigger=Trigger(threshold=1.5))
    list(watching)
    (answer,) = watching.answers()
    assert (answer.kind, answer.query, answer.abstained) == ("watch", "what is it ?", False)
    assert [(m.start, m.end, m.label) for m in answer.moments] == [
        (1.0, 1.5, "the picture is red"),
        (2.5, 3.0, "the picture is green"),
        (3.0, 3.5, "the picture is red"),
    ]
    assert answer.text == "the picture is red; the picture is green; the picture is red"
    assert answer.duration == 4.0


def test_caption_answers_with_steps(model):
    colours = ["red", None, None, "green", None, "red"]
    watching = opened(
        model,
        Playing(ticks(colours)),
        NARRATE,
        preset="caption",
        trigger=Trigger(heads=("informative",), total=0.5),
    )
    list(watching)
    (answer,) = watching.answers()
    assert answer.kind == "caption"
    assert [(m.start, m.end, m.label) for m in answer.moments] == [
        (0.0, 0.5, "the picture is red"),
        (0.5, 2.0, "the picture is green"),
        (2.0, 3.0, "the picture is red"),
    ]
    assert answer.curve.name == "informative"


def test_ground_answers_with_runs_of_smoothed_relevance(model):
    colours = [None] * 20 + ["red"] * 20 + [None] * 20
    colours[30] = None  # which smoothing bridges
    watching = opened(model, Playing(ticks(colours)), "red", preset="ground")
    assert len(list(watching)) == 1, "once it is there it is told, and not again"
    (answer,) = watching.answers()
    (moment,) = answer.moments
    assert (answer.kind, moment.start, moment.end) == ("ground", 10.0, 20.0)
    assert answer.text == "from 10.0 s to 20.0 s"
    nothing = opened(model, Playing(ticks([None] * 5)), "red", preset="ground")
    assert list(nothing) == []
    assert nothing.answers()[0].abstained


def test_highlight_stretches_what_there_is(model):
    watching = opened(model, Playing(ticks([None] * 10 + ["red"] + [None] * 10)), "red", preset="highlight")
    list(watching)
    (answer,) = watching.answers()
    assert answer.curve.values.max() == 1.0
    assert [(m.start, m.end) for m in answer.moments] == [(4.0, 6.5)], "two ticks on both sides of the one"


# what is asked for -------------------------------------------------------------------------------------------


@pytest.fixture
def source(monkeypatch):
    """Puts a source laid out by hand in the place of the real ones; holds what it was opened with."""
    playing = Playing(ticks(["red"]))
    playing.asked = SimpleNamespace()

    def live(name, **options):
        playing.asked = SimpleNamespace(name=name, **options)
        return playing

    monkeypatch.setattr("kairos.video.live", live)
    return playing


def test_the_source_is_opened_as_the_model_needs_it(model, source, tmp_path):
    turns = list(watch(model, "rtsp://camera", "red", network=True, save=tmp_path / "a.jsonl"))
    assert [turn.text for turn in turns] == ["the picture is red"]
    assert vars(source.asked) == {
        "name": "rtsp://camera",
        "fps": 2.0,
        "size": 16,
        "audio_rate": 8000,
        "realtime": False,
        "network": True,
        "rate": None,
    }
    assert Timeline.from_jsonl(tmp_path / "a.jsonl").video == "rtsp://camera"
    assert model.duets[0].window == 1200, "what has no end is not remembered whole"


def test_a_video_or_a_path_is_a_source(model, source, tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    list(watch(model, SimpleNamespace(path=str(path), sample=None), "red"))
    assert source.asked.name == str(path)
    assert model.duets[0].window is None
    list(watch(model, path, "red", window=30))
    assert source.asked.name == str(path)
    assert model.duets[1].window == 60


@pytest.mark.parametrize("wrong", [None, 7, "", b"", ["a.mp4"]])
def test_what_is_no_source(model, source, wrong):
    with pytest.raises(InputError, match="no source"):
        watch(model, wrong, "red")


@pytest.mark.parametrize(
    ("options", "trigger"),
    [
        ({}, PRESETS["magqa"]),
        ({"preset": "ground"}, PRESETS["ground"]),
        ({"preset": "caption", "threshold": 3}, Trigger(heads=("informative",), total=3.0)),
        ({"threshold": 0.8}, Trigger(threshold=0.8, repeats_s=PRESETS["magqa"].repeats_s)),
        ({"trigger": Trigger(total=1.0)}, Trigger(total=1.0)),
    ],
)
def test_a_preset_a_threshold_or_a_trigger_says_when_to_speak(model, source, options, trigger):
    watch(model, "a", "red", **options)
    assert model.duets[0].trigger == trigger


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "talk"}, r"--preset talk is not known \(give .*magqa or"),
        ({"preset": 7}, "--preset 7 is not known"),
        ({"threshold": -1}, "--threshold -1 is out of range"),
        ({"threshold": float("nan")}, "--threshold nan is out of range"),
        ({"heads": "hydra"}, r"--heads hydra is not known \(give track or context\)"),
        ({"window": 0}, "--window 0 is out of range"),
        ({"realtime": "yes"}, r"--realtime yes is not known \(give true or false\)"),
        ({"keep_replies": True}, "--keep-replies needs --heads context"),
        ({"fsp": 2}, "watch has no option fsp .*preset, threshold"),
        ({"trigger": Trigger(total=1.0), "threshold": 1.0}, "a trigger stands in place of"),
    ],
)
def test_an_absurd_option_is_named(model, source, options, message):
    with pytest.raises(OptionError, match=message):
        watch(model, "a", "red", **options)
    assert model.duets == []
    assert vars(source.asked) == {}


def test_a_missing_query_is_refused_but_for_captions(model, source):
    with pytest.raises(InputError, match="watch needs a query"):
        watch(model, "a")
    with pytest.raises(InputError, match="a query is empty"):
        watch(model, "a", "red", " ")
    assert watch(model, "a", preset="caption").queries == (NARRATE,)


def test_what_cannot_be_opened_or_written_leaves_nothing_open(model, source, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        watch(model, "a", "red", save=tmp_path / "none" / "a.jsonl")
    assert source.closed == 1
    with pytest.raises(InputError, match="longer than the window"):
        watch(model, "a", "red " * 60, save=tmp_path / "a.jsonl")
    assert source.closed == 2
    assert len(Timeline.from_jsonl(tmp_path / "a.jsonl")) == 0


def test_the_query_of_captions_is_one_that_the_world_teaches():
    from kairos.world.standing import EVERYTHING

    assert NARRATE in EVERYTHING


# as a task ---------------------------------------------------------------------------------------------------


def video():
    return SimpleNamespace(path="a.mp4", sample=None, duration=0.5)


def test_as_a_task_it_gives_one_answer_at_the_end(model, source):
    done = []
    answer = TASKS["watch"](model, video(), "red", progress=lambda *now: done.append(now))
    assert (answer.kind, answer.text, answer.video) == ("watch", "the picture is red", "a.mp4")
    assert done == [(0.5, 0.5)]
    refusal = TASKS["watch"](model, video(), "the dragon")
    assert refusal.unknown_words == ("dragon",)


def test_captions_live(model, source):
    answer = caption(model, video(), live=True)
    assert (answer.kind, answer.query) == ("caption", "")
    assert model.duets[0].trigger == PRESETS["caption"]
    with pytest.raises(OptionError, match="--start does not go with --live"):
        caption(model, video(), live=True, start=1.0)
