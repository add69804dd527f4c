"""What a worker does: task after task, as they come through its socket, until that ends or its parent does.

Imports here are few, since every new process waits for them; what a task needs is imported when it is unpickled.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import sys
import threading
from functools import partial
from typing import Any

from voltbench.adapters.pool.frames import (
    DONE,
    FAILED,
    PIECE,
    PROGRESS,
    Frame,
    FrameReader,
    fraction_payload,
    frame_parts,
)
from voltbench.adapters.pool.reporting import REPORTER

_PR_SET_PDEATHSIG = 1
_KILLED_FIRST = b"500"


def main(descriptor: int, parent: int) -> None:
    """Work for a parent, whose other end of the socket is."""
    _leave_interrupts_to_the_parent()
    _die_with(parent)
    _be_killed_first()
    with socket.socket(fileno=descriptor) as line:
        line.set_inheritable(False)
        threading.Thread(target=_end_with, args=(line.fileno(),), daemon=True).start()
        try:
            _work(line)
        except OSError:  # nobody is left to answer
            os._exit(1)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the parent had it blocked until here


def _die_with(parent: int) -> None:
    """Be killed by the kernel when the parent ends, whatever is running here."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not needed elsewhere

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)


def _be_killed_first() -> None:
    """Where memory runs out, let the kernel choose this process rather than its parent, which has more to lose."""
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "r+b", buffering=0) as adjustment:
            if int(adjustment.read()) < int(_KILLED_FIRST):
                adjustment.write(_KILLED_FIRST)


def _end_with(descriptor: int) -> None:
    """Exit at once when the other end is closed, also in the middle of a task."""
    poll = select.poll()
    poll.register(descriptor, 0)  # nothing but the hang-up, which is always told
    poll.poll()
    os._exit(1)


def _work(line: socket.socket) -> None:
    sending = threading.Lock()

    def send(kind: int, task: int, payload: bytes) -> None:
        with sending:
            for part in frame_parts(kind, task, payload):
                line.sendall(part)

    def report(task: int, fraction: float) -> None:
        send(PROGRESS, task, fraction_payload(fraction))

    reader = FrameReader()
    while count := line.recv_into(reader.room()):
        for frame in reader.received(count):
            REPORTER.begin(partial(report, frame.task), partial(send, PIECE, frame.task, b""))
            kind, payload = _answer(frame)
            REPORTER.end()
            send(kind, frame.task, payload)


def _answer(frame: Frame) -> tuple[int, bytes]:
    """The kind and payload that answer a task. Nothing that a task raises goes further than this."""
    try:
        return DONE, _pickled_result(_done(frame.payload))
    except BaseException as error:
        return FAILED, _pickled_failure(error)


def _done(payload: bytearray) -> Any:
    try:
        work, arguments, keywords = pickle.loads(payload)
    except Exception as error:
        from voltbench.adapters.pool.errors import NotPicklable  # noqa: PLC0415

        raise NotPicklable("the function or an argument", _sentence(error)) from error
    return work(*arguments, **keywords)


def _pickled_result(result: Any) -> bytes:
    try:
        return pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        from voltbench.adapters.pool.errors import NotPicklable  # noqa: PLC0415

        raise NotPicklable(f"the result, a {type(result).__name__},", _sentence(error)) from error


def _pickled_failure(error: BaseException) -> bytes:
    """The exception if it can be pickled; the name of its type, its text, and its traceback."""
    import traceback  # noqa: PLC0415

    try:
        text = str(error)
        trace = "".join(traceback.format_exception(error))
    except Exception as another:
        text = trace = f"an exception that cannot say what it is: {_sentence(another)}"
    try:
        itself = pickle.dumps(error, pickle.HIGHEST_PROTOCOL) if isinstance(error, Exception) else None
    except Exception:
        itself = None
    return pickle.dumps((itself, type(error).__name__, text, trace), pickle.HIGHEST_PROTOCOL)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
