"""Files of results: what tables can be written as, and a directory that appears as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal, TypeAlias, get_args

from voltbench.errors import InvalidInput

Format: TypeAlias = Literal["parquet", "csv"]
"""What tables can be written as."""

FORMATS: tuple[Format, ...] = get_args(Format)


@contextmanager
def whole_directory(target: Path, ours: Collection[str] = ()) -> Iterator[Path]:
    """A directory to write in, which becomes `target` at the end; if anything goes wrong before, it vanishes.

    Where `target` holds files already, each file is replaced as a whole; files of the names `ours` that were not
    written now are of an earlier time and go, files of other names stay. Raises InvalidInput when nothing can be
    written there.
    """
    target = target.resolve()
    part = _existing_ancestor(target) / f".{target.name}.{os.getpid()}.part"
    try:
        with _refused_in_our_words(target):
            part.mkdir()
            yield part
            _become(part, target, ours)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def require_writable(target: Path) -> None:
    """Make a directory to write in, if need be. Raises InvalidInput where nothing can be written there."""
    target = target.resolve()
    _existing_ancestor(target)
    with _refused_in_our_words(target):
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target):
            pass


def _existing_ancestor(target: Path) -> Path:
    """The closest directory above the target: on its disk, so that a rename is all it takes."""
    if target.exists() and not target.is_dir():
        raise InvalidInput("--out", "is a file", found=str(target), allowed="a directory, which may be new")
    return next(parent for parent in target.parents if parent.is_dir())


def _become(part: Path, target: Path, ours: Collection[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or not any(target.iterdir()):
        part.replace(target)
        return
    for name in ours:
        if not (part / name).exists():
            (target / name).unlink(missing_ok=True)
    for path in sorted(part.rglob("*")):
        final = target / path.relative_to(part)
        if path.is_dir():
            final.mkdir(exist_ok=True)
        else:
            path.replace(final)


@contextmanager
def _refused_in_our_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            "--out", f"cannot be written ({error.strerror})", found=str(target), allowed="a directory of yours"
        ) from error
