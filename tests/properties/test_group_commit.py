"""Laws of the store's writer, over a disk that fails as disks and networks do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from voltbench.adapters.store.journal import Position, place, require_whole
from voltbench.adapters.store.writer import GroupWriter
from voltbench.adapters.store.writes import InputTaken, SiteSaved, SnapshotTaken, Write
from voltbench.errors import Unavailable

SITES = ("depot", "car-park")


class Outcome(Enum):
    """How a transaction can end."""

    WRITTEN = "written"
    FAILED = "failed"
    UNHEARD = "written, but the answer was lost"


@dataclass
class Journal:
    """What a disk knows of a site."""

    snapshot: int = 0
    inputs: set[int] = field(default_factory=set)


class Disk:
    """Takes writes as a database does: all or nothing, and not those that break its rules."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.journals: dict[str, Journal] = {}
        self._outcomes = outcomes

    async def transaction(self, writes: Iterable[Write]) -> None:
        await asyncio.sleep(0)
        outcome = self._outcomes.pop() if self._outcomes else Outcome.WRITTEN
        if outcome is Outcome.FAILED:
            raise OSError("the disk is full")
        after = deepcopy(self.journals)
        for write in writes:
            self._apply(after, write)
        self.journals = after
        if outcome is Outcome.UNHEARD:
            raise ConnectionError("the connection was lost")

    def _apply(self, journals: dict[str, Journal], write: Write) -> None:
        match write:
            case SiteSaved(site_id):
                journals.setdefault(site_id, Journal())
            case InputTaken(site_id, sequence, _, input):
                if input == b"poison":
                    raise ValueError("this cannot be written")
                journals[site_id].inputs.add(sequence)
            case SnapshotTaken(site_id, sequence):
                kept = {number for number in journals[site_id].inputs if number > sequence}
                journals[site_id] = Journal(sequence, kept)

    def position(self, site_id: str) -> Position | None:
        journal = self.journals.get(site_id)
        if journal is None:
            return None
        return Position(sequence=max(journal.snapshot, *journal.inputs, 0), snapshot=journal.snapshot)


class Caller:
    """A live site's side: counts its inputs, and stores them as it goes."""

    def __init__(self, writer: GroupWriter, disk: Disk) -> None:
        self.taken, self.promised = dict.fromkeys(SITES, 0), dict.fromkeys(SITES, 0)
        self._writer = writer
        self._disk = disk

    def save(self, site_id: str) -> asyncio.Future[None]:
        return self._writer.put((SiteSaved(site_id, "{}", 0),))

    def take(self, site_id: str, input: bytes = b"") -> asyncio.Future[None]:
        self.taken[site_id] += 1
        sequence = self.taken[site_id]
        future = self._writer.put((InputTaken(site_id, sequence, 0, input),))
        future.add_done_callback(lambda done: self._promise(site_id, sequence, done))
        return future

    def poison(self, site_id: str) -> asyncio.Future[None]:
        return self.take(site_id, b"poison")

    def snapshot(self, site_id: str) -> asyncio.Future[None]:
        return self._writer.put((SnapshotTaken(site_id, self.taken[site_id], 0, b""),))

    async def go_on(self) -> None:
        """Where something was lost, go back to what the disk has."""
        for site_id in SITES:
            try:
                require_whole(self._writer.positions, site_id)
            except Unavailable:
                position = self._disk.position(site_id)
                place(self._writer.positions, site_id, position)
                self.taken[site_id] = position.sequence if position else 0

    def _promise(self, site_id: str, sequence: int, done: asyncio.Future[None]) -> None:
        if done.exception() is None:
            self.promised[site_id] = sequence


bursts = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["save", "take", "take", "take", "snapshot", "poison"]), st.sampled_from(SITES))
    ),
    max_size=6,
)


@given(bursts, st.lists(st.sampled_from(Outcome), max_size=30))
def test_a_promised_input_is_on_the_disk_and_a_journal_never_has_a_gap(bursts, outcomes):
    asyncio.run(a_run_of(bursts, Disk(outcomes)))


async def a_run_of(bursts: list[list[tuple[str, str]]], disk: Disk) -> None:
    writer = GroupWriter(disk.transaction, {}, patience_s=5.0)
    caller = Caller(writer, disk)
    for burst in [[("save", site_id) for site_id in SITES], *bursts]:
        futures = [getattr(caller, step)(site_id) for step, site_id in burst]
        if futures:
            await asyncio.wait(futures)
        assert all(isinstance(future.exception(), Unavailable | None) for future in futures)
        for site_id in SITES:
            journal_is_sound(site_id, caller, disk, writer)
        await caller.go_on()
    await writer.close()


def journal_is_sound(site_id: str, caller: Caller, disk: Disk, writer: GroupWriter) -> None:
    journal = disk.journals.get(site_id, Journal())
    last = max(journal.snapshot, *journal.inputs, 0)
    assert journal.inputs.issuperset(range(journal.snapshot + 1, last + 1))
    assert last >= caller.promised[site_id]
    if site_id in writer.positions and writer.positions[site_id].lost is None:
        assert last == caller.taken[site_id]
