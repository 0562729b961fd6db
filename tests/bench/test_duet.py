"""The duet's benchmark: what is said in the stream's order, kept, replayed at thresholds, scored and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from fakes import COLOURS, ColourModel, ColourSession
from painted import write_clip
from tiny import TINY

from kairos.bench import duet, models, run
from kairos.bench.clips import Clip
from kairos.bench.duet import THRESHOLDS, scored
from kairos.bench.turns import CONTEXT, KEPT, TRACK, WHOLE, at_least, clips_of, replayed, told_by
from kairos.cli import main
from kairos.errors import OptionError
from kairos.model.trigger import PRESETS, Trigger
from kairos.score.duet import summary
from kairos.timeline import Answer, Timeline

RED, GREEN = ((1.0, 3.0), "the red circle blinks"), ((4.0, 6.0), "the green circle blinks")
ASKED = {"when is it red ?": [RED], "what is it ?": [RED, GREEN], "when is it blue ?": []}


def silence(done, total, what=None):
    pass


@dataclass
class Said:
    query: int
    time: float
    text: str
    confidence: float
    relevance: float
    informative: float


class ColourDuet:
    """Sees the colours that a query names, "what" names all; the longer one is there, the more informative."""

    def __init__(self, config, trigger, keep_replies):
        self.trigger, self.keep_replies, self.fps = trigger or PRESETS["magqa"], keep_replies, config.fps
        self.standing, self.ticks, self.length, self.runs = [], 0, None, {}

    def say(self, text, trigger=None):
        assert not self.ticks, "put before the video plays"
        named = [c for c in COLOURS if c in text] or [c for c in COLOURS if "what" in text]
        self.standing.append((named, (trigger or self.trigger).start()))
        return len(self.standing) - 1

    def see(self, frames, audio):
        said = []
        for frame in frames:
            self.ticks += 1
            mean = frame.reshape(-1, 3).mean(0)
            shown = [c for c, rgb in COLOURS.items() if np.abs(mean - rgb).mean() < 30]
            for q, (named, deciding) in enumerate(self.standing):
                on = [c for c in shown if c in named]
                self.runs[q] = self.runs.get(q, 0) + 1 if on else 0
                relevance, informative = (0.7, 0.2 * self.runs[q]) if on else (0.1, 0.0)
                text = f"the {on[0]} circle blinks" if on else "it blinks"
                time = self.ticks / self.fps
                if deciding.speaks(time, relevance, informative) and deciding.new(time, text):
                    said.append(Said(q, time, text, 0.9, relevance, informative))
        return said

    def end(self, duration_s):
        self.length = duration_s


class TellingSession(ColourSession):
    def answers(self, top=5):
        return sorted((a, b, f"the {self.query.split()[3]} circle blinks", s) for a, b, s in self.spans(top))


class DuetModel(ColourModel):
    def __init__(self):
        super().__init__()
        self.duets, self.sessions = [], 0

    def duet(self, *, trigger, heads, keep_replies, window):
        assert heads in ("track", "context")
        assert window in (None, 16)
        self.duets.append(ColourDuet(self.config, trigger, keep_replies))
        return self.duets[-1]

    def session(self):
        self.sessions += 1
        return TellingSession(self.config)

    @property
    def streams(self):
        """Duets in which anything was played; others only tell their preset."""
        return [d for d in self.duets if d.ticks]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standing")
    made = []
    for name, split in (("a", "test"), ("b", "test"), ("c", "composition")):
        path = write_clip(folder / f"{name}.mp4", [(a, b, text.split()[1]) for (a, b), text in (RED, GREEN)])
        rows = [
            {
                "kind": "watch",
                "query": query,
                "moments": [{"start": a, "end": b, "label": text} for (a, b), text in answers],
                "tags": ["everything" if "what" in query else "kind"],
            }
            for query, answers in ASKED.items()
        ]
        rows.append({"kind": "ground", "query": "when is it red ?", "moments": []})
        path.with_suffix(".timeline.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        made.append(Clip(path, split, ("watch",)))
    return made


@pytest.fixture
def model():
    return DuetModel()


def test_only_standing_queries_are_asked_all_before_the_first_tick(clips, model, tmp_path):
    (answers,) = told_by(model, "m1", TRACK, clips[:1], tmp_path, silence, "")
    assert [a.query for a in answers] == list(ASKED)
    assert [a.kind for a in answers] == ["watch"] * 3
    (stream,) = model.streams
    assert stream.ticks == 16
    assert stream.length == pytest.approx(8.0, abs=0.1)
    red = answers[0].moments
    assert [(m.start, m.label) for m in red] == [(1.5, "the red circle blinks")]
    assert red[0].start == red[0].end
    assert not answers[2].moments


def test_what_was_said_is_kept_for_this_model_and_this_trigger(clips, model, tmp_path, monkeypatch):
    first = told_by(model, "m1", TRACK, clips, tmp_path, silence, "")
    assert told_by(model, "m1", TRACK, clips, tmp_path, silence, "") == first
    assert len(model.streams) == 3
    path = tmp_path / "track.jsonl"
    path.write_text(path.read_text()[:-30])  # torn within the last clip
    assert told_by(model, "m1", TRACK, clips, tmp_path, silence, "") == first
    assert len(model.streams) == 4
    told_by(model, "m2", TRACK, clips[:1], tmp_path, silence, "")
    assert len(model.streams) == 5
    monkeypatch.setitem(PRESETS, "magqa", Trigger(threshold=0.8))
    told_by(model, "m2", TRACK, clips[:1], tmp_path, silence, "")
    assert len(model.streams) == 6


def test_ways_do_not_share_what_was_said(clips, model, tmp_path):
    for way in (TRACK, CONTEXT, KEPT, WHOLE):
        told_by(model, "m1", way, clips[:1], tmp_path, silence, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "context-replies-kept.jsonl",
        "context.jsonl",
        "track.jsonl",
        "whole-video.jsonl",
    ]
    assert [d.keep_replies for d in model.streams] == [False, False, True]
    assert [len(d.standing) for d in model.streams] == [6, 6, 3]  # kept replies cannot be replayed


def test_a_replay_is_what_the_duet_says_at_that_threshold(clips, model, tmp_path):
    (heard,) = told_by(model, "m1", TRACK, clips[:1], tmp_path, silence, "")
    counts = []
    for threshold in THRESHOLDS:
        for repeats_s in (0.0, 4.0):
            trigger = replace(PRESETS["magqa"], threshold=threshold, repeats_s=repeats_s)

            class Asked(DuetModel):
                def duet(self, own=trigger, **options):
                    return super().duet(**{**options, "trigger": own})

            (really,) = told_by(
                Asked(), "m1", TRACK, clips[:1], tmp_path / f"{threshold}{repeats_s}", silence, ""
            )
            assert [replayed(a, trigger).moments for a in heard] == [a.moments for a in really]
            counts.append(sum(len(a.moments) for a in really))
    assert len(set(counts)) > 2


def test_a_replay_of_the_real_duet(tmp_path):
    """With random weights: a tick's words are the same, whatever else is said, in chunks or tick by tick."""
    import torch

    from kairos.model.duet import Duet
    from kairos.train.recipe import Recipe
    from kairos.train.run import build

    tiny = build(Recipe(model=TINY)).eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in tiny.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)

    class Real:
        config, name = tiny.config, "tiny"

        def __init__(self, trigger=None, chunk=16):
            self.trigger, self.chunk = trigger, chunk

        def unknown_words(self, text):
            return []

        def duet(self, *, trigger, **options):
            return Duet(tiny, trigger=self.trigger, chunk=self.chunk, max_words=3, **options)

    path = write_clip(tmp_path / "short.mp4", [(1.0, 2.0, "red")], 3.0)
    row = {"kind": "watch", "query": "what happens ?", "moments": []}
    path.with_suffix(".timeline.jsonl").write_text(json.dumps(row) + "\n")
    clip = Clip(path, "test", ("watch",))
    for way in (TRACK, CONTEXT):
        (heard,) = told_by(Real(), "t", way, [clip], tmp_path / way.name, silence, "")
        sums = sorted(row[1] + row[2] for row in heard[0].extra["every"])
        assert len(sums) > 3, "the random model is silent"
        trigger = Trigger(threshold=(sums[1] + sums[2]) / 2, repeats_s=1.0)
        (really,) = told_by(Real(trigger, 1), "t", way, [clip], tmp_path / way.name, silence, "")
        picked, spoken = replayed(heard[0], trigger).moments, really[0].moments
        assert [(m.start, m.label) for m in picked] == [(m.start, m.label) for m in spoken]
        assert [m.score for m in picked] == pytest.approx([m.score for m in spoken], abs=1e-5)


