"""The benchmark through real files: what is scored, what is kept, and that no label reaches the model."""

from __future__ import annotations

import json

import pytest

from kairos.bench import embedded, models, run
from kairos.bench.clips import Clip, Still, answers_about
from kairos.bench.embedded import answered, paired
from kairos.bench.models import fingerprint
from kairos.bench.table import ALL, HELD_OUT, SEEN, held_out, measures
from kairos.errors import OptionError
from kairos.timeline import Answer
from kairos.video import open as open_video


def silence(done, total, what=None):
    pass


@pytest.fixture
def found(clips, model, tmp_path):
    return answered(model, "m1", clips, tmp_path / "p.jsonl", silence, "answering")


def named(found):
    return {(m.name, m.group): m for m in measures(paired(found))}


def test_rows_count_what_they_say(found):
    rows = named(found)
    visual = rows["visual grounding, R@1 IoU 0.5", SEEN]
    assert (visual.value, visual.n) == (1.0, 4)
    assert rows["visual grounding, R@1 IoU 0.5", HELD_OUT].n == 1
    assert rows["visual grounding, R@1 IoU 0.5", ALL].n == 2
    assert rows["hard subset, R@1 IoU 0.5", SEEN].n == 2
    assert rows["ordinal and relative, R@1 IoU 0.5", SEEN].n == 2
    assert rows["sound grounding, R@1 IoU 0.5", HELD_OUT].n == 1
    assert rows["strict online grounding, R@1 IoU 0.5", SEEN].value == 1.0
    assert rows["strict online, false fires on absent queries", SEEN].value == 0.0
    assert rows["strict online, median delay", SEEN].value == pytest.approx(0.5)
    assert rows["not in the video, AUC", SEEN].value == 1.0


def test_answers_count_by_kind_and_abstaining_apart(found):
    rows = named(found)
    # what: right but for case and punctuation; yes_no: wrong words; which: a word never seen, so it abstains
    assert rows["answers, all kinds", SEEN].value == pytest.approx(1 / 3)
    assert rows["answers, all kinds", HELD_OUT].value == 1.0
    assert rows["what", SEEN].value == 1.0
    assert rows["answers, yes/no", SEEN].value == 0.0
    assert rows["answers, mean of the kinds", SEEN].value == pytest.approx(1 / 3)
    assert rows["answers that abstain, recall", SEEN].value == 1.0
    assert rows["answers that abstain, precision", SEEN].value == 0.5
    assert rows["moments cited by answers, R@1 IoU 0.5", SEEN].value == 1.0


def test_every_row_of_the_issue_has_its_floor(found):
    floors = {(m.name, m.group): m.target.floor for m in measures(paired(found)) if m.target is not None}
    assert floors["visual grounding, R@1 IoU 0.7", SEEN] == 0.78
    assert floors["visual grounding, R@1 IoU 0.7", HELD_OUT] == 0.70
    assert floors["answers, all kinds", HELD_OUT] == 0.50
    assert len({name for name, _ in floors}) == 10


def test_a_line_a_query_with_all_that_was_said(found, clips, tmp_path):
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(lines) == 3 * 8
    first = lines[0]
    assert (first["kind"], first["query"], first["tags"][0]) == ("ground", "when is it red ?", "visual")
    assert first["moments"][0] == pytest.approx({"start": 1.0, "end": 3.0, "score": 1.0}, abs=0.3)
    assert {"presence", "online", "seconds", "clip", "hash", "confidence"} <= set(first)
    assert not any("ref" in line or "labels" in line for line in lines)


def test_a_killed_run_goes_on_at_the_next_clip(found, clips, model, tmp_path):
    path = tmp_path / "p.jsonl"
    text = path.read_text()
    assert model.sessions == 3
    assert paired(answered(model, "m1", clips, path, silence, "again")) == paired(found)
    assert model.sessions == 3  # everything was there
    path.write_text(text[: text.rindex("\n", 0, -1) - 20])  # torn within the last clip
    again = answered(model, "m1", clips, path, silence, "again")
    assert model.sessions == 4
    assert len(again[2][1]) == 8
    assert path.read_text().count("\n") == 24


