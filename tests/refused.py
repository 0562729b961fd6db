"""How every entrance of the command line refuses what is wrong."""

from __future__ import annotations


def refused(shown, *words, code=2):
    """One line on stderr that holds the words, nothing on stdout, and the exit code."""
    assert shown.code == code, shown
    assert shown.out == ""
    assert shown.err.count("\n") == 1, shown.err
    assert shown.err.startswith("kairos: ")
    assert "Traceback" not in shown.err
    for word in words:
        assert word in shown.err, shown.err
