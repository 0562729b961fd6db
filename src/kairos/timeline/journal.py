"""A timeline's file that is written while things happen, and is a timeline whenever the process may end.

Each record is one line, handed to the system in one call: what was appended is in the file even if the process is killed
in the next instant. (Only the machine's own end can lose it: nothing waits for the disk.)
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from kairos.errors import InputError, KairosError
from kairos.timeline import jsonl
from kairos.timeline.files import atomic_write
from kairos.timeline.record import Record
from kairos.timeline.timeline import Timeline

__all__ = ["Journal"]

StrPath = str | os.PathLike[str]


class Journal:
    """An open file to which records are appended. Not for several threads at once.

    A file of that name is replaced. Raises InputError where the file cannot be written, KairosError where the disk is full;
    what had been appended before is still there and still a timeline.
    """

    def __init__(self, path: StrPath, video: str | None = None) -> None:
        self.path = os.fspath(path)
        with atomic_write(path) as file:
            file.writelines(jsonl.dump((), video, None))
        try:
            self._file: int | None = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise InputError(f"cannot write {self.path!r}: {error.strerror}") from error

    def append(self, record: Record) -> None:
        """Adds one record; when this returns, a reader sees it."""
        if self._file is None:
            raise KairosError(f"{self.path} is finished; nothing can be appended")
        line = jsonl.line(record).encode()
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(None, "no space left on the device")
        except OSError as error:
            os.ftruncate(self._file, size)  # half a line would spoil the file
            raise KairosError(
                f"cannot write {self.path!r}: {error.strerror}", hint="what was written before is still there"
            ) from error

    def finish(self, timeline: Timeline) -> None:
        """Puts the finished timeline in the place of what was appended, in one step, and closes the file."""
        if self._file is None:
            return
        try:
            timeline.to_jsonl(self.path)
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file as it stands; a second time does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
