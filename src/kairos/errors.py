"""Every exception that Kairos raises on purpose.

    KairosError                 something failed                                   exit code 1
    |-- InputError              what was given is wrong                            exit code 2
    |   |-- VideoError          missing, a directory, empty, not a video           .path
    |   |-- TimelineError       a record that cannot be read                       .path .line
    |   |-- OptionError         an absurd option: fps -3, nan, start after end     .option .value
    |   |-- ConfigError         a recipe with wrong keys or values, all at once    .path .errors
    |   |-- AnnotationError     an annotation file with problems, all at once      .path .errors
    |   `-- ModelError          weights missing or not a Kairos model              .path
    |-- EndpointError           a remote model is silent or not as asked           .url .status
    `-- MissingDependency       an optional package is not installed               .package .extra

A message is one line that names the thing; `hint` is the way out. `str(error)` holds both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = [
    "AnnotationError",
    "ConfigError",
    "EndpointError",
    "InputError",
    "KairosError",
    "MissingDependency",
    "ModelError",
    "OptionError",
    "TimelineError",
    "VideoError",
]

StrPath = str | os.PathLike[str]


class KairosError(Exception):
    """Something failed. `message` names the thing, `hint` (optional) says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = _one_line(message)
        self.hint = _one_line(hint) if hint else None
        super().__init__(f"{self.message} ({self.hint})" if self.hint else self.message)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive the default pickling of exceptions, and workers send errors home.
        return (_rebuild, (type(self), self.args, self.__dict__))


class InputError(KairosError):
    """What the user gave is wrong; giving something else helps."""

    exit_code = 2


class VideoError(InputError):
    """A file that cannot be used as a video. `path` is the file as it was given."""

    def __init__(self, message: str, *, path: StrPath | None = None, hint: str | None = None) -> None:
        self.path = None if path is None else os.fspath(path)
        super().__init__(message, hint=hint)


class TimelineError(InputError):
    """A timed record that breaks the rules. `path` and `line` (from 1) say where, when it came from a file."""

    def __init__(
        self,
        message: str,
        *,
        path: StrPath | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.reason = message
        where = ":".join(str(part) for part in (self.path, line) if part is not None)
        if self.path is None and line is not None:
            where = f"line {line}"
        super().__init__(f"{where}: {message}" if where else message, hint=hint)

    def at(self, path: StrPath | None, line: int | None) -> TimelineError:
        """Returns the same error with its place in a file."""
        return TimelineError(self.reason, path=path, line=line, hint=self.hint)


class OptionError(InputError):
    """An option outside of its range. `option` is its name, `value` what was given."""

    def __init__(
        self, message: str, *, option: str | None = None, value: object = None, hint: str | None = None
    ) -> None:
        self.option = option
        self.value = value
        super().__init__(message, hint=hint)


class _ListingError(InputError):
    """A file with several things wrong: `errors` lists every one of them, not only the first."""

    def __init__(
        self,
        message: str,
        *,
        path: StrPath | None = None,
        errors: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        self.path = None if path is None else os.fspath(path)
        self.errors = tuple(errors)
        super().__init__(message, hint=hint)


class ConfigError(_ListingError):
    """A configuration with wrong keys or values, all of them in `errors`."""


class AnnotationError(_ListingError):
    """A file of annotations that cannot be used as it is; `errors` has every problem, with its place in the file."""


class ModelError(InputError):
    """Weights that are missing, not safetensors, or not those of a Kairos model."""

    def __init__(self, message: str, *, path: StrPath | None = None, hint: str | None = None) -> None:
        self.path = None if path is None else os.fspath(path)
        super().__init__(message, hint=hint)


class EndpointError(KairosError):
    """A remote model that cannot be reached, refuses, or does not reply as asked. `status` is HTTP's, if it got so far."""

    def __init__(
        self, message: str, *, url: str | None = None, status: int | None = None, hint: str | None = None
    ) -> None:
        self.url = url
        self.status = status
        super().__init__(message, hint=hint)


class MissingDependency(KairosError):
    """An optional package is not installed; the hint is the exact command that installs it."""

    def __init__(self, package: str, *, extra: str | None = None, purpose: str | None = None) -> None:
        self.package = package
        self.extra = extra
        self.command = f'pip install "kairos-video[{extra}]"' if extra else f"pip install {package}"
        needed = f"{purpose} needs {package}, which is" if purpose else f"{package} is"
        super().__init__(f"{needed} not installed", hint=self.command)


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _rebuild(cls: type[KairosError], args: tuple[object, ...], state: dict[str, object]) -> KairosError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error
