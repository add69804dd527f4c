"""One worker, as its parent sees it: a process, the socket to it, and what it is doing."""

from __future__ import annotations

import math
import os
import resource
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import NamedTuple

from voltbench.adapters.pool.frames import TASK, Frame, FrameReader, frame_parts
from voltbench.adapters.pool.task import Task

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("MKL", "NUMEXPR", "OMP", "OPENBLAS")}
"""Environment of a worker: there are as many of them as cores, so each has one."""

_SEND_BUFFER_BYTES = 1 << 20
"""So that large payloads take few turns. The system may grant less."""

_BEGIN = """\
import sys
descriptor, parent, *sys.path = sys.argv[1:]
del sys.argv[1:]
from voltbench.adapters.pool.worker import main
main(int(descriptor), int(parent))
"""


class Doom(NamedTuple):
    """Why a worker is killed, and what becomes of its task."""

    cause: str
    then: Callable[[Task], None]


class WorkerProcess:
    """A worker, started. Once it has a `doom` it has been killed, and what it still says is not listened to."""

    def __init__(self, path: Sequence[str], environment: Mapping[str, str]) -> None:
        self.line, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _BEGIN, str(theirs.fileno()), str(os.getpid()), *path]
            try:
                self._process = Popen(command, stdin=DEVNULL, pass_fds=[theirs.fileno()], env=environment)
            except BaseException:
                self.line.close()
                raise
        self.line.setblocking(False)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.pid = self._process.pid
        self.sentinel = _sentinel(self.pid)
        self.task: Task | None = None
        self.since = 0.0
        self.deadline = math.inf
        self.is_ready = False
        self.is_leaving = False
        self.is_deaf = False
        self.is_gone = False
        self.doom: Doom | None = None
        self._reader = FrameReader()
        self._outgoing: deque[memoryview] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether it may be given a task."""
        return self.is_ready and self.task is None and self.doom is None and not (self.is_leaving or self.is_deaf)

    @property
    def has_more_to_send(self) -> bool:
        """Whether something waits until its socket takes more."""
        return bool(self._outgoing)

    def send_task(self, number: int, payload: bytes) -> None:
        """Send a task, now or as soon as the socket takes it."""
        self._outgoing.extend(frame_parts(TASK, number, payload))
        self.send_more()

    def send_more(self) -> None:
        """Send what the socket takes. OSError if nobody is at its other end."""
        while self._outgoing:
            part = self._outgoing[0]
            try:
                sent = self.line.send(part)
            except BlockingIOError:
                return
            if sent == len(part):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = part[sent:]

    def frames(self) -> Iterator[Frame]:
        """The frames that are there. EOFError if there will be no more, `Garbled` if they are none."""
        while True:
            room = self._reader.room()
            try:
                count = self.line.recv_into(room)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            if not count:
                raise EOFError
            yield from self._reader.received(count)
            if count < len(room):  # there was no more; an end that comes now is told in its turn
                return

    def leave(self) -> None:
        """Let it end by itself, once it has nothing to do."""
        self.is_leaving = True
        try:
            self.line.shutdown(socket.SHUT_WR)
        except OSError:  # its end is closed already
            self.kill()

    def kill(self) -> None:
        """End it, so that it can do nothing more."""
        self.deadline = math.inf
        self._process.send_signal(signal.SIGKILL)

    def reap(self) -> str:
        """What it died of; it is dead, or dying."""
        ended = self._process.wait()
        self.is_gone = True
        self.line.close()
        if self.sentinel is not None:
            os.close(self.sentinel)
        return _cause(ended)

    def rss_bytes(self) -> int:
        """How much memory it has now."""
        return rss_bytes(self.pid)


def rss_bytes(pid: int) -> int:
    """How much memory a process has; 0 if there is no telling."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def worker_path() -> list[str]:
    """Where modules are looked for here, also for a process that begins elsewhere."""
    return [str(Path(place).absolute()) for place in sys.path]


def _sentinel(pid: int) -> int | None:
    """What can be read from when the process has ended; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _cause(ended: int) -> str:
    if ended >= 0:
        return f"exit code {ended}"
    try:
        return signal.Signals(-ended).name
    except ValueError:
        return f"signal {-ended}"
