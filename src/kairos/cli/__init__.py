"""The `kairos` command, one file per subcommand. Results go to stdout, progress and errors to stderr."""

from kairos.cli.app import main

__all__ = ["main"]
