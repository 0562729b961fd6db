"""Reports as pictures: shares on one scale, other numbers on their own, differences beside."""

from __future__ import annotations

import pytest
from PIL import Image

from kairos.bench.protocols.picture import draw
from kairos.bench.report import Measure, Report


def measure(name, group="official", value=0.5, **more):
    return Measure(name, group, value, **{"unit": "%", "section": "", **more})


SHARES = (measure("R1"), measure("R1", "strict", 0.4, low=0.3, high=0.5), measure("mAP", section="long"))
COUNTS = (measure("Lost Number", value=66.0, unit=""), measure("EAO", value=0.3, unit=""))
APART = (measure("R1", "a"), measure("R1", "b", 0.6), measure("R1", "b - a", 0.1, low=-0.1, high=0.3))


@pytest.mark.parametrize("measures", [SHARES, COUNTS, SHARES + COUNTS, APART, APART + COUNTS, ()])
def test_every_report_becomes_a_picture(tmp_path, measures):
    path = draw(Report("score", "title", measures, {}, (), ""), tmp_path / "p.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1200


def test_a_panel_more_is_higher(tmp_path):
    sizes = []
    for measures in (SHARES[:2], SHARES):
        with Image.open(draw(Report("score", "title", measures, {}, (), ""), tmp_path / "p.png")) as picture:
            sizes.append(picture.height)
    assert sizes[1] > sizes[0]


def test_what_is_on_another_scale_is_left_out(tmp_path):
    sizes = []
    for measures in (
        APART,
        (*APART, measure("R1", "p", 0.01, unit=""), measure("R1", "b wins", 3.0, unit="")),
    ):
        with Image.open(
            draw(Report("compare", "title", measures, {}, (), ""), tmp_path / "p.png")
        ) as picture:
            sizes.append(picture.size)
    assert sizes[0] == sizes[1]
