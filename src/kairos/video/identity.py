"""The identity of a file's content: cheap for any length, the same under any name."""

from __future__ import annotations

import hashlib
import os

__all__ = ["BLOCK_BYTES", "content_id"]

BLOCK_BYTES = 1 << 20


def content_id(path: str | os.PathLike[str]) -> str:
    """Returns the hex SHA-256 over the size (8 bytes, little end first) and the first, middle and last MiB of a file.

    Files of up to 3 MiB are read whole. Not a proof against a forger who edits only what lies between the blocks.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(size.to_bytes(8, "little"))
        if size <= 3 * BLOCK_BYTES:
            digest.update(file.read())
        else:
            for offset in (0, (size - BLOCK_BYTES) // 2, size - BLOCK_BYTES):
                file.seek(offset)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()
