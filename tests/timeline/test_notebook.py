"""The notebook view: well-formed, escaped, and its moments seek the player."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kairos.errors import KairosError, MissingDependency, TimelineError
from kairos.timeline import Answer, Curve, Moment
from kairos.timeline.notebook import EMBED_BYTES

EVIL = "</div><script>alert('x')</script>\"'&"


class Tags(HTMLParser):
    """Collects tags, and checks that they close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def view(answer: Answer) -> Tags:
    tags = Tags(answer._repr_html_())
    assert tags.open == []
    return tags


def test_player_and_moments(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"video")
    curve = Curve("relevance", [0.5, 1.0, 9.0], [0.1, 0.9, 0.2])
    moments = (Moment(3.1, 5.4, 0.9), Moment(7.0, 8.0, 0.4, "again"))
    tags = view(
        Answer("ground", "the red circle", "found", moments, curve=curve, video=str(video), duration=10.0)
    )
    (player,) = [attributes for tag, attributes in tags.found if tag == "video"]
    assert player["src"] == "data:video/mp4;base64,dmlkZW8="
    clicks = [attributes["onclick"] for tag, attributes in tags.found if "onclick" in attributes]
    assert len(clicks) == 4
    assert all(str(player["id"]) in str(click) for click in clicks)
    assert "currentTime=3.1" in str(clicks[0])
    assert [tag for tag, _ in tags.found].count("polyline") == 1


def test_everything_is_escaped(tmp_path: Path) -> None:
    answer = Answer(
        "ask",
        EVIL,
        EVIL,
        (Moment(0, 1, label=EVIL),),
        notes=(EVIL,),
        unknown_words=(EVIL,),
        video=EVIL,
        model=EVIL,
    )
    assert not {"script"} & {tag for tag, _ in view(answer).found}


def test_large_files_are_linked(tmp_path: Path) -> None:
    video = tmp_path / 'a "b" #1.mp4'
    with open(video, "wb") as file:
        file.truncate(EMBED_BYTES)
    (player,) = [
        attributes for tag, attributes in view(Answer("ask", video=str(video))).found if tag == "video"
    ]
    assert str(player["src"]).endswith("/a%20%22b%22%20%231.mp4")


@pytest.mark.parametrize(
    "answer",
    [
        Answer("ask"),
        Answer("ask", abstained=True),
        Answer("ground", moments=(Moment(0, 0),)),
        Answer("ground", moments=(Moment(-5, -1, -2.0), Moment(2, 90)), duration=10.0),
        Answer("ground", curve=Curve("r", [0.0], [0.0])),
        Answer("ground", curve=Curve("r", [], [])),
        Answer("ask", video="/no/such/file.mp4", duration=3.0),
        Answer("ask", video="a\0b"),
    ],
)
def test_odd_answers(answer: Answer) -> None:
    tags = view(answer)
    assert not [tag for tag, _ in tags.found if tag == "video"]


def test_import_is_light() -> None:
    code = (
        "import sys, kairos.timeline; "
        "assert not {'torch', 'av', 'pydantic', 'pysubs2', 'pycocotools', 'html.parser'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_carry_what_they_are_about() -> None:
    import pickle

    error = TimelineError("bad\nthing", path="a.jsonl", line=3, hint="mend it")
    assert str(error) == "a.jsonl:3: bad thing (mend it)"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.line, again.hint) == (str(error), 3, "mend it")
    missing = MissingDependency("cv2", extra="bench", purpose="the comparison")
    assert 'pip install "kairos-video[bench]"' in str(missing)
    assert isinstance(missing, KairosError)
    assert missing.exit_code == 1
