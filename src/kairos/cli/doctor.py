"""`kairos doctor`: is this set-up able to work, and if not, which command mends it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from kairos import __version__
from kairos.cli import document, options
from kairos.errors import KairosError

NAME, HELP = "doctor", "Check the set-up: versions, codecs, weights, a clip written and read."

OK, WARNING, FAILED = "ok", "warning", "failed"
MARKS = {OK: ("ok  ", "green"), WARNING: ("warn", "yellow"), FAILED: ("FAIL", "red")}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is what to run where it is not well."""

    name: str
    status: str
    detail: str
    remedy: str | None = None


def run(as_json: options.Json = False, debug: options.Debug = False) -> None:
    import typer
    from rich.console import Console
    from rich.text import Text

    findings = list(examine())
    failed = [finding for finding in findings if finding.status == FAILED]
    if as_json:
        report = {
            **document.head("doctor"),
            "healthy": not failed,
            "findings": [asdict(f) for f in findings],
        }
        document.emit(report)
    else:
        console = Console(file=sys.stdout, highlight=False)
        for finding in findings:
            mark, style = MARKS[finding.status]
            console.print(Text.assemble((mark, style), f"  {finding.name}: {finding.detail}"), soft_wrap=True)
            if finding.remedy:
                console.print(Text(f"      {finding.remedy}", style="dim"), soft_wrap=True)
        console.print(
            "everything needed is here" if not failed else f"{len(failed)} of {len(findings)} checks failed"
        )
    if failed:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Yields what was found, one thing after the other; a check that breaks is itself a finding."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _requirements,
        _torch,
        _poison,
        _codecs,
        _clip,
        _weights,
        _plots,
    )
    for check in checks:
        name = check.__name__.strip("_")
        try:
            yield check()
        except KairosError as error:
            yield Finding(name, FAILED, error.message, error.hint)
        except Exception as error:
            yield Finding(name, FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _python() -> Finding:
    detail = (
        f"kairos {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    return Finding("python", OK, detail)


def _requirements() -> Finding:
    """Every requirement of the core that is missing or outside of its range."""
    from packaging.requirements import Requirement

    wrong, seen = [], []
    for line in metadata.requires("kairos-video") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        seen.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return Finding("requirements", FAILED, "; ".join(wrong), "pip install --upgrade kairos-video")
    return Finding("requirements", OK, ", ".join(seen))


def _torch() -> Finding:
    import torch

    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPU"
    if torch.cuda.is_available():
        device = f"{torch.cuda.get_device_name(0)}, {torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"
    else:
        device = f"no GPU in use, {torch.get_num_threads()} threads"
    return Finding("torch", OK, f"{torch.__version__}, {built}, {device}")


def _poison() -> Finding:
    """Packages that break transformers where they do not fit torch; tried in a process of their own."""
    present = []
    for package in ("torchvision", "torchaudio", "timm"):
        try:
            present.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    if not present:
        return Finding("environment", OK, "no torchvision, torchaudio or timm beside torch")
    names = [entry.split()[0] for entry in present]
    for name in names:
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return Finding(
                "environment",
                FAILED,
                f"{', '.join(present)} beside torch; import {name} fails: {reason}",
                f"{sys.executable} -m pip uninstall {' '.join(names)}",
            )
    return Finding(
        "environment", WARNING, f"{', '.join(present)} beside torch: not needed, they may break transformers"
    )


def _codecs() -> Finding:
    import av
    from av.codec import Codec

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            Codec(name, mode)
        except Exception:
            return False
        return True

    reads = [
        name
        for name in ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "aac", "opus", "mp3")
        if has(name, "r")
    ]
    writes = [name for name in ("libx264", "aac") if has(name, "w")]
    detail = f"PyAV {av.__version__}, reads {' '.join(reads)}, writes {' '.join(writes) or 'none'}"
    if "h264" not in reads:
        return Finding("codecs", FAILED, detail, f"{sys.executable} -m pip install --force-reinstall av")
    if len(writes) < 2:
        return Finding("codecs", WARNING, detail, "`kairos world render` needs libx264 and aac")
    return Finding("codecs", OK, detail)


def _clip() -> Finding:
    """Writes one second of grey frames that grow brighter and reads the last of them back."""
    import av
    import numpy as np

    from kairos.video import open as open_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for level in np.linspace(20, 220, 10):
                image = np.full((64, 64, 3), round(level), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        with open_video(path) as video:
            dark, bright = (float(image.mean()) for image in video.frames([0.05, 0.95]).images)
    if not (abs(dark - 20) < 12 and abs(bright - 220) < 12):
        return Finding(
            "clip",
            FAILED,
            f"a clip was read back with brightness {dark:.0f} and {bright:.0f}, not 20 and 220",
        )
    return Finding("clip", OK, "a clip was written, read back and is right")


def _weights() -> Finding:
    import kairos

    folder = Path(kairos.__file__).parent / "weights"
    shards = sorted(folder.rglob("*.safetensors"))
    if not shards:
        remedy = f"{sys.executable} -m pip install --force-reinstall --no-deps kairos-video"
        return Finding("weights", FAILED, "the embedded model is not in the package", remedy)
    total = hashlib.sha256()
    for shard in shards:
        total.update(shard.read_bytes())
    size = sum(shard.stat().st_size for shard in shards) / 2**20
    model = kairos.load()
    return Finding(
        "weights",
        OK,
        f"{model.config.name}, {len(shards)} shards, {size:.1f} MiB, sha256 {total.hexdigest()[:16]}, loads",
    )


def _plots() -> Finding:
    import matplotlib

    return Finding("plots", OK, f"matplotlib {matplotlib.__version__}")
