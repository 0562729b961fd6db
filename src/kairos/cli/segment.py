"""`kairos segment VIDEO [QUERY]`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import segment

NAME, HELP = "segment", "Outline something through a video: its mask in every picture."

run = subcommand(segment, "What to follow, in words; or give --box.", overlay=True)
