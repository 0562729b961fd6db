"""`kairos highlight VIDEO [QUERY]`"""

from __future__ import annotations

from kairos.cli.subcommand import subcommand
from kairos.tasks import highlight

NAME, HELP = "highlight", "Pick what stands out in a video, about a query or about anything."

run = subcommand(highlight, "What to look for, in words.")
