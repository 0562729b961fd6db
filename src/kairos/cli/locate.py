"""`kairos locate VIDEO QUERY`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import locate

NAME, HELP = "locate", "Find where something is in the picture at one time."

run = subcommand(locate, "What to look for, in words.", overlay=True)
