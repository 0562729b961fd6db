"""`kairos track VIDEO [QUERY]`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import track

NAME, HELP = "track", "Follow something through a video: its box in every picture, also while it hides."

run = subcommand(track, "What to follow, in words; or give --box.", overlay=True)
