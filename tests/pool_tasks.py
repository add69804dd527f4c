"""What tests have done in a pool. Its workers import this, so it imports little."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from voltbench.adapters.pool import begin_piece, progress
from voltbench.errors import InvalidInput

WARM: list[str] = []


def nothing() -> None:
    """As little as can be done."""


def double(number: int) -> int:
    return 2 * number


def echo(content: bytes) -> bytes:
    return content


def pid() -> int:
    return os.getpid()


def warm_up() -> None:
    WARM.append("warm")


def what_is_warm() -> list[str]:
    return WARM


def threads_for_numerics() -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def modules() -> list[str]:
    return list(sys.modules)


def wait_for(file: Path) -> int:
    """Until a file is there."""
    while not file.exists():
        time.sleep(0.002)
    return os.getpid()


def begin_and_wait_for(begun: Path, file: Path) -> int:
    """Say in one file that it runs, and wait for another."""
    begun.touch()
    return wait_for(file)


def run_for_ever(begun: Path) -> NoReturn:
    """An endless loop that never lets go of the interpreter for long."""
    begun.touch()
    while True:
        sum(range(1000))


def do_pieces(lasts_s: float) -> int:
    """Piece after piece, each of which is short, for so long in all; how many they were."""
    end, pieces = time.monotonic() + lasts_s, 0
    while time.monotonic() < end:
        begin_piece()
        pieces += 1
        sum(range(10_000))
    return pieces


def do_pieces_and_run_for_ever(begun: Path) -> NoReturn:
    """Three pieces, of which the last has no end."""
    for _ in range(3):
        begin_piece()
    run_for_ever(begun)


def hold_the_interpreter(begun: Path) -> NoReturn:
    """C code that runs for an hour, and lets no thread of Python run beside it."""
    begun.touch()
    ctypes.PyDLL(None).sleep(3600)
    raise AssertionError("nobody came")


def note(line: str, journal: Path) -> str:
    """Append a line to a file."""
    with journal.open("a") as file:
        file.write(f"{line}\n")
    return line


def segfault() -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError("this machine has something at 0")


def exit_at_once(code: int) -> NoReturn:
    os._exit(code)


def exit_as_a_program_would(code: int) -> NoReturn:
    sys.exit(code)


def be_killed(journal: Path) -> NoReturn:
    note("begun", journal)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def be_killed_at_first(marker: Path) -> str:
    """Is killed once, and done the second time."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fail_to_start() -> NoReturn:
    os._exit(7)


def raise_at_warm_up() -> NoReturn:
    raise ValueError("too cold")


class Awkward(Exception):
    """Can be pickled, and not read again: its arguments are not what it is made from."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("with a lock")
        self.lock = threading.Lock()


class UnreadableResult:
    """Cannot be read where it arrives."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _refuse, ("here",)


def _refuse(where: str) -> NoReturn:
    raise RuntimeError(f"not {where}")


def refuse(number: int) -> NoReturn:
    raise ValueError(f"not {number}")


def raise_awkwardly() -> NoReturn:
    raise Awkward("this", "that")


def raise_unpicklably() -> NoReturn:
    raise Unpicklable


def a_lock() -> object:
    return threading.Lock()


def an_unreadable_result() -> UnreadableResult:
    return UnreadableResult()


def tell(*fractions: float) -> str:
    for fraction in fractions:
        progress(fraction)
    return "told"


def tell_and_wait_for(fraction: float, file: Path) -> None:
    progress(fraction)
    wait_for(file)


def take_memory(count: int) -> int:
    """Have more memory for as long as the process lives."""
    WARM.append("x" * count)
    return os.getpid()


def take_memory_for_ever(begun: Path) -> NoReturn:
    kept = b"\1" * 200_000_000
    run_for_ever(begun)
    raise AssertionError(len(kept))


def print_and_wait(file: Path) -> None:
    print("working", flush=True)
    wait_for(file)


def keyed_pid(key: str) -> int:
    return os.getpid() if key else 0


def refuse_a_field(field: str, found: float) -> NoReturn:
    raise InvalidInput(field, "too much", found=found)


def work_a_little(number: int) -> int:
    """Some ten milliseconds of work."""
    end = time.process_time() + 0.01
    while time.process_time() < end:
        sum(range(1000))
    return 2 * number
