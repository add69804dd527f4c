"""Files that stations deliver and fetch: diagnostics, logs, firmware. All of them lie below one directory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote
from uuid import uuid4

import msgspec

from voltbench.errors import Conflict, InvalidInput

LARGEST_FILE = 64 << 20
LONGEST_NAME = 200
_ASIDE = ".arriving-"
_OF_STATIONS = ".stations"
"""The folder with a folder for each station that has delivered anything. No file can have that name."""


class TooLargeError(Exception):
    """A file has more bytes than are taken."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file that is there; `station` is who delivered it by its own password."""

    name: str
    size: int
    at: int
    station: str | None = None


class Files:
    """A directory with plain files, and nothing outside of it; what each station delivers lies apart."""

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

    def of(self, station: str) -> Files:
        """The files that a station has delivered by its own password."""
        folder = quote(station, safe="").replace(".", "%2E")  # else `..` would lead out of here
        return Files(self.directory / _OF_STATIONS / folder, self.largest)

    async def take(self, name: str, chunks: AsyncIterator[bytes], *, replaces: bool = True) -> int:
        """Keep a file, all of it or nothing; return its size. Raises TooLargeError, InvalidInput for its name.

        Raises Conflict where there is one of that name already and this one does not replace it.
        """
        path = self.path(name)
        if not replaces and path.exists():
            raise _is_there(name)
        aside = self.directory / f"{_ASIDE}{uuid4().hex}"
        file = await self._begun(aside)
        try:
            with file:
                size = await self._write(file, chunks)
            await asyncio.to_thread(os.replace if replaces else os.link, aside, path)
        except FileExistsError as error:
            raise _is_there(name) from error
        finally:
            await asyncio.to_thread(aside.unlink, missing_ok=True)
        return size

    async def _begun(self, aside: Path) -> BinaryIO:
        beginning = asyncio.create_task(asyncio.to_thread(self._begin, aside))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            with suppress(OSError):  # the thread goes on all the same
                (await beginning).close()
                await asyncio.to_thread(aside.unlink)
            raise

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

    async def clear(self) -> None:
        """Leave nothing that was still arriving when the process before this one was killed."""
        await asyncio.to_thread(self._clear)

    def _clear(self) -> None:
        for directory in (self.directory, *_plain(self.directory / _OF_STATIONS, Path.is_dir)):
            for aside in directory.glob(f"{_ASIDE}*"):
                aside.unlink()

    async def all(self) -> list[StoredFile]:
        """Every file by its name, and then those of each station."""
        return await asyncio.to_thread(self._all)

    def _all(self) -> list[StoredFile]:
        folders = _plain(self.directory / _OF_STATIONS, Path.is_dir)
        of_stations = [(unquote(folder.name), path) for folder in folders for path in _plain(folder, Path.is_file)]
        return [_stored(path, None) for path in _plain(self.directory, Path.is_file)] + [
            _stored(path, station) for station, path in of_stations
        ]


def _plain(directory: Path, is_wanted: Callable[[Path], bool]) -> list[Path]:
    """What is in a directory, if there is one, but for what is still arriving."""
    if not directory.is_dir():
        return []
    return [path for path in sorted(directory.iterdir()) if is_wanted(path) and not path.name.startswith(".")]


def _stored(path: Path, station: str | None) -> StoredFile:
    known = path.stat()
    return StoredFile(path.name, known.st_size, known.st_mtime_ns // 1_000_000, station)


def _is_there(name: str) -> Conflict:
    return Conflict("file", name, "is there already")
