"""Files that stations deliver and fetch: diagnostics, logs, firmware. All of them lie in one directory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import msgspec

from voltbench.errors import InvalidInput

LARGEST_FILE = 64 << 20
LONGEST_NAME = 200
_ASIDE = ".arriving-"


class TooLargeError(Exception):
    """A file has more bytes than are taken."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file that is there."""

    name: str
    size: int
    at: int


class Files:
    """A directory with plain files, and nothing outside of it."""

    def __init__(self, directory: Path, largest: int = LARGEST_FILE) -> None:
        self.directory = directory
        self.largest = largest

    def path(self, name: str) -> Path:
        """Where a file is, or would be. Raises InvalidInput for what is no plain name."""
        is_plain = name.isprintable() and not name.startswith(".") and not {"/", "\\"} & set(name)
        if not is_plain or not 0 < len(name.encode(errors="replace")) <= LONGEST_NAME:
            allowed = f"a name of up to {LONGEST_NAME} bytes, without slashes and not beginning with a dot"
            raise InvalidInput("name", "is no plain file name", found=name, allowed=allowed)
        return self.directory / name

    async def take(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Keep a file, all of it or nothing; return its size. Raises TooLargeError, InvalidInput for its name."""
        path = self.path(name)
        aside = self.directory / f"{_ASIDE}{uuid4().hex}"
        file = await asyncio.to_thread(self._begin, aside)
        try:
            with file:
                size = await self._write(file, chunks)
            await asyncio.to_thread(os.replace, aside, path)
        finally:
            await asyncio.to_thread(aside.unlink, missing_ok=True)
        return size

    def _begin(self, aside: Path) -> BinaryIO:
        self.directory.mkdir(parents=True, exist_ok=True)
        return aside.open("xb")

    async def _write(self, file: BinaryIO, chunks: AsyncIterator[bytes]) -> int:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self.largest:
                raise TooLargeError
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        return size

    async def all(self) -> list[StoredFile]:
        """Every file, by its name."""
        return await asyncio.to_thread(self._all)

    def _all(self) -> list[StoredFile]:
        if not self.directory.is_dir():
            return []
        found = [path for path in sorted(self.directory.iterdir()) if path.is_file() and not path.name.startswith(".")]
        return [StoredFile(path.name, (stat := path.stat()).st_size, stat.st_mtime_ns // 1_000_000) for path in found]
