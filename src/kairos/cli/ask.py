"""`kairos ask VIDEO QUERY`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import ask

NAME, HELP = "ask", "Answer a question about a video and cite the moments that prove it."

run = subcommand(ask, "The question.", overlay=True)
