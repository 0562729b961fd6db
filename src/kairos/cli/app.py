"""The command's frame: which subcommands there are, and how every one of them ends.

Exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted. An error is one line on stderr; `--debug` shows the
traceback. Nothing heavy is imported here: `kairos --help` stays within the import budget.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from kairos import __version__
from kairos.cli import (
    ask,
    bench,
    caption,
    doctor,
    duet_data,
    features,
    ground,
    highlight,
    locate,
    score,
    segment,
    task_data,
    track,
    train,
    watch,
    world,
)
from kairos.errors import KairosError

__all__ = ["app", "main"]

FAILED, INTERRUPTED = 1, 130

# Typer exports click's BadParameter only; what is raised for any wrong command line is its parent.
UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="kairos",
    help="Ask a video: answers pinned to the moments that prove them.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (ask, ground, highlight, caption, locate, track, segment, watch):
    app.command(command.NAME, help=command.HELP)(command.run)
app.add_typer(world.app, name="world", help=world.HELP)
for command in (train, duet_data, task_data, features, bench, score, doctor):
    app.command(command.NAME, help=command.HELP)(command.run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kairos {__version__}")
        raise typer.Exit()


@app.callback()
def frame(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a terminal without UTF-8 shows a question mark, not a traceback
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        code = app(arguments, prog_name="kairos", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # Typer turns Ctrl-C into this code and says nothing
            _say("interrupted")
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        # Whoever read stdout has left (`kairos ... | head`): not an error, and nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        return INTERRUPTED
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            return 0
        where = f"{error.ctx.command_path} --help" if error.ctx else "kairos --help"
        _say(f"{' '.join(error.format_message().split()).rstrip('.')} (see `{where}`)")
        return int(error.exit_code)
    except KairosError as error:
        if debug:
            raise
        _say(str(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        what = " ".join(str(error).split()) or "no message"
        _say(
            f"failed: {type(error).__name__}: {what} (add --debug for the traceback; `kairos doctor` checks the set-up)"
        )
        return FAILED


def _say(line: str) -> None:
    print(f"kairos: {line}", file=sys.stderr)
