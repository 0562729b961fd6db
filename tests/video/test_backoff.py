"""Delays between attempts: doubling, bounded, finite, and from the start again once all is well."""

from __future__ import annotations

from kairos.video.backoff import Backoff


def test_doubles_to_thirty_seconds() -> None:
    backoff = Backoff(9)
    assert [backoff.delay() for _ in range(10)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, None]
    assert backoff.attempts == 9


def test_starts_again_after_a_reset() -> None:
    backoff = Backoff(2)
    assert [backoff.delay(), backoff.delay(), backoff.delay()] == [0.5, 1, None]
    backoff.reset()
    assert backoff.delay() == 0.5


def test_no_attempts() -> None:
    assert Backoff(0).delay() is None


def test_many_attempts_do_not_overflow() -> None:
    backoff = Backoff(100_000)
    backoff.attempts = 99_998
    assert backoff.delay() == 30.0
