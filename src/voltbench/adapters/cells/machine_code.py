"""Models in machine code: one that is solved often is compiled beside the solving, where there is a compiler.

A solver calls the functions of its model some thousand times, and CasADi interprets them: half of the time of a short
solve of SPMe, a quarter of DFN's. PyBaMM's own option `compile` waits for the compiler, and lets it contract products
and sums; here nobody waits, and answers stay the same to the bit.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import casadi
from pybamm.solvers import idaklu_solver

_log = logging.getLogger(__name__)

FLAGS = ("-O2", "-ffp-contract=off", "-fPIC", "-shared")

LONGEST_S = 600.0
"""Who has been at it for so long is taken for dead."""

LEFT_S = 86_400.0
"""What has been unfinished for so long, nobody is at any more."""

MOST_KEPT = 100
"""Libraries in a directory, of 0.1 to 2 MB each."""

SCRIPT = '{ nice -n 19 "$1" $2 "$3/model.c" -o "$3/model.so" && mv "$3/model.so" "$4"; rm -rf "$3" "$5"; } &'
"""It comes to its end by itself, whatever becomes of who has begun it, and nobody waits for it."""

_UNFINISHED = "making_"

Functions = Sequence[Any]
Translation = Callable[[Functions], Functions]


class Compiler:
    """Compiles functions of CasADi into a directory, which is to be nobody else's: what lies there is run."""

    def __init__(self, command: str, directory: Path) -> None:
        self._command, self._directory = command, directory

    def begin(self, functions: Functions) -> Path:
        """Where the library of these functions is, or will be unless compiling fails; one process is at it at a time.

        Raises OSError or SubprocessError where nothing can be written or begun.
        """
        library = self._directory / f"model_{_hash_of(functions)}.so"
        lock = library.with_suffix(".lock")
        if library.exists() or not _is_mine(lock):
            return library
        try:
            self._forget_old()
            self._compile(_c_code(library.stem, functions), library, lock)
        except BaseException:
            lock.unlink(missing_ok=True)
            raise
        return library

    def _compile(self, code: str, library: Path, lock: Path) -> None:
        """Compile where nobody else does: who was taken for dead may be at the same library still."""
        place, quiet = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._directory)), subprocess.DEVNULL
        try:
            (place / "model.c").write_text(code)
            command = ["/bin/sh", "-c", SCRIPT, "sh", self._command, " ".join(FLAGS), *map(str, (place, library, lock))]
            subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=True)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def _forget_old(self) -> None:
        for old in sorted(self._directory.glob("*.so"), key=_written_at, reverse=True)[MOST_KEPT:]:
            old.unlink(missing_ok=True)
        for left in self._directory.glob(f"{_UNFINISHED}*"):
            if time.time() - _written_at(left) > LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
        for lock in self._directory.glob("*.lock"):
            if time.time() - _written_at(lock) > LEFT_S:
                lock.unlink(missing_ok=True)


def _is_mine(lock: Path) -> bool:
    """Whether this process is the one to compile it, as nobody is at it."""
    for _ in range(2):
        with suppress(FileExistsError):
            lock.touch(exist_ok=False)
            return True
        if not lock.exists() or time.time() - _written_at(lock) <= LONGEST_S:
            return False  # who has just unlocked it is done with it
        lock.unlink(missing_ok=True)
    return False


def _written_at(path: Path) -> float:
    """When it was written; long ago, where another process has just taken it away."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def from_library(library: Path, functions: Functions) -> Functions:
    """The same functions, compiled. Raises RuntimeError where the library cannot be loaded."""
    return [casadi.external(function.name(), str(library)) for function in functions]


@contextmanager
def translated(by: Translation) -> Iterator[None]:
    """While a solver is set up with PyBaMM's option `compile`: what becomes of its functions."""
    theirs = idaklu_solver.aot_compile
    idaklu_solver.aot_compile = by
    try:
        yield
    finally:
        idaklu_solver.aot_compile = theirs


@cache
def compiler_here() -> Compiler | None:
    """The compiler of this machine, if there is one, with a directory that only this user can write to."""
    command = next((there for name in ("cc", "gcc", "clang") if (there := shutil.which(name))), None)
    if command is None or os.name != "posix":
        return None
    directory = Path(tempfile.gettempdir()) / f"voltbench-models-{os.getuid()}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        _log.info("models are not compiled: %s", error)
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    if not is_ours:
        _log.warning("models are not compiled: others may write to %s", directory)
    return Compiler(command, directory) if is_ours else None


def _c_code(name: str, functions: Functions) -> str:
    code = casadi.CodeGenerator(name, {"with_header": False})
    for function in functions:
        code.add(function)
    return str(code.dump())


def _hash_of(functions: Functions) -> str:
    told = sha256(" ".join((version("casadi"), *os.uname()[3:], *FLAGS)).encode())
    for function in functions:
        told.update(f"{function.name()} {function.serialize()}".encode())
    return told.hexdigest()[:32]
