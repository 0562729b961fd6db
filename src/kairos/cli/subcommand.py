"""The subcommand of a task, read off the task: its arguments are the task's own, and those that all tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from kairos.cli import options
from kairos.cli.put import put
from kairos.tasks import Option, Task

__all__ = ["subcommand"]


def subcommand(task: Task, asked: str, *, overlay: bool = False) -> Callable[..., None]:
    """A function for Typer: VIDEO, QUERY (`asked` is its help), the task's options, and what is made of the answer.

    `overlay` is for tasks that can find places.
    """

    def run(video: Path, query: str | None = None, *, debug: bool = False, **given: Any) -> None:
        values = {option.name: given.pop(option.name) for option in task.options}
        put(task, video, query, values, **given)

    parameters = [*_parameters(task, asked, overlay)]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameters(task: Task, asked: str, overlay: bool) -> Iterator[Parameter]:
    def parameter(name: str, kind: Any, default: Any = None) -> Parameter:
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)

    words = typer.Argument(help=asked, metavar="QUERY", show_default=False)
    yield parameter("video", options.VideoPath, Parameter.empty)
    if task.query == "required":
        yield parameter("query", Annotated[str, words], Parameter.empty)
    else:
        yield parameter("query", Annotated[str | None, words])
    for option in task.options:
        yield parameter(option.name, *_taken(task, option))
    yield parameter("model", options.ModelPath)
    yield parameter("plot", options.Plot)
    if overlay:
        yield parameter("overlay", options.Overlay)
    yield parameter("save", options.Save)
    for name, kind in (("as_json", options.Json), ("quiet", options.Quiet), ("debug", options.Debug)):
        yield parameter(name, kind, False)


def _taken(task: Task, option: Option) -> tuple[Any, Any]:
    """How the command line takes an option, and its default. The task itself says what is wrong with a number or a box."""
    flag = options.flag(task.name, option.name)
    if option.type is bool:
        return Annotated[bool, flag], False
    return Annotated[(str if option.type in (str, tuple) else float) | None, flag], None
