"""`kairos duet-data ANNOTATIONS`: training samples for the duet from annotated segments."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kairos.cli import document, options, save
from kairos.errors import AnnotationError, OptionError
from kairos.tasks import Option

if TYPE_CHECKING:
    from kairos.timeline import Timeline

NAME, HELP = "duet-data", "Make training samples for the duet from annotated segments."

SEED = Option(name="seed", help="equal seeds give equal samples", type=int, least=0)
PARALLEL = Option(name="parallel", help="requests at a time", type=int, least=1, most=256)
SHOWN = 5


def run(
    annotations: Annotated[
        list[Path],
        typer.Argument(
            help="Official annotation files, or Kairos timelines.", metavar="FILE...", show_default=False
        ),
    ],
    kind: Annotated[str, typer.Option("--kind", help="caption, magqa or ground.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="File to write, FILE.jsonl.", show_default=False)],
    insertion: Annotated[
        str, typer.Option("--insertion", help="Responses at a random place in their segment, or at its end.")
    ] = "random",
    informative: Annotated[
        str, typer.Option("--informative", help="all ticks before a response are informative, or one.")
    ] = "all",
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal samples.")] = 0,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Go on without entries that have problems, and list them.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            help="Where a language model writes the questions of magqa from captions, http://HOST/v1.",
            metavar="URL",
        ),
    ] = None,
    endpoint_model: Annotated[
        str | None, typer.Option("--endpoint-model", help="That model's name.", metavar="NAME")
    ] = None,
    replies: Annotated[
        Path | None,
        typer.Option(
            "--replies", help="Folder that keeps its replies; OUT.replies if left out.", show_default=False
        ),
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", help="Requests at a time.")] = 4,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    SEED.check(seed)
    PARALLEL.check(parallel)
    save.check(out, "--out", (".jsonl",))
    if replies is not None:
        save.check_folder(replies, "--replies")

    from kairos.train import duet

    for name, value, known in (
        ("kind", kind, duet.KINDS),
        ("insertion", insertion, duet.INSERTIONS),
        ("informative", informative, duet.INFORMATIVE),
    ):
        if value not in known:
            hint = f"choose one of {', '.join(known)}"
            raise OptionError(f"--{name} {value} is unknown", option=name, value=value, hint=hint)
    if endpoint is not None and kind != "magqa":
        raise OptionError(f"--endpoint has no part in --kind {kind}", option="endpoint", value=endpoint)
    if endpoint is not None and not endpoint_model:
        raise OptionError("--endpoint needs --endpoint-model", option="endpoint-model")

    import numpy as np

    from kairos.bench.annotations import read
    from kairos.train import samples

    found = [read(path, leave_out=leave_out) for path in annotations]
    problems = [problem for file in found for problem in file.problems]
    timelines = [(k, timeline) for k, file in enumerate(found) for timeline in file.timelines]
    timelines, missing = _of_known_length(timelines)
    if missing and not leave_out:
        raise _without_length(missing)
    problems += [f"{video}: its length is not known" for video in missing]
    if endpoint is not None and endpoint_model is not None:
        folder = out.with_suffix(".replies") if replies is None else replies
        timelines, silent = _asked(timelines, endpoint, endpoint_model, folder, parallel, leave_out, quiet)
        problems += silent
    made = [
        sample
        for k, timeline in timelines
        for sample in duet.samples(
            timeline,
            kind,
            np.random.default_rng((seed, k, zlib.crc32((timeline.video or "").encode()))),
            insertion=insertion,
            informative=informative,
        )
    ]
    if not made:
        raise AnnotationError(
            f"{', '.join(map(str, annotations))}: nothing for a sample of the kind {kind}",
            errors=problems,
            hint="--endpoint URL --endpoint-model NAME writes questions from captions"
            if kind == "magqa"
            else None,
        )
    facts = {"kind": kind, "seed": seed, "insertion": insertion, "informative": informative}
    samples.write(out, made, **facts, sources=[path.name for path in annotations])
    counts = {
        "samples": len(made),
        "videos": len({sample.video for sample in made}),
        "responses": sum(len(sample.responses) for sample in made),
        "left_out": len(problems),
    }
    if as_json:
        document.emit(
            {**document.head("duet-data"), **facts, **counts, "out": str(out), "problems": problems}
        )
        return
    typer.echo(f"{counts['samples']} samples of {counts['videos']} videos in {out}")
    for problem in problems[:SHOWN]:
        typer.echo(f"left out: {problem}", err=True)
    if len(problems) > SHOWN:
        typer.echo(f"left out: {len(problems) - SHOWN} more (--json lists them)", err=True)


Numbered = list[tuple[int, "Timeline"]]
"""Timelines, each with the number of its file."""


def _of_known_length(timelines: Numbered) -> tuple[Numbered, list[str]]:
    missing = [timeline.video or "" for _, timeline in timelines if timeline.duration is None]
    return [(k, timeline) for k, timeline in timelines if timeline.duration is not None], missing


def _without_length(videos: Sequence[str]) -> AnnotationError:
    shown = ", ".join(videos[:SHOWN]) + (" ..." if len(videos) > SHOWN else "")
    return AnnotationError(
        f"the length of {len(videos)} videos is not known: {shown}",
        errors=[f"{video}: its length is not known" for video in videos],
        hint="for Charades put Charades_v1_train.csv and Charades_v1_test.csv beside the file; --leave-out goes on without them",
    )


def _asked(
    timelines: Numbered,
    url: str,
    model: str,
    replies: Path,
    parallel: int,
    leave_out: bool,
    quiet: bool,
) -> tuple[Numbered, list[str]]:
    """A timeline with one standing question for each that has captions; videos that the model gave no question to."""
    from kairos.cli.progress import counting
    from kairos.endpoint import Endpoint
    from kairos.timeline import Answer, Timeline
    from kairos.train.duet import segments_of
    from kairos.train.magqa import questions

    told = [(k, timeline) for k, timeline in timelines if segments_of(timeline)]
    ask = Endpoint(url, model, cache=replies).parsed
    with counting(f"asking {model}", "videos", quiet=quiet) as update:
        written = questions([timeline for _, timeline in told], ask, parallel=parallel, progress=update)
    result, problems = [], []
    for (k, timeline), answer in zip(told, written, strict=True):
        if isinstance(answer, Answer):
            result.append((k, Timeline([answer], timeline.video, timeline.duration)))
        elif leave_out:
            problems.append(f"{timeline.video}: {answer.message}")
        else:
            raise answer
    return result, problems
