"""`kairos score TASK`: official files in, the published protocol's numbers out, with intervals; or two models compared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kairos.bench.protocols import PROTOCOLS
from kairos.cli import document, options, save
from kairos.errors import AnnotationError, InputError, OptionError
from kairos.tasks import Option

if TYPE_CHECKING:
    from kairos.bench.protocols.comparing import Comparison
    from kairos.bench.protocols.scoring import Scoring
    from kairos.bench.report import Report

NAME, HELP = "score", "Score predictions by a benchmark's published protocol."

SEED = Option(name="seed", help="equal seeds give equal intervals", type=int, least=0)
EXAMPLES = Option(name="examples", help="items shown on each side", type=int, least=0)
NAMES = "; ".join(f"{name}: {what}" for name, (_, what) in PROTOCOLS.items())
MOST_PROBLEMS = 1000


def run(
    task: Annotated[
        str | None, typer.Argument(help=f"Which benchmark. {NAMES}.", metavar="TASK", show_default=False)
    ] = None,
    pred: Annotated[
        list[Path] | None,
        typer.Option("--pred", help="Predictions; once for each file.", metavar="FILE", show_default=False),
    ] = None,
    ref: Annotated[
        Path | None,
        typer.Option("--ref", help="References: the official file.", metavar="FILE", show_default=False),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            help="official (with the script's quirks, as published) or strict (mended); without it both.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            help="What of a missing or broken prediction: error (tell every problem and end), zero (it says nothing), "
            "skip (leave it out).",
        ),
    ] = "error",
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--compare",
            help="Two files of predictions (with TASK), or two files of items (from --items), tested against each other.",
            metavar="A B",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", help="How many wins and losses --compare shows.")
    ] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal intervals.")] = 0,
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", help="Write each item's scores to FILE.jsonl.", metavar="FILE", show_default=False
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--save", help="Write the table to FILE.md.", metavar="FILE", show_default=False),
    ] = None,
    lmms_eval: Annotated[
        Path | None,
        typer.Option(
            "--lmms-eval",
            help="Write questions, replies and numbers to FOLDER as lmms-eval's files.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    vlmevalkit: Annotated[
        Path | None,
        typer.Option(
            "--vlmevalkit",
            help="Write questions and replies to FOLDER as VLMEvalKit's table.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="The model's name in those files (its predictions' name).",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Draw the numbers with their intervals to FILE.png.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Score predictions by a benchmark's published protocol, or compare two sets of them."""
    SEED.check(seed)
    EXAMPLES.check(examples)
    for path, option, suffixes in (
        (items, "--items", (".jsonl",)),
        (table, "--save", (".md",)),
        (plot, "--plot", save.PICTURES),
    ):
        if path is not None:
            save.check(path, option, suffixes)
    try:
        if compare is None:
            scoring = _scored(task, pred, ref, protocol, missing, seed)
            report, shown = scoring.report(), _shown(scoring)
        else:
            scoring = None
            report, shown = _compared(task, pred, ref, protocol, missing, compare, examples, seed)
    except AnnotationError as error:
        raise _told(error) from error
    for path, option in ((items, "items"), (lmms_eval, "lmms_eval"), (vlmevalkit, "vlmevalkit")):
        if path is not None and scoring is None:
            raise OptionError("--compare scores no items of one model", option=option)
    if scoring is not None:
        if items is not None:
            from kairos.bench.protocols.scoring import line

            _write(items, [line(row) for row in scoring.rows(next(iter(scoring.scored)))])
        if lmms_eval is not None or vlmevalkit is not None:
            _export(scoring, lmms_eval, vlmevalkit, model or (pred or [Path("model")])[0].stem)
    if table is not None:
        _write(table, [report.markdown()])
    if plot is not None:
        from kairos.bench.protocols.picture import draw

        draw(report, plot)
    if as_json:
        document.emit({**document.head("score"), "task": task, **shown})
    else:
        from kairos.cli.tables import show

        show(report)


def _scored(
    task: str | None,
    pred: list[Path] | None,
    ref: Path | None,
    protocol: str | None,
    missing: Any,
    seed: int,
) -> Scoring:
    from kairos.bench.protocols import scoring

    _check_missing(missing)
    if task is None:
        raise OptionError(
            "a TASK is missing", option="task", hint=f"one of {', '.join(PROTOCOLS)}; or --compare A B"
        )
    ways = scoring.WAYS if protocol is None else (protocol,)
    return scoring.score(task, pred or [], ref, ways=ways, missing=missing, seed=seed)


def _shown(scoring: Scoring) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "protocols": list(scoring.scored),
        **scoring.report(detail=True).to_dict(),
        "problems": list(scoring.matched.problems),
    }


def _compared(
    task: str | None,
    pred: list[Path] | None,
    ref: Path | None,
    protocol: str | None,
    missing: Any,
    compare: tuple[Path, Path],
    examples: int,
    seed: int,
) -> tuple[Report, dict[str, Any]]:
    from kairos.bench.protocols import comparing

    _check_missing(missing)
    if pred:
        raise OptionError("--compare names the predictions itself", option="pred", hint="leave --pred out")
    a, b = compare
    found: Comparison = (
        comparing.of_items(a, b, missing=missing, seed=seed, examples=examples)
        if task is None
        else comparing.of_predictions(
            task, a, b, ref, way=protocol or "official", missing=missing, seed=seed, examples=examples
        )
    )
    return found.report(), comparing.to_dict(found)


def _check_missing(missing: str) -> None:
    from kairos.bench.protocols import scoring

    if missing not in scoring.MISSING:
        raise OptionError(
            f"--missing must be one of {', '.join(scoring.MISSING)}, not {missing!r}",
            option="missing",
            value=missing,
        )


def _export(scoring: Scoring, lmms_eval: Path | None, vlmevalkit: Path | None, model: str) -> None:
    from kairos.bench.harness import write_lmms_eval, write_vlmevalkit
    from kairos.bench.protocols.choices import asked

    name, way = scoring.matched.protocol.name, next(iter(scoring.scored))
    replies = asked(scoring, way)
    if lmms_eval is not None:
        lmms_eval.mkdir(parents=True, exist_ok=True)
        found = {
            n: q.value for (section, n), q in scoring.intervals[way].items() if q is not None and not section
        }
        write_lmms_eval(lmms_eval, name, model, replies, found)
    if vlmevalkit is not None:
        vlmevalkit.mkdir(parents=True, exist_ok=True)
        write_vlmevalkit(vlmevalkit, name, model, replies)


def _told(error: AnnotationError) -> InputError:
    """Says every problem on a line of its own, where there are several, and returns what is left to say."""
    if len(error.errors) < 2:
        return error
    for problem in error.errors[:MOST_PROBLEMS]:
        print(problem, file=sys.stderr)
    rest = len(error.errors) - MOST_PROBLEMS
    if rest > 0:
        print(f"and {rest} more", file=sys.stderr)
    return InputError(f"{len(error.errors)} problems", hint=error.hint)


def _write(path: Path, parts: list[str]) -> None:
    from kairos.timeline.files import atomic_write

    with atomic_write(path) as file:
        file.writelines(parts)
