from __future__ import annotations

import importlib

from kairos.bench.exams import EXAMS, find
from kairos.bench.protocols import PROTOCOLS
from kairos.bench.question_sets import SETS


def test_every_exam_is_a_protocol_and_every_module_is_listed():
    assert set(EXAMS) <= set(PROTOCOLS)
    for module in set(EXAMS.values()):
        listed = {name for name, home in EXAMS.items() if home == module}
        assert listed == set(importlib.import_module(f"kairos.bench.exams.{module}").EXAMS)
    assert set(SETS) <= set(EXAMS)
    assert find("charades").write is not None
