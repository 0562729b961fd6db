"""The field's benchmarks put to a model: `kairos bench NAME --videos DIR --annotations FILE`.

An exam says how, a candidate is who is asked, a sitting is one run of it. Nothing heavy loads with this.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos.bench.exams.exam import Exam

__all__ = ["EXAMS", "find"]

_MODULES = {
    "spans": "qvhighlights audio-moments charades charades-timechat charades-vtimellm activitynet tacos queryd tvgbench "
    "didemo ego4d-nlq tvr hirest",
    "told": "dense-captions hirest-steps magqa streamingbench-proactive",
    "proofs": "nextgqa rextime",
    "followed": "lasot got10k davis ref-youtube-vos mevis vidstg refcoco",
    "choices": "video-mme mvbench mlvu longvideobench lvbench egoschema ovo-bench streamingbench tempcompass videoeval-pro "
    "cg-bench",
    "levels": "videozerobench",
}

EXAMS: dict[str, str] = {name: module for module, names in _MODULES.items() for name in names.split()}
"""The benchmarks that can be put to a model, named as their protocols (`kairos.bench.protocols`) -> the module that says how."""


def find(name: str) -> Exam:
    """The exam of that name, which must be one of EXAMS."""
    module = importlib.import_module(f"kairos.bench.exams.{EXAMS[name]}")
    found: Exam = module.EXAMS[name]
    return found
