"""`kairos ground VIDEO QUERY`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import ground

NAME, HELP = "ground", "Find when something happens in a video, best moment first."

run = subcommand(ground, "What happens, in words.")
