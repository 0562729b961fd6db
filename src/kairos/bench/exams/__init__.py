"""The field's benchmarks put to a model: `kairos bench NAME --videos DIR --annotations FILE`.

An exam says how, a candidate is who is asked, a sitting is one run of it. Nothing heavy loads with this.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from kairos.bench.protocols import PROTOCOLS

if TYPE_CHECKING:
    from kairos.bench.exams.exam import Exam

__all__ = ["EXAMS", "find"]

_HOMES = {
    "highlights": "spans",
    "grounding": "spans",
    "didemo": "spans",
    "nlq": "spans",
    "tvr": "spans",
    "hirest": "spans",
    "grounded": "proofs",
    "choices": "choices",
    "cgbench": "choices",
    "videozero": "levels",
    "captions": "told",
    "magqa": "told",
    "refcoco": "followed",
    "trackers": "followed",
    "masks": "followed",
    "vidstg": "followed",
}
"""The module of `kairos.bench.protocols` that scores it -> the module here that puts it."""

_ELSEWHERE = {"hirest-steps": "told"}

_NEVER = ("charades-mmduet",)
"""Scored, and not put: its references are one model's own samples."""

EXAMS: dict[str, str] = {
    name: _ELSEWHERE.get(name, _HOMES[module])
    for name, (module, _) in PROTOCOLS.items()
    if module in _HOMES and name not in _NEVER
}
"""The benchmarks that can be put to a model -> the module that says how."""


def find(name: str) -> Exam:
    """The exam of that name, which must be one of EXAMS."""
    module = importlib.import_module(f"kairos.bench.exams.{EXAMS[name]}")
    found: Exam = module.EXAMS[name]
    return found
