"""Timelines as WebVTT and SubRip, both ways, at their resolution of one millisecond.

Strict where the common parsers guess: a reversed span or a block that is no cue is an error with its line, and `{}`,
`&`, `<` survive the way out and back. Speakers live in WebVTT's voice tags; SubRip has no place for them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator

from kairos.errors import OptionError, TimelineError
from kairos.timeline.answer import Answer
from kairos.timeline.moment import Moment
from kairos.timeline.record import Record
from kairos.timeline.speech import Utterance

__all__ = ["cues", "from_srt", "from_vtt", "to_srt", "to_vtt"]

Cue = tuple[float, float, str, str | None]  # start and end in seconds, text, speaker

READABLE: dict[str, Callable[[Cue], Record]] = {
    "utterance": lambda cue: Utterance(*cue),
    "moment": lambda cue: Moment(cue[0], cue[1], label=cue[2]),
    "caption": lambda cue: Answer("caption", text=cue[2], moments=(Moment(cue[0], cue[1]),)),
}

_STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s.*)?$")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_SRT_TAG = re.compile(r"</?(?:[bius]|font)(?:\s[^>]*)?>|\{\\[^}]*\}", re.IGNORECASE)


def cues(records: Iterable[Record]) -> list[Cue]:
    """Returns (start, end, text, speaker) of every record that a subtitle can hold, sorted by start."""
    found: list[Cue] = []
    for record in records:
        if isinstance(record, Utterance):
            found.append((record.start, record.end, record.text, record.speaker))
        elif isinstance(record, Moment):
            found.append((record.start, record.end, record.label or "", None))
        elif isinstance(record, Answer):
            spoken = record.text if record.kind in ("ask", "caption") else record.query
            words = spoken or record.query or record.text
            found += [(m.start, m.end, m.label or words, None) for m in record.moments]
    return sorted(found, key=lambda cue: cue[:2])


def to_vtt(records: Iterable[Record]) -> str:
    """Returns the text of a WebVTT file."""
    blocks = ["WEBVTT\n"]
    for start, end, text, speaker in cues(records):
        voice = f"<v {_escaped(' '.join(speaker.split()))}>" if speaker and speaker.strip() else ""
        blocks.append(f"{_timing(start, end, '.')}\n{voice}{_escaped(_payload(text))}\n")
    return "\n".join(blocks)


def to_srt(records: Iterable[Record]) -> str:
    """Returns the text of a SubRip file."""
    blocks = [
        f"{number}\n{_timing(start, end, ',')}\n{_payload(text)}\n"
        for number, (start, end, text, _) in enumerate(cues(records), start=1)
    ]
    return "\n".join(blocks)


def from_vtt(source: str, kind: str = "utterance", path: str | None = None) -> list[Record]:
    """Returns the records of a WebVTT text; TimelineError carries `path` and the line."""
    build = _builder(kind)
    blocks = list(_blocks(source))
    if not blocks or not re.match(r"WEBVTT(?:\s|$)", blocks[0][1][0]):
        raise TimelineError("a WebVTT file starts with WEBVTT", path=path, line=1)
    records = []
    for line, block in blocks[1:]:
        if re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0]) and not _TIMING.match(block[0]):
            continue
        start, end, payload = _cue(block, line, path)
        voice = _VOICE.search(payload)
        speaker = html.unescape(voice.group(1)) if voice else None
        records.append(build((start, end, html.unescape(_TAG.sub("", payload)), speaker)))
    return records


def from_srt(source: str, kind: str = "utterance", path: str | None = None) -> list[Record]:
    """Returns the records of a SubRip text; TimelineError carries `path` and the line."""
    build = _builder(kind)
    found = (_cue(block, line, path) for line, block in _blocks(source))
    return [build((start, end, _SRT_TAG.sub("", payload), None)) for start, end, payload in found]


def _builder(kind: str) -> Callable[[Cue], Record]:
    if kind not in READABLE:
        raise OptionError(
            f"subtitles cannot be read as {kind!r}",
            option="kind",
            value=kind,
            hint=f"one of {', '.join(READABLE)}",
        )
    return READABLE[kind]


def _blocks(source: str) -> Iterator[tuple[int, list[str]]]:
    """Yields (number of its first line, lines) of each run of lines that are not blank."""
    block: list[str] = []
    lines = re.split(r"\r\n|\n|\r", source)
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cue(block: list[str], line: int, path: str | None) -> tuple[float, float, str]:
    for offset, text in enumerate(block[:2]):
        match = _TIMING.match(text)
        if match:
            start = _seconds(match.groups()[:4], path, line + offset)
            end = _seconds(match.groups()[4:], path, line + offset)
            if end < start:
                raise TimelineError(
                    f"the span [{start:g}, {end:g}) is reversed", path=path, line=line + offset
                )
            return start, end, "\n".join(block[offset + 1 :])
    raise TimelineError("a cue needs a line 'start --> end'", path=path, line=line)


def _seconds(parts: tuple[str | None, ...], path: str | None, line: int) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    if int(minutes) > 59 or int(seconds) > 59 or len(hours) > 6:
        raise TimelineError("a time has minutes or seconds above 59, or absurd hours", path=path, line=line)
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return (whole * 1000 + int(fraction.ljust(3, "0"))) / 1000


def _timing(start: float, end: float, point: str) -> str:
    start_ms = max(0, round(start * 1000))
    end_ms = max(start_ms + 1, round(end * 1000))  # players drop a cue that lasts no time
    return f"{_stamp(start_ms, point)} --> {_stamp(end_ms, point)}"


def _stamp(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _payload(text: str) -> str:
    """A blank line would end the cue: only lines that say something remain."""
    return "\n".join(line for line in re.split(r"\r\n|\n|\r", text) if line.strip())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
