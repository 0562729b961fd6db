"""The records: their rules, and that they are values."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import InputError, TimelineError
from kairos.timeline import Answer, Curve, MaskTrack, Metadata, Moment, Record, Rle, Track, Turn, Utterance

times = st.floats(-1e6, 1e6)
moments = st.builds(
    lambda ends, score: Moment(*sorted(ends), score), st.tuples(times, times), st.floats(-10, 10)
)

ALL = [
    Moment(1.0, 2.0, 0.5, "a"),
    Curve("relevance", [0.0, 1.0], [0.1, 0.9]),
    Track("cat", [0.0, 1.0], [[0, 0, 1, 1], [1, 1, 2, 2]]),
    Track("cat", [0.0, 1.0], [[0, 0, 1, 1], [1, 1, 2, 2]], visible=[True, False]),
    MaskTrack("cat", (2, 3), [0.5], [{"size": [2, 3], "counts": [1, 2, 3]}]),
    Turn("user", "what is this ?", 1.0),
    Utterance(0.0, 1.0, "hello", "Ann"),
    Answer("ask", "how many ?", "two", (Moment(1, 2),), curve=Curve("r", [0.0], [1.0])),
    Answer("locate", "the cat", track=Track("cat", [1.0], [[0, 0, 1, 1]])),
    Answer("segment", mask_track=MaskTrack("cat", (2, 3), [0.5], [{"size": [2, 3], "counts": [1, 2, 3]}])),
    Metadata("world", extra={"seed": 7, "size": [256, 256]}),
]


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_records_are_values(record: Record) -> None:
    again = type(record).from_dict(record.to_dict())
    assert again == record
    assert hash(again) == hash(record)
    assert pickle.loads(pickle.dumps(record)) == record
    assert record.replace(id="x") != record
    assert record != object()
    assert "TimelineError" not in repr(record)
    with pytest.raises(AttributeError):
        record.id = "changed"  # type: ignore[misc]


def test_arrays_are_read_only_even_after_pickling() -> None:
    for curve in (ALL[1], pickle.loads(pickle.dumps(ALL[1]))):
        assert isinstance(curve, Curve)
        with pytest.raises(ValueError, match="read-only"):
            curve.values[0] = 3.0


def test_arrays_are_copied() -> None:
    values = np.array([0.1, 0.2])
    curve = Curve("r", [0.0, 1.0], values)
    values[0] = 9.0
    assert curve.values[0] == 0.1


@pytest.mark.parametrize(
    ("start", "end"),
    [(2, 1), (float("nan"), 1), (0, float("inf")), ("0", 1), (None, 1), (True, 2), (0, 10**400), ([], 1)],
)
def test_bad_spans(start: Any, end: Any) -> None:
    for make in (lambda: Moment(start, end), lambda: Utterance(start, end, "x")):
        with pytest.raises(TimelineError) as caught:
            make()
        assert isinstance(caught.value, InputError)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Moment(0, 1, score=float("nan")),
        lambda: Moment(0, 1, label=3),
        lambda: Moment(0, 1, label="\ud800"),
        lambda: Moment(0, 1, id=7),
        lambda: Moment(0, 1, parents="abc"),
        lambda: Moment(0, 1, extra=[1]),
        lambda: Curve("r", [0, 1], [1]),
        lambda: Curve("r", [1, 0], [1, 1]),
        lambda: Curve("r", [0, 0], [1, 1]),
        lambda: Curve("r", [0, float("nan")], [1, 1]),
        lambda: Curve("r", [0, 1], ["a", "b"]),
        lambda: Curve("r", [0, 1], [[1], [2]]),
        lambda: Curve("r", [True, False], [1, 2]),
        lambda: Track("a", [0], [[1, 1, 0, 0]]),
        lambda: Track("a", [0], [[1, 1, 2]]),
        lambda: Track("a", [0, 1], [[0, 0, 1, 1]]),
        lambda: Track("a", [0], [[0, 0, 1, 1]], visible=[True, False]),
        lambda: Track("a", [0], [[0, 0, 1, 1]], visible=[1]),
        lambda: Track("a", [0], [[0, 0, 1, 1]], visible=True),
        lambda: Answer("track", track=[0, 0, 1, 1]),
        lambda: Answer("track", track={"label": "a", "times": [0], "boxes": [[1, 1, 0, 0]]}),
        lambda: Answer("segment", mask_track={"label": "a"}),
        lambda: MaskTrack("a", (2, 3), [0], [{"size": [2, 2], "counts": [4]}]),
        lambda: MaskTrack("a", (2, 3), [0, 1], [{"size": [2, 3], "counts": [6]}]),
        lambda: MaskTrack("a", (2, 3), [0], [{"size": [2, 3]}]),
        lambda: MaskTrack("a", (2, 3), [0], 5),
        lambda: MaskTrack("a", (2,), [], []),
        lambda: Turn("boss", "x", 0),
        lambda: Turn("user", 5, 0),
        lambda: Answer("guess"),
        lambda: Answer("ask", moments=5),
        lambda: Answer("ask", moments=[5]),
        lambda: Answer("ask", moments=[{"start": 1}]),
        lambda: Answer("ask", abstained="no"),
        lambda: Answer("ask", confidence=1.5),
        lambda: Answer("ask", curve=5),
        lambda: Answer("ask", tags="hard"),
        lambda: Answer("ask", tags=[1]),
        lambda: Answer("ask", duration=-1.0),
        lambda: Answer("ask", video=3),
        lambda: Metadata("planet"),
    ],
)
def test_bad_records(make: Any) -> None:
    with pytest.raises(TimelineError):
        make()


class TestMoment:
    @given(moments, moments)
    def test_pairs(self, a: Moment, b: Moment) -> None:
        assert a.iou(b) == b.iou(a)
        assert 0.0 <= a.iou(b) <= 1.0
        shared = a.intersection(b)
        assert (shared is None) == (a.overlap(b) == 0.0)
        if shared is not None:
            assert shared.duration == a.overlap(b)
            assert shared.score == a.score
            assert a.contains(shared.start)
            assert b.contains(shared.start)
        assert a.iou(a) == (1.0 if a.duration > 0 else 0.0)

    @given(moments, times, times)
    def test_clamp(self, a: Moment, x: float, y: float) -> None:
        lo, hi = sorted((x, y))
        inside = a.clamp(lo, hi)
        assert lo <= inside.start <= inside.end <= hi
        assert inside.duration == a.overlap(Moment(lo, hi))

    def test_half_open(self) -> None:
        moment = Moment(1.0, 2.0)
        assert moment.contains(1.0)
        assert not moment.contains(2.0)
        assert Moment(1.0, 2.0).iou(Moment(2.0, 3.0)) == 0.0
        assert moment.shift(0.5) == Moment(1.5, 2.5)
        assert moment.clamp() == moment
        assert moment.clamp(1.5).span == (1.5, 2.0)

    def test_numpy_numbers_become_floats(self) -> None:
        moment = Moment(np.float32(0.5), np.int64(2), np.float64(0.25))
        assert [type(value) for value in (moment.start, moment.end, moment.score)] == [float] * 3


class TestCurve:
    def test_it_reaches_one_step_beyond_its_ends(self) -> None:
        assert Curve("a", np.array([1.0, 1.5, 2.0]), np.zeros(3)).reach == (0.5, 2.5)
        assert Curve("a", np.array([1.0]), np.zeros(1)).reach == (-np.inf, np.inf)

    @given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(-5, 5))
    def test_moments_are_where_the_curve_is_high(self, values: list[float], threshold: float) -> None:
        curve = Curve("r", np.arange(len(values), dtype=float), values)
        found = curve.to_moments(threshold)
        for t in np.linspace(0, len(values) - 1, 97):
            inside = any(m.start <= t <= m.end for m in found)
            if curve.at(float(t)) > threshold + 1e-6 and len(values) > 1:
                assert inside
            if curve.at(float(t)) < threshold - 1e-6:
                assert not inside
        assert all(a.end <= b.start for a, b in pairwise(found))

    def test_crossings_are_interpolated(self) -> None:
        curve = Curve("r", [0, 1, 2, 4], [0, 1, 0, 1])
        assert curve.to_moments(0.5) == (Moment(0.5, 1.5, 1.0, "r"), Moment(3.0, 4.0, 1.0, "r"))
        assert curve.to_moments(2.0) == ()

    def test_at(self) -> None:
        curve = Curve("r", [1, 3], [0, 1])
        assert curve.at(2.0) == 0.5
        assert curve.at(-9.0) == 0.0
        assert curve.at(np.array([0.0, 9.0])).tolist() == [0.0, 1.0]
        with pytest.raises(TimelineError, match="no samples"):
            Curve("r", [], []).at(0.0)

    @given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(0, 10))
    def test_smooth_is_the_mean_nearby(self, values: list[float], window: float) -> None:
        curve = Curve("r", np.arange(len(values)) * 0.7, values)
        smooth = curve.smooth(window)
        for t, value in zip(curve.times, smooth.values, strict=True):
            near = curve.values[(curve.times >= t - window / 2) & (curve.times <= t + window / 2)]
            assert value == pytest.approx(near.mean(), abs=1e-9)
        with pytest.raises(TimelineError):
            curve.smooth(-1.0)


def test_track_between_boxes() -> None:
    track = Track("cat", [1.0, 2.0], [[0, 0, 10, 10], [10, 0, 20, 10]])
    assert track.at(1.5).tolist() == [5.0, 0.0, 15.0, 10.0]
    assert track.at(0.9) is None
    assert track.span == (1.0, 2.0)
    assert len(Track("none", [], [])) == 0


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda bits: np.array(bits).reshape(size)
    )
)


class TestRle:
    @given(masks)
    def test_agrees_with_pycocotools(self, mask: np.ndarray) -> None:
        coco = pytest.importorskip("pycocotools.mask")
        compressed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        ours = Rle.encode(mask)
        theirs = Rle.of(compressed)
        assert ours.compress().counts == compressed["counts"].decode()
        for rle in (ours, theirs, Rle.of(ours.to_dict()), ours.compress().compress()):
            np.testing.assert_array_equal(rle.decode(), mask)
            assert rle.area == mask.sum()
        assert theirs.runs == ours.runs
        size = list(mask.shape)
        assert (
            coco.frPyObjects({"size": size, "counts": list(ours.runs)}, *size)["counts"]
            == compressed["counts"]
        )

    @pytest.mark.parametrize(
        ("size", "counts"),
        [
            ((2, 2), [3]),
            ((2, 2), [5]),
            ((2, 2), [-1, 5]),
            ((2, 2), ["4"]),
            ((2, 2), 4),
            ((2, 2), "\n"),
            ((2, 2), "o"),
            ((-1, 2), []),
            ((2.0, 2), [4]),
            ("22", [4]),
            ((10**6, 10**6), [10**12]),
        ],
    )
    def test_bad(self, size: Any, counts: Any) -> None:
        with pytest.raises(TimelineError):
            Rle(size, counts)

    def test_bad_shape(self) -> None:
        with pytest.raises(TimelineError):
            Rle.encode(np.zeros((2, 2, 2)))


def test_answer() -> None:
    answer = Answer("ground", "q", moments=(Moment(5, 6, 0.2), Moment(1, 2, 0.9)))
    assert answer.best == Moment(1, 2, 0.9)
    assert answer.span == (1.0, 6.0)
    assert Answer("ground").best is None
    assert Answer("ground").span is None
    assert Answer("ground").to_dict() == {"kind": "ground", "moments": []}