def test_another_model_begins_anew(found, clips, model, tmp_path):
    answered(model, "m2", clips, tmp_path / "p.jsonl", silence, "again")
    assert model.sessions == 6


def test_no_label_reaches_the_model(clips, model):
    labels = clips[0].labels
    blank = [Answer(label.kind, label.query) for label in labels]
    heard = []
    with open_video(clips[0].path) as video:
        told = list(answers_about(model, video, labels))
        heard, model.heard = model.heard, []
        blind = list(answers_about(model, video, blank))
    assert heard == model.heard == [label.query for label in labels if "purple" not in label.query]
    for a, b in zip(told, blind, strict=True):
        assert (a.moments, a.text, a.confidence, a.abstained) == (
            b.moments,
            b.text,
            b.confidence,
            b.abstained,
        )


def test_a_still_video_shows_its_middle_and_is_silent(clips):
    with open_video(clips[0].path) as video:  # its middle, at 4 s, is green
        still = Still(video)
        frames = list(still.sample(2.0, size=16, phase=0.5))
        assert len(frames) == 16
        assert {frame.image.tobytes() for frame in frames} == {frames[0].image.tobytes()}
        assert frames[0].image.mean(axis=(0, 1)).argmax() == 1
        assert not still.has_audio
        assert still.duration == video.duration
        assert [frame.at for frame in frames] == [frame.at for frame in video.sample(2.0, size=16, phase=0.5)]


def test_held_out_is_told_by_tag_or_words():
    assert held_out(Answer("ask", "does the red star spin ?", "no", tags=("yes_no",)))
    assert held_out(Answer("ask", "q", tags=("held_out",)))
    assert not held_out(Answer("ask", "does the red circle spin ?"))


def test_the_whole_run_writes_its_table(clips, model, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "load", lambda path: (model, "m1"))
    monkeypatch.setattr(
        embedded, "rendered", lambda split, *rest: [clip for clip in clips if clip.split == split]
    )
    report = run("embedded", out=tmp_path, count=2)
    assert not report.passed  # the model that sees colours knows no yes and no
    table = (tmp_path / "table.md").read_text()
    assert "| visual grounding, R@1 IoU 0.5 | 100.0 [100.0, 100.0] | >= 85.0 (97.0) pass |" in table
    assert "kairos bench embedded --count 2" in table
    assert json.loads((tmp_path / "report.json").read_text())["measures"]
    unwatched = {m.group: m.value for m in report.measures if m.section.startswith("what needs no watching")}
    assert set(unwatched) == {"whole video", "one still frame", "words or one guess"}
    assert "purple" in " ".join(report.notes)


def test_a_dry_run_loads_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "load", lambda path: pytest.fail("loaded"))
    report = run("embedded", out=tmp_path / "out", count=7, dry_run=True)
    assert report.facts["clips a split"] == 7
    assert not (tmp_path / "out").exists()


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(OptionError, match="did you mean embedded"):
        run("embeded")


def test_the_hash_is_of_what_the_model_is(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text("one")
    one = fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("two")
    assert fingerprint(tmp_path) == one
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert fingerprint(tmp_path) != one


def test_clips_know_their_content(clips, tmp_path):
    copy = tmp_path / "other.mp4"
    copy.write_bytes(clips[0].path.read_bytes())
    labels = clips[0].path.with_suffix(".timeline.jsonl").read_text()
    copy.with_suffix(".timeline.jsonl").write_text(labels)
    assert Clip(copy, "test").id == clips[0].id
    copy.with_suffix(".timeline.jsonl").write_text(labels.replace("when is it blue ?", "when is it red"))
    assert Clip(copy, "test").id != clips[0].id
