"""Time series of the live site: one row per series and hour, which is what makes them cheap to keep and to read.

A piece is an instant and the value that holds from it. What is appended waits in memory until it is flushed, and is
read from there too. Of two pieces of a series at one instant the later appended stands, so that a replay repeats
nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import accumulate, count, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, delete, func, select, text, tuple_

from voltbench.adapters.store.database import Database, database_at, upsert
from voltbench.adapters.store.migrate import TELEMETRY, migrate
from voltbench.adapters.store.reach import Damaged
from voltbench.adapters.store.schema import series_hours
from voltbench.errors import LocalProtocolError
from voltbench.quantities import MS_PER_HOUR, Instant

_OFFSET, _VALUE = np.dtype("<u4"), np.dtype("<f8")
_KEYS_IN_A_QUERY = 500

MOST_WAITING = 100_000
"""Pieces of a series that wait in memory while the database is away. The oldest go first."""

_log = logging.getLogger(__name__)


class Pieces(NamedTuple):
    """Rising instants (ms), and the values that hold from each."""

    instants: NDArray[np.int64]
    values: NDArray[np.float64]


Series: TypeAlias = tuple[str, str]
"""Site and name."""

SeriesHour: TypeAlias = tuple[str, str, Instant]
"""Site, name, and the instant at which the hour begins."""

NOTHING = Pieces(np.empty(0, np.int64), np.empty(0, np.float64))


class Telemetry:
    """Keeps time series; to be used by the process that holds the store. Made by `open`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fresh: dict[Series, list[Pieces]] = {}
        self._in_hand: dict[Series, list[Pieces]] = {}
        self._newest: dict[Series, tuple[Instant, Pieces]] = {}  # as stored, so that it need not be read to be grown
        self._writing = asyncio.Lock()
        self._is_dropping = False

    @classmethod
    async def open(cls, url: str) -> Telemetry:
        """Open the series at `sqlite:///FILE` (their own) or `postgresql://...`, made or migrated as needed.

        They are worth less than a start: a file that is damaged is put aside, and a new one begun.
        """
        database = database_at(url)
        try:
            return cls(await _ready(database))
        except Damaged as error:
            assert database.file is not None
            aside = put_aside(database.file)
            _log.warning("telemetry: %s; it is put aside as %s, and a new file is begun", error, aside)
        return cls(await _ready(database_at(url)))

    def append(self, site_id: str, series: str, instants: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add pieces to a series; they are kept once flushed."""
        if len(instants) != len(values):
            raise LocalProtocolError(f"{series!r}: {len(instants)} instants for {len(values)} values")
        pieces = Pieces(np.array(instants, np.int64), np.array(values, np.float64))
        self._fresh.setdefault((site_id, series), []).append(pieces)

    async def flush(self) -> None:
        """Store what was appended since the last time. What cannot be stored now (Unavailable) waits for the next."""
        async with self._writing:
            fresh = self._in_hand = self._fresh
            self._fresh = {}
            try:
                await self._write(fresh)
            except BaseException:
                self._fresh = {key: fresh.get(key, []) + self._fresh.get(key, []) for key in {**fresh, **self._fresh}}
                self._drop_oldest()
                raise
            else:
                self._is_dropping = False
            finally:
                self._in_hand = {}

    async def read(self, site_id: str, series: str, start: Instant, end: Instant, most: int | None = None) -> Pieces:
        """The pieces from `start` on that begin before `end`; of more than `most`, the first of them."""
        if most is not None:
            end = min(end, await self._end_of(site_id, series, start, end, most))
        hour = series_hours.c.hour_ms
        between = (hour >= _hour_of(start)) & (hour < end)
        pieces = await self._hours(site_id, series, select(series_hours).where(between))
        first, last = np.searchsorted(pieces.instants, [start, end])
        last = last if most is None else min(last, first + most)
        return Pieces(pieces.instants[first:last], pieces.values[first:last])

    async def holding(self, site_id: str, series: str, at: Instant) -> tuple[Instant, float] | None:
        """The piece that holds at an instant: since when, and its value. None before the first."""
        hour = series_hours.c.hour_ms
        latest = select(series_hours).where(hour <= at).order_by(hour.desc()).limit(2)
        pieces = await self._hours(site_id, series, latest)
        i = int(np.searchsorted(pieces.instants, at, side="right")) - 1
        return (int(pieces.instants[i]), float(pieces.values[i])) if i >= 0 else None

    async def names(self, site_id: str) -> list[str]:
        """The series that a site has."""
        waiting = {series for site, series in (*self._in_hand, *self._fresh) if site == site_id}
        query = select(series_hours.c.series).distinct().where(series_hours.c.site_id == site_id)
        stored = await self._database.run(lambda connection: connection.scalars(query).all())
        return sorted(waiting.union(stored))

    async def prune(self, before: Instant, site_id: str | None = None) -> int:
        """Forget every hour (of one site, or of all) that ended by then; returns how many rows that were."""
        first_kept = _hour_of(before)
        old = series_hours.c.hour_ms < first_kept
        if site_id is not None:
            old &= series_hours.c.site_id == site_id
        statement = delete(series_hours).where(old)
        async with self._writing:
            pruned = await self._database.run(lambda connection: int(connection.execute(statement).rowcount))
            self._newest = {
                key: newest
                for key, newest in self._newest.items()
                if newest[0] >= first_kept or site_id not in (None, key[0])
            }
        return pruned

    async def sites(self) -> list[str]:
        """The sites of which any series is kept."""
        query = select(series_hours.c.site_id).distinct().order_by(series_hours.c.site_id)
        return await self._database.run(lambda connection: list(connection.execute(query).scalars()))

    async def forget(self, site_id: str) -> None:
        """Forget every series of a site."""
        statement = delete(series_hours).where(series_hours.c.site_id == site_id)
        async with self._writing:
            await self._database.run(lambda connection: connection.execute(statement))
            for memory in (self._fresh, self._newest):
                for series in [series for series in memory if series[0] == site_id]:
                    del memory[series]

    async def close(self) -> None:
        """Flush, then let go of the database."""
        try:
            await self.flush()
        finally:
            await self._database.close()

    async def _end_of(self, site_id: str, series: str, start: Instant, end: Instant, most: int) -> Instant:
        """An end by which at least so many pieces from `start` on are stored, or `end`: found without reading them."""
        hour, after = series_hours.c.hour_ms, _hour_of(start) + (MS_PER_HOUR if start % MS_PER_HOUR else 0)
        sizes = select(hour, func.length(series_hours.c.pieces)).where(
            series_hours.c.site_id == site_id, series_hours.c.series == series, hour >= after, hour < end
        )
        rows = await self._database.run(lambda connection: connection.execute(sizes.order_by(hour)).all())
        found = accumulate(size // (_VALUE.itemsize + _OFFSET.itemsize) for _, size in rows)
        return next((row[0] + MS_PER_HOUR for row, count in zip(rows, found, strict=True) if count >= most), end)

    def _drop_oldest(self) -> None:
        """Keep as much as may wait of each series; say so once."""
        dropped = False
        for key, parts in self._fresh.items():
            whole = joined(parts)
            dropped |= len(whole.instants) > MOST_WAITING
            self._fresh[key] = [Pieces(whole.instants[-MOST_WAITING:], whole.values[-MOST_WAITING:])]
        if dropped and not self._is_dropping:
            _log.warning("telemetry: the database is away for so long that the oldest pieces are dropped")
        self._is_dropping |= dropped

    async def _hours(self, site_id: str, series: str, query: Select[Any]) -> Pieces:
        """What a query finds of a series, joined with what waits in memory."""
        waiting = [*self._in_hand.get((site_id, series), ()), *self._fresh.get((site_id, series), ())]
        query = query.where(series_hours.c.site_id == site_id, series_hours.c.series == series)
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        return joined([*(decoded(row.hour_ms, row.pieces) for row in rows), *waiting])

    async def _write(self, fresh: dict[Series, list[Pieces]]) -> None:
        """One transaction. The newest hour of a series is remembered, and after it there is nothing stored."""
        hours = await self._database.run(lambda connection: self._grow(connection, fresh)) if fresh else {}
        for (site_id, series, hour), pieces in hours.items():
            if hour >= self._newest.get((site_id, series), (hour, pieces))[0]:
                self._newest[site_id, series] = (hour, pieces)

    def _grow(self, connection: Connection, fresh: dict[Series, list[Pieces]]) -> dict[SeriesHour, Pieces]:
        """Store every hour that the fresh pieces belong to; returns them as they are stored from now on."""
        hours = {(*key, hour): grown for key, parts in fresh.items() for hour, grown in by_hour(joined(parts))}
        kept = {(*key, hour): pieces for key, (hour, pieces) in self._newest.items()}
        old = [key for key in hours if key[:2] not in self._newest or key[2] < self._newest[key[:2]][0]]
        kept.update(_stored(connection, old))
        hours = {key: joined([kept[key], grown]) if key in kept else grown for key, grown in hours.items()}
        if hours:
            connection.execute(upsert(self._database, series_hours), [_row(*hour) for hour in hours.items()])
        return hours


async def _ready(database: Database) -> Database:
    """The database, looked through and with the tables of today; closed when that cannot be."""
    try:
        await database.run(lambda connection: _prepare(connection, database))
    except BaseException:
        await database.close()
        raise
    return database


def _prepare(connection: Connection, database: Database) -> None:
    if database.file is not None and (found := connection.scalar(text("PRAGMA quick_check(1)"))) != "ok":
        raise Damaged(f"{database.name}: {found}")
    migrate(connection, TELEMETRY, database.name)


def put_aside(file: Path) -> Path:
    """Give a SQLite file, and what SQLite keeps beside it, a name under which nobody looks for it; returns that."""
    names = (file.with_name(f"{file.name}.damaged-{number}") for number in count(1))
    aside = next(name for name in names if not name.exists())
    for beside in ("-wal", "-shm", ""):
        part = file.with_name(file.name + beside)
        if part.exists():
            part.rename(aside.with_name(aside.name + beside))
    return aside


def _stored(connection: Connection, keys: Sequence[SeriesHour]) -> dict[SeriesHour, Pieces]:
    """What is stored of these hours."""
    key = tuple_(series_hours.c.site_id, series_hours.c.series, series_hours.c.hour_ms)
    stored = {}
    for i in range(0, len(keys), _KEYS_IN_A_QUERY):
        for row in connection.execute(select(series_hours).where(key.in_(keys[i : i + _KEYS_IN_A_QUERY]))):
            stored[row.site_id, row.series, row.hour_ms] = decoded(row.hour_ms, row.pieces)
    return stored


def _row(key: SeriesHour, pieces: Pieces) -> dict[str, Any]:
    site_id, series, hour = key
    return {"site_id": site_id, "series": series, "hour_ms": hour, "pieces": encoded(hour, pieces)}


def _hour_of(instant: Instant) -> Instant:
    return instant - instant % MS_PER_HOUR


def joined(parts: Sequence[Pieces]) -> Pieces:
    """All pieces in the order of their instants; at one instant the one of the later part."""
    if not parts:
        return NOTHING
    instants = np.concatenate([part.instants for part in parts])
    values = np.concatenate([part.values for part in parts])
    if np.any(instants[1:] <= instants[:-1]):
        order = np.argsort(instants, kind="stable")
        instants, values = instants[order], values[order]
        stands = np.append(instants[1:] != instants[:-1], True)
        instants, values = instants[stands], values[stands]
    return Pieces(instants, values)


def by_hour(pieces: Pieces) -> Iterator[tuple[Instant, Pieces]]:
    """Pieces parted at the hours, each with the instant at which its hour begins."""
    hours = pieces.instants // MS_PER_HOUR
    edges = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(hours)]
    for first, last in pairwise(edges):
        if first < last:
            yield int(hours[first]) * MS_PER_HOUR, Pieces(pieces.instants[first:last], pieces.values[first:last])


def encoded(hour: Instant, pieces: Pieces) -> bytes:
    """An hour of pieces, 12 bytes each: all values (float64), then all ms since the hour (uint32), little-endian."""
    offsets = (pieces.instants - hour).astype(_OFFSET)
    return pieces.values.astype(_VALUE).tobytes() + offsets.tobytes()


def decoded(hour: Instant, blob: bytes) -> Pieces:
    """The pieces of an encoded hour."""
    count = len(blob) // (_VALUE.itemsize + _OFFSET.itemsize)
    values = np.frombuffer(blob, _VALUE, count)
    offsets = np.frombuffer(blob, _OFFSET, count, offset=count * _VALUE.itemsize)
    return Pieces(offsets.astype(np.int64) + hour, values.astype(np.float64))
