"""A program that has a pool, to be ended in one way or another: by itself, by Ctrl-C, or by `kill -9`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import pool_tasks
from voltbench.adapters.pool import ProcessPool


def main(ending: str, directory: Path) -> None:
    """Have two tasks that never end, say which processes do them, and end."""
    pool = ProcessPool(2)
    begun = [directory / "one", directory / "two"]
    pool.submit(pool_tasks.run_for_ever, begun[0])
    deaf = pool.submit(pool_tasks.hold_the_interpreter, begun[1])
    for file in begun:
        pool_tasks.wait_for(file)
    print(*(worker.pid for worker in pool.stats().workers), flush=True)
    if ending != "leave":
        deaf.result()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
