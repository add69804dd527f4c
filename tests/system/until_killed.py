"""A site's inputs being stored as fast as it goes, each confirmed on standard output. To be killed.

Apart from its test, so that the process to be killed need not import pytest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from collections.abc import Callable

from voltbench.adapters.store import InputTaken, SessionEnded, SiteSaved, SnapshotTaken, Store, Write

SITE = "depot"


def an_input(sequence: int) -> InputTaken:
    """An input of up to some pages, so that there is something to be torn."""
    content = hashlib.sha256(str(sequence).encode()).digest()
    return InputTaken(SITE, sequence, sequence, content * (1 + content[0] ** 2 // 100))


def a_session(sequence: int) -> SessionEnded:
    return SessionEnded(SITE, str(sequence), "CP001", "1", sequence, sequence, 1.5 * sequence, "Local", {"n": sequence})


def a_snapshot(sequence: int) -> SnapshotTaken:
    return SnapshotTaken(SITE, sequence, sequence, b"state %d" % sequence * 5_000)


def a_group(sequence: int) -> list[Write]:
    """An input, every other time with a session that it ends, and now and then with a snapshot."""
    group: list[Write] = [an_input(sequence)]
    if sequence % 2 == 0:
        group.append(a_session(sequence))
    if sequence % 50 == 0:
        group.append(a_snapshot(sequence))
    return group


async def take_inputs_until_killed(url: str) -> None:
    store = await Store.open(url)
    await store.put(SiteSaved(SITE, "{}", 0))
    restored = await store.restore(SITE)
    sequence = (restored.snapshot.sequence if restored.snapshot is not None else 0) + len(restored.inputs)
    chance = random.Random(sequence)
    while True:
        for _ in range(chance.randint(1, 20)):
            sequence += 1
            store.put(*a_group(sequence)).add_done_callback(confirm(sequence))
        await store.durable()


def confirm(sequence: int) -> Callable[[asyncio.Future[None]], None]:
    def say(future: asyncio.Future[None]) -> None:
        future.result()
        os.write(sys.stdout.fileno(), b"%d\n" % sequence)

    return say


def run(url: str) -> None:
    """What the process does."""
    asyncio.run(take_inputs_until_killed(url))