def test_after_the_whole_video_spans_are_told_with_their_scores(clips, model, tmp_path):
    (answers,) = told_by(model, "m1", WHOLE, clips[:1], tmp_path, silence, "")
    (red,) = answers[0].moments
    assert (red.start, red.end) == pytest.approx((1.0, 3.0), abs=0.3)
    assert red.label == "the red circle blinks"
    assert not answers[2].moments  # held to be absent
    assert at_least(answers[0], red.score) == answers[0]
    assert not at_least(answers[0], red.score + 0.1).moments


def test_words_that_a_model_does_not_know_are_not_asked(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("fakes.WORDS", {"when", "is", "it", "red", "?"})
    (answers,) = told_by(DuetModel(), "m1", TRACK, clips[:1], tmp_path, silence, "")
    assert [a.unknown_words for a in answers] == [(), ("what",), ("blue",)]
    assert [len(a.moments) for a in answers] == [1, 0, 0]


def test_every_row_is_the_score_s_own_value(clips, model, tmp_path):
    answers = told_by(model, "m1", TRACK, clips, tmp_path, silence, "")
    asked = scored(clips, answers)
    values = summary(a.told for a in asked)
    found = {row.name: row.found(asked) for row in duet.ROWS}
    for name, key in (
        ("MAGQA in-span score, 1 to 5", "in_span"),
        ("responses per event", "responses_per_event"),
        ("median delay after the event's middle", "delay_s"),
        ("in-span score, words said again once", "in_span_once"),
        ("events with a turn in their span", "reached"),
        ("events told (rated 4 or better)", "told"),
        ("median delay until told", "told_delay_s"),
        ("turns that repeat what was said in the same span", "repeats"),
        ("turns outside every span", "outside"),
        ("turns a query", "turns"),
        ("different turns a query", "turns_once"),
        ("turns a query to which nothing answers", "false_turns"),
    ):
        assert found.pop(name).value == pytest.approx(values[key]), name
    assert not found
    assert values["in_span"] == 5.0
    assert values["responses_per_event"] == 1.0


def test_the_floors_are_the_issue_s():
    floors = {row.name: row.target for row in duet.ROWS if row.target}
    assert len(floors) == 3
    score, responses, delay = floors.values()
    assert (score.met(3.8), score.met(3.79)) == (True, False)
    assert (responses.met(1.5), responses.met(1.51)) == (True, False)
    assert (delay.met(1.49), delay.met(1.5)) == (True, False)


@pytest.fixture
def ready(clips, model, monkeypatch):
    """The command, with clips and models at hand."""
    monkeypatch.setattr(models, "load", lambda path: (model, f"hash of {path}"))
    monkeypatch.setattr(duet, "clips_of", lambda split, *rest: [c for c in clips if c.split == split])
    return model


def test_the_whole_run_writes_its_tables_and_picture(ready, tmp_path):
    others = tmp_path / "ablations"
    for name in ("end", "one"):
        (others / name).mkdir(parents=True)
        (others / name / "config.json").write_text("{}")
    report = run("duet", out=tmp_path / "out", count=2, ablations=others)
    assert report.passed
    live = report.find("MAGQA in-span score, 1 to 5", "live, track heads")
    assert (live.value, live.n, live.target.floor) == (5.0, 4, 3.8)
    assert report.find("responses per event", "live, track heads").value == 1.0
    assert report.find("MAGQA in-span score, 1 to 5", "after the whole video").target is None
    assert report.find("MAGQA in-span score, 1 to 5", "the labels' own words").value == 5.0
    assert report.find("MAGQA in-span score, 1 to 5", "live, track heads, held-out compositions").n == 2
    sections = {
        m.section: {n.name for n in report.measures if n.section == m.section} for m in report.measures
    }
    assert sections["thresholds, track heads"] == {f"> {t:g}" for t in THRESHOLDS}
    assert sections["thresholds, context heads"] == sections["thresholds, track heads"]
    assert sections["models, at the preset"] == {
        f"{name}, {way}"
        for name in ("colours", "end", "one")
        for way in ("track", "context", "context, replies kept")
    } | {"colours, context, 8 s remembered"}
    assert not any("delay" in m.name for m in report.measures if m.group == "after the whole video")
    few = report.find("> 1.5", "responses per event")
    many = report.find("> 0.3", "responses per event")
    assert few.value < many.value
    kept = tmp_path / "out" / "duet"
    assert "kairos bench duet --count 2 --ablations" in (kept / "table.md").read_text()
    assert json.loads((kept / "report.json").read_text())["passed"] is True
    assert (kept / "thresholds.png").read_bytes().startswith(b"\x89PNG")
    streams = len(ready.streams)
    assert run("duet", out=tmp_path / "out", count=2, ablations=others).measures == report.measures
    assert len(ready.streams) == streams  # nothing is played twice


def test_a_model_that_says_nothing_misses_the_floor(ready, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "magqa", Trigger(threshold=5.0))
    report = run("duet", out=tmp_path, count=2)
    assert not report.passed
    assert report.find("MAGQA in-span score, 1 to 5", "live, track heads").value == 1.0
    assert (tmp_path / "duet" / "thresholds.png").is_file()


def test_labels_from_before_there_were_standing_queries_are_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "test" / "test-0-00000.mp4"
    labels = path.with_suffix(".timeline.jsonl")
    path.parent.mkdir()
    write_clip(path, [])  # not looked at: it is there already
    labels.write_text(json.dumps({"kind": "ground", "query": "q", "moments": []}) + "\n")
    (clip,) = clips_of("test", 1, 0, tmp_path, silence)
    assert clip.path == path
    assert clip.labels
    assert {a.kind for a in clip.labels} == {"watch"}
    assert all(m.label for a in clip.labels for m in a.moments)
    written = labels.stat().st_mtime_ns
    clips_of("test", 1, 0, tmp_path, silence)
    assert labels.stat().st_mtime_ns == written


def test_a_dry_run_loads_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "load", lambda path: pytest.fail("loaded"))
    report = run("duet", out=tmp_path / "out", count=7, dry_run=True)
    assert report.facts["clips a split"] == 7
    assert not (tmp_path / "out").exists()


def test_ablations_need_models_and_the_duet(tmp_path):
    with pytest.raises(OptionError, match="no models here"):
        run("duet", ablations=tmp_path, dry_run=True)
    with pytest.raises(OptionError, match="world has no ablations"):
        run("world", ablations=tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["bench", "duet", "--ablations", str(tmp_path), "--dry-run"])
    assert end.value.code == 2


def test_a_timeline_of_standing_queries_can_be_written_and_read(clips, model, tmp_path):
    (answers,) = told_by(model, "m1", TRACK, clips[:1], tmp_path, silence, "")
    assert Timeline.from_jsonl(Timeline(answers).to_jsonl()).answers == tuple(answers)
    assert all(isinstance(a, Answer) for a in answers)
