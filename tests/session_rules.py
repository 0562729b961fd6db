"""What every session must keep, so that tasks may rely on it. A model joins by subclassing `SessionRules`.

    class TestMyModel(SessionRules):
        known, absent = "the red circle", "the blue star"

        @pytest.fixture
        def model(self): ...

`known` and `absent` are queries in words that the model knows; `pictures` may be overridden with a clip in which the
known one happens.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

TICKS = 20


class SessionRules:
    known: str
    absent: str
    tolerance = 1e-4

    def pictures(self, model) -> np.ndarray:
        """RGB uint8 (TICKS, S, S, 3)."""
        size = model.config.image_size
        return np.random.default_rng(0).integers(0, 256, (TICKS, size, size, 3), np.uint8)

    def sound(self, model) -> np.ndarray:
        """float32 (TICKS * samples of a tick,)."""
        samples = round(model.config.audio_rate / model.config.fps)
        return np.random.default_rng(1).uniform(-0.1, 0.1, TICKS * samples).astype(np.float32)

    def shown(self, model, chunks=(TICKS,), *, first=True, sound=True):
        """A session that was shown the clip in chunks; the user speaks first or last."""
        frames, wave = self.pictures(model), self.sound(model)
        samples = len(wave) // TICKS
        session = model.session()
        if first:
            session.say(self.known)
        at = 0
        for count in chunks:
            audio = wave[at * samples : (at + count) * samples] if sound else None
            session.see(frames[at : at + count], audio)
            at += count
        assert at == TICKS
        if not first:
            session.say(self.known)
        session.end(TICKS / model.config.fps)
        return session

    def test_unknown_words_are_those_never_seen(self, model):
        assert list(model.unknown_words(self.known)) == []
        assert list(model.unknown_words(f"{self.known} xyzzyq")) == ["xyzzyq"]

    def test_scores_stand_at_the_ends_of_ticks(self, model):
        session = self.shown(model)
        scores = session.scores
        assert session.ticks == TICKS
        assert np.asarray(scores.times) == pytest.approx((np.arange(TICKS) + 1) / model.config.fps)
        for values in (np.asarray(scores.relevance), np.asarray(scores.informative)):
            assert values.shape == (TICKS,)
            assert ((values >= 0) & (values <= 1)).all()
        assert 0.0 <= session.presence <= 1.0

    @pytest.mark.parametrize("chunks", [(1,) * TICKS, (16, 4), (7, 1, 12)], ids=["one by one", "16", "odd"])
    def test_chunks_change_nothing(self, model, chunks):
        whole, parts = self.shown(model), self.shown(model, chunks)
        self.same(whole, parts)

    def test_speaking_first_or_last_changes_nothing(self, model):
        self.same(self.shown(model), self.shown(model, first=False))

    def test_a_query_that_was_rolled_back_is_forgotten(self, model):
        session = self.shown(model)
        session.say(self.absent)
        session.rollback()
        self.same(self.shown(model), session)

    def test_spans_are_sorted_apart_and_inside(self, model):
        session = self.shown(model)
        spans = session.spans(top=5)
        assert len(spans) <= 5
        assert [s[2] for s in spans] == sorted((s[2] for s in spans), reverse=True)
        inside = sorted((start, end) for start, end, _ in spans)
        assert all(0.0 <= start < end <= TICKS / model.config.fps for start, end in inside)
        assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(inside))
        assert session.spans(top=1) == spans[:1]

    def test_the_end_cuts_spans(self, model):
        frames = self.pictures(model)
        session = model.session()
        session.say(self.known)
        session.see(frames, None)
        length = (TICKS - 0.4) / model.config.fps
        session.end(length)
        assert all(end <= length for _, end, _ in session.spans(top=100))
        assert all(end <= length for _, end, _, _ in session.captions())

    def test_a_reply_is_short_and_sure_within_0_and_1(self, model):
        reply = self.shown(model).reply(max_words=3)
        assert len(reply.text.split()) <= 3
        assert 0.0 <= reply.confidence <= 1.0
        assert isinstance(reply.abstained, bool)

    def test_scores_need_no_query(self, model):
        session = model.session()
        session.see(self.pictures(model), None)
        session.end(TICKS / model.config.fps)
        assert np.asarray(session.scores.informative).shape == (TICKS,)
        for start, end, words, _ in session.captions():
            assert 0.0 <= start < end
            assert words

    def same(self, one, two) -> None:
        assert one.ticks == two.ticks
        for name in ("relevance", "informative"):
            a, b = (np.asarray(getattr(session.scores, name)) for session in (one, two))
            assert a == pytest.approx(b, abs=self.tolerance)
        assert one.presence == pytest.approx(two.presence, abs=self.tolerance)
        spans = [np.asarray(session.spans(top=5)) for session in (one, two)]
        assert spans[0].shape == spans[1].shape
        assert spans[0] == pytest.approx(spans[1], abs=self.tolerance)
        assert one.reply().text == two.reply().text
