"""How an answer looks in a notebook: the player, and under it a timeline whose moments seek the player on a click."""

from __future__ import annotations

import base64
import mimetypes
import secrets
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from kairos.timeline.answer import Answer
from kairos.timeline.moment import Moment

__all__ = ["EMBED_BYTES", "answer_html"]

EMBED_BYTES = 8 << 20  # a smaller file travels inside of the notebook as a data URI
WIDTH, HEIGHT, BAR_TOP, BAR_HEIGHT = 640, 64, 8, 36

STYLE = "max-width:660px;font:14px/1.45 system-ui,sans-serif;border:1px solid #8884;border-radius:8px;padding:12px"
CHIP = "margin:2px 4px 2px 0;padding:2px 8px;border:1px solid #8886;border-radius:10px;background:transparent;color:inherit;cursor:pointer"


def answer_html(answer: Answer) -> str:
    """Returns HTML that stands alone: player (where the file exists), answer, timeline, moments, notes; all escaped."""
    player = f"kairos-{secrets.token_hex(6)}"
    length = answer.duration or max([0.0, *(m.end for m in answer.moments)])
    if answer.curve is not None and answer.curve.span:
        length = max(length, answer.curve.span[1]) if answer.duration is None else length
    parts = [
        _player(answer.video, player),
        f"<div><b>{escape(answer.query or answer.kind)}</b></div>",
        f"<div>{escape(answer.text)}</div>" if answer.text else "",
        _svg(answer, player, length) if length > 0 else "",
        "".join(_chip(moment, player) for moment in answer.moments[:50]),
        "".join(f'<div style="opacity:.75">{escape(note)}</div>' for note in answer.notes),
    ]
    if answer.abstained and not answer.text:
        parts.append("<div>not answered: nothing in the video proves an answer</div>")
    return f'<div class="kairos-answer" style="{STYLE}">{"".join(parts)}</div>'


def _player(video: str | None, player: str) -> str:
    source = _source(video)
    if source is None:
        return ""
    return (
        f'<video id="{player}" src="{escape(source)}" controls preload="metadata" '
        f'style="width:100%;max-height:360px;background:#000;border-radius:4px"></video>'
    )


def _source(video: str | None) -> str | None:
    if video is None:
        return None
    path = Path(video)
    try:
        if not path.is_file():
            return None
        if path.stat().st_size < EMBED_BYTES:
            kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
            return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
    except (OSError, ValueError):
        return None
    return quote(path.as_posix())


def _svg(answer: Answer, player: str, length: float) -> str:
    scale = WIDTH / length
    top = max([1e-9, *(m.score for m in answer.moments)])
    shapes = [
        f'<rect x="0" y="{BAR_TOP}" width="{WIDTH}" height="{BAR_HEIGHT}" rx="4" fill="currentColor" opacity=".08"/>'
    ]
    for moment in answer.moments[:200]:
        inside = moment.clamp(0.0, length)
        opacity = 0.25 + 0.6 * min(max(moment.score / top, 0.0), 1.0)
        shapes.append(
            f'<rect x="{inside.start * scale:.2f}" y="{BAR_TOP}" width="{max(2.0, inside.duration * scale):.2f}" '
            f'height="{BAR_HEIGHT}" rx="3" fill="#2a78d6" opacity="{opacity:.2f}" style="cursor:pointer" tabindex="0" '
            f'role="button" onclick="{_seek(player, moment)}"><title>{escape(_words(moment))}</title></rect>'
        )
    if answer.curve is not None and len(answer.curve):
        shapes.append(_line(answer, scale))
    for tick in np.linspace(0.0, length, 5):
        anchor = "start" if tick == 0 else "end" if tick == length else "middle"
        shapes.append(
            f'<text x="{tick * scale:.1f}" y="{HEIGHT - 4}" text-anchor="{anchor}" font-size="11" '
            f'fill="currentColor" opacity=".7">{tick:.1f} s</text>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="timeline" '
        f'style="display:block;margin:6px 0">{"".join(shapes)}</svg>'
    )


def _line(answer: Answer, scale: float) -> str:
    assert answer.curve is not None
    step = max(1, len(answer.curve) // 1000)
    times, values = answer.curve.times[::step], answer.curve.values[::step]
    low, high = min(0.0, float(values.min())), max(1e-9, float(values.max()))
    points = " ".join(
        f"{t * scale:.1f},{BAR_TOP + BAR_HEIGHT * (1 - (v - low) / (high - low)):.1f}"
        for t, v in zip(times.tolist(), values.tolist(), strict=True)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="#e08a1e" stroke-width="1.5" pointer-events="none"/>'
    )


def _chip(moment: Moment, player: str) -> str:
    return f'<button style="{CHIP}" onclick="{_seek(player, moment)}">{escape(_words(moment))}</button>'


def _seek(player: str, moment: Moment) -> str:
    # Only the random id and a number that Python formatted reach the script; no text of the answer does.
    start = max(0.0, moment.start)
    return f"var v=document.getElementById('{player}');if(v){{v.currentTime={start!r};v.play()}}"


def _words(moment: Moment) -> str:
    words = f"{moment.start:.2f} s – {moment.end:.2f} s"
    return f"{words} · {moment.score:.2f}" + (f" · {moment.label}" if moment.label else "")
