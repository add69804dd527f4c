"""Programs of ours in processes of their own, which begin at once: they fork off one that has imported everything.

What they do is what `voltbench` does at a prompt, from its command line on. That it can be started there too, each
command's own test says.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any

from tests.waiting import eventually
from voltbench.apps.cli import main

IMPORTED = [f"voltbench.apps.{name}" for name in ("catalog", "charge", "csms", "fleet", "home", "simulate", "up")] + [
    "tests.programs"
]
"""What takes its time at a start."""


class Program:
    """A process that does something of ours; what it says goes to a file, or two. It is used like a `Popen`."""

    def __init__(
        self, work: Callable[..., object], *arguments: Any, directory: Path, log: Path, errors: Path | None = None
    ) -> None:
        task = (work, arguments, directory, log, errors or log)
        self._process: BaseProcess = _forks().Process(target=_begin, args=task, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it has ended, if it has: its exit code, or the negative number of a signal."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ends."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, so that it can do nothing more."""
        self.send_signal(signal.SIGKILL)


def voltbench(
    *arguments: str,
    directory: Path,
    log: Path,
    errors: Path | None = None,
    constants: Mapping[str, object] | None = None,
) -> Program:
    """A `voltbench` with these arguments, started in a directory, in which some `constants` are others.

    Those are named `MODULE:NAME`: so nobody has to wait as long as a person would be waited for.
    """
    return Program(_voltbench, arguments, constants or {}, directory=directory, log=log, errors=errors)


def done_by_voltbench(*arguments: str, environment: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """What comes of a `voltbench` with these arguments that ends by itself."""
    with TemporaryDirectory() as aside:
        said, complained = Path(aside) / "said", Path(aside) / "complained"
        program = Program(_voltbench, arguments, {}, environment, directory=Path.cwd(), log=said, errors=complained)
        ended = program.wait(120)
        return CompletedProcess(arguments, ended, said.read_text(), complained.read_text())


def said_until_killed(work: Callable[..., object], *arguments: Any, log: Path, lines: int) -> list[bytes]:
    """The lines that a program says until it is killed, which is once it has said so many."""
    log.write_bytes(b"")
    program = Program(work, *arguments, directory=log.parent, log=log)
    try:
        eventually(lambda: log.read_bytes().count(b"\n") >= lines or program.poll())
    finally:
        program.kill()
        ended = program.wait()
    assert ended == -signal.SIGKILL, log.read_bytes().decode()
    return log.read_bytes().split(b"\n")[:-1]


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _voltbench(
    arguments: tuple[str, ...], constants: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> None:
    os.environ.update(environment or {})
    for place, constant in constants.items():
        module, _, name = place.partition(":")
        assert hasattr(import_module(module), name), place
        setattr(import_module(module), name, constant)
    sys.argv = ["voltbench", *arguments]
    main()


def _begin(work: Callable[..., object], arguments: tuple[Any, ...], directory: Path, log: Path, errors: Path) -> None:
    """What a process does: it takes its place, as if a shell had started it at a terminal, and works."""
    with log.open("ab", buffering=0) as said, errors.open("ab", buffering=0) as complained:
        os.dup2(said.fileno(), 1)
        os.dup2(complained.fileno(), 2)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs these tests may take no notice of it, as by `nohup`
    os.chdir(directory)
    work(*arguments)
