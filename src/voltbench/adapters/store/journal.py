"""Where the journal of each site stands, and what may follow: no gap, nothing twice, nothing over a hole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from voltbench.adapters.store.writes import InputTaken, SiteDeleted, SiteSaved, SnapshotTaken, Write
from voltbench.errors import LocalProtocolError, Unavailable, VoltbenchError


class Position(msgspec.Struct, frozen=True):
    """Where a site's journal stands: its last input, the last one its snapshot covers, the last that may be lost."""

    sequence: int = 0
    snapshot: int = 0
    lost: int | None = None
    saved: bool = True


Positions: TypeAlias = dict[str, Position]
"""By site. A site that is not there is not in the store."""


def admit(positions: Positions, group: Iterable[Write]) -> VoltbenchError | None:
    """Move the positions past a group, or return why it may not be written; what it brought is then lost."""
    group = tuple(group)
    moved: dict[str, Position | None] = {}
    try:
        for write in group:
            before = moved if write.site_id in moved else positions
            moved[write.site_id] = _after(before.get(write.site_id), write)
    except VoltbenchError as error:
        lose(positions, group)
        return error
    for site_id, position in moved.items():
        place(positions, site_id, position)
    return None


def place(positions: Positions, site_id: str, position: Position | None) -> None:
    """A site's journal stands here now; None when there is no such site."""
    if position is None:
        positions.pop(site_id, None)
    else:
        positions[site_id] = position


def lose(positions: Positions, group: Iterable[Write]) -> None:
    """A group was not written: what is in memory is now ahead of the store, except for a mere snapshot."""
    for write in group:
        if not isinstance(write, SnapshotTaken):
            stood = positions.get(write.site_id, Position(saved=False))
            last = max(stood.sequence, stood.lost or 0, write.sequence if isinstance(write, InputTaken) else 0)
            positions[write.site_id] = msgspec.structs.replace(stood, lost=last)


def require_whole(positions: Mapping[str, Position], site_id: str | None) -> None:
    """Unavailable when something of this site, or of any, was lost and nothing has made up for it since."""
    for name in positions if site_id is None else (site_id,):
        position = positions.get(name)
        if position is not None and position.lost is not None:
            raise _hole(name)


def _after(position: Position | None, write: Write) -> Position | None:
    if isinstance(write, SiteDeleted):
        return None
    if isinstance(write, SiteSaved):
        return _after_saving(position)
    if position is None or not position.saved:
        raise Unavailable(f"site {write.site_id!r} is not in the store")
    if isinstance(write, InputTaken):
        return _after_input(position, write)
    if isinstance(write, SnapshotTaken):
        return _after_snapshot(position, write)
    return position


def _after_saving(position: Position | None) -> Position:
    """Saving a site makes up for having failed to save it, but not for inputs that were lost with it."""
    if position is None or not (position.saved or position.lost):
        return Position()
    return msgspec.structs.replace(position, saved=True)


def _after_input(position: Position, taken: InputTaken) -> Position:
    if position.lost is not None:
        raise _hole(taken.site_id)
    if taken.sequence != position.sequence + 1:
        raise _out_of_order(taken, f"input {position.sequence + 1} is next")
    return msgspec.structs.replace(position, sequence=taken.sequence)


def _after_snapshot(position: Position, taken: SnapshotTaken) -> Position:
    if taken.sequence < position.snapshot:
        raise _out_of_order(taken, f"the snapshot already covers input {position.snapshot}")
    heals = position.lost is not None and taken.sequence >= position.lost
    if taken.sequence > position.sequence and not heals:
        raise _out_of_order(taken, f"input {position.sequence} is the last")
    return Position(
        sequence=max(position.sequence, taken.sequence),
        snapshot=taken.sequence,
        lost=None if heals else position.lost,
    )


def _out_of_order(taken: InputTaken | SnapshotTaken, problem: str) -> LocalProtocolError:
    return LocalProtocolError(f"site {taken.site_id!r}: {type(taken).__name__} {taken.sequence}, but {problem}")


def _hole(site_id: str) -> Unavailable:
    return Unavailable(f"site {site_id!r}: something could not be stored; restore it, or store a snapshot of it")
