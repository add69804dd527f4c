"""A memory of stations that is changed as fast as it goes, each change confirmed on standard output. To be killed.

Apart from its test, so that the process to be killed need not import pytest.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from voltbench.adapters.ocpp_station.memory import Change, Memory

STATIONS = 7


def change(number: int) -> list[Change]:
    """The numbered change: an entry of up to some pages, and one that is forgotten."""
    return [(f"entry/{number % 20}", b"%d " % number * (number % 977)), (f"entry/{(number + 7) % 20}", None)]


async def change_until_killed(file: Path) -> None:
    """Make changes as fast as it goes, and confirm each on standard output. To be killed."""
    memory = Memory(file)
    number = int(memory.load("counter").get("last", b"0"))
    chance = random.Random(number)
    while True:
        for _ in range(chance.randint(1, 20)):
            number += 1
            memory.put(f"CP{number % STATIONS}", change(number))
            last = memory.put("counter", [("last", b"%d" % number)])
            last.add_done_callback(confirm(number))
        await last


def confirm(number: int) -> Callable[[asyncio.Future[None]], None]:
    def say(future: asyncio.Future[None]) -> None:
        future.result()
        os.write(sys.stdout.fileno(), b"%d\n" % number)

    return say


def run(file: Path) -> None:
    """What the process does."""
    asyncio.run(change_until_killed(file))
