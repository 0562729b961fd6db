"""Writing files so that a reader never sees half of one: a temporary file beside the target, then one rename."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kairos.errors import InputError

__all__ = ["atomic_path", "atomic_write"]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`, with the same suffix, that replaces `path` when the block ends.

    For writers that want a name rather than an open file. If the block raises, the temporary file is removed and
    `path` stays as it was. Devices and pipes (`/dev/stdout`) are written through, never replaced.
    Raises InputError where `path` is a directory or its folder is missing or not writable.
    """
    given = os.fspath(path)
    target = Path(os.path.realpath(given))
    if not given or target.is_dir():
        raise InputError(f"cannot write {given!r}: it is a directory", hint="give the name of a file")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {given!r}: its folder does not exist", hint=f"create {target.parent}")
    through = target.exists() and not stat.S_ISREG(target.stat().st_mode)
    folder = Path(tempfile.gettempdir()) if through else target.parent
    temporary = folder / f".{target.stem[:100]}.{os.getpid()}-{secrets.token_hex(4)}.tmp{target.suffix}"
    try:
        yield temporary
        if through:
            with open(temporary, "rb") as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            os.replace(temporary, target)
    except OSError as error:
        if error.filename in (None, str(temporary), temporary):
            reason = error.strerror or str(error)
            raise InputError(f"cannot write {given!r}: {reason}", hint="write to another folder") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], mode: str = "w", encoding: str | None = None
) -> Iterator[IO[Any]]:
    """Yields an open file whose content becomes `path` in one step when the block ends without an error.

    `mode` is "w" (UTF-8 text with "\\n" line ends unless `encoding` says otherwise) or "wb". Errors as in `atomic_path`.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode must be 'w' or 'wb', not {mode!r}")
    text = mode == "w"
    with atomic_path(path) as temporary:
        with open(
            temporary,
            "x" if text else "xb",
            encoding=(encoding or "utf-8") if text else None,
            newline="\n" if text else None,
        ) as file:
            yield file
