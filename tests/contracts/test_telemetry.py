"""What telemetry promises, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from voltbench.adapters import telemetry as module
from voltbench.adapters.store.database import database_at
from voltbench.adapters.telemetry import NOTHING, Pieces, Telemetry, by_hour, decoded, encoded, joined
from voltbench.errors import LocalProtocolError, Unavailable
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE

MIDNIGHT = 20_000 * MS_PER_DAY
FOREVER = MIDNIGHT + 1_000 * MS_PER_DAY


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Telemetry]:
    telemetry = await Telemetry.open(url)
    try:
        yield telemetry
    finally:
        await telemetry.close()


def minutes(first: int, last: int, value: float = 0.0) -> Pieces:
    """A piece a minute after midnight, up to but without the last; its value is the minute plus `value`."""
    minute = np.arange(first, last)
    return Pieces(MIDNIGHT + minute * MS_PER_MINUTE, np.asarray(minute + value, np.float64))


def same(one: Pieces, other: Pieces) -> bool:
    return np.array_equal(one.instants, other.instants) and np.array_equal(one.values, other.values)


async def everything(telemetry: Telemetry, series: str = "power_w") -> Pieces:
    return await telemetry.read("depot", series, 0, FOREVER)


async def test_what_was_flushed_is_there_after_a_restart(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 200))
        telemetry.append("depot", "soc", *minutes(30, 40))
        await telemetry.flush()
    async with opened(url) as telemetry:
        assert same(await everything(telemetry), minutes(0, 200))
        assert same(await everything(telemetry, "soc"), minutes(30, 40))
        assert await telemetry.names("depot") == ["power_w", "soc"]


async def test_what_was_not_flushed_yet_is_read_too(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 70))
        await telemetry.flush()
        telemetry.append("depot", "power_w", *minutes(70, 80))
        telemetry.append("depot", "soc", *minutes(0, 1))
        assert same(await everything(telemetry), minutes(0, 80))
        assert await telemetry.names("depot") == ["power_w", "soc"]


async def test_the_running_hour_grows_with_each_flush_and_over_a_restart(url: str):
    for start in (0, 60, 120):
        async with opened(url) as telemetry:
            for minute in range(start, start + 60, 7):
                telemetry.append("depot", "power_w", *minutes(minute, min(minute + 7, start + 60)))
                await telemetry.flush()
    async with opened(url) as telemetry:
        assert same(await everything(telemetry), minutes(0, 180))
    assert await rows_in(url) == 3


async def test_a_window_holds_its_start_and_not_its_end(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 300))
        await telemetry.flush()
        window = await telemetry.read("depot", "power_w", MIDNIGHT + 50 * MS_PER_MINUTE, MIDNIGHT + 130 * MS_PER_MINUTE)
        assert same(window, minutes(50, 130))
        assert same(await telemetry.read("depot", "power_w", MIDNIGHT + 1, MIDNIGHT + 2), NOTHING)
        assert same(await telemetry.read("car-park", "power_w", 0, FOREVER), NOTHING)


async def test_a_value_holds_until_the_next_however_long_ago_it_began(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(3, 5))
        telemetry.append("depot", "power_w", *minutes(500, 510))
        await telemetry.flush()
        telemetry.append("depot", "power_w", *minutes(600, 601))
        expected = {2: None, 3: 3.0, 100: 4.0, 481: 4.0, 505: 505.0, 599: 509.0, 9_999: 600.0}
        for minute, value in expected.items():
            holding = await telemetry.holding("depot", "power_w", MIDNIGHT + minute * MS_PER_MINUTE)
            assert (holding and holding[1]) == value


async def test_a_replay_repeats_nothing_and_the_later_word_stands(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 100))
        await telemetry.flush()
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(50, 120, value=1_000.0))
        await telemetry.flush()
        expected = joined([minutes(0, 50), minutes(50, 120, value=1_000.0)])
        assert same(await everything(telemetry), expected)


async def test_a_late_piece_finds_its_hour(url: str):
    async with opened(url) as telemetry:
        for first in (0, 180, 10, 170):
            telemetry.append("depot", "power_w", *minutes(first, first + 10))
            await telemetry.flush()
        expected = joined([minutes(0, 20), minutes(170, 190)])
        assert same(await everything(telemetry), expected)


async def test_many_series_are_stored_at_once(url: str):
    async with opened(url) as telemetry:
        for number in range(700):
            telemetry.append("depot", f"power_w:{number}", *minutes(number, number + 2))
    async with opened(url) as telemetry:
        for number in range(700):
            telemetry.append("depot", f"power_w:{number}", *minutes(number + 2, number + 3))
        await telemetry.flush()
        assert same(await everything(telemetry, "power_w:699"), minutes(699, 702))


async def test_pruning_forgets_whole_hours_and_the_rest_goes_on(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 200))
        await telemetry.flush()
        assert await telemetry.prune(MIDNIGHT + 2 * MS_PER_HOUR + 1) == 2
        telemetry.append("depot", "power_w", *minutes(200, 210))
        await telemetry.flush()
        assert same(await everything(telemetry), minutes(120, 210))
        assert await telemetry.prune(FOREVER) == 2
        telemetry.append("depot", "power_w", *minutes(210, 211))
        await telemetry.flush()
        assert same(await everything(telemetry), minutes(210, 211))


async def test_a_site_can_be_forgotten(url: str):
    async with opened(url) as telemetry:
        for site_id in ("depot", "car-park"):
            telemetry.append(site_id, "power_w", *minutes(0, 5))
            await telemetry.flush()
            telemetry.append(site_id, "power_w", *minutes(5, 10))
        await telemetry.forget("depot")
        await telemetry.flush()
        assert same(await everything(telemetry), NOTHING)
        assert same(await telemetry.read("car-park", "power_w", 0, FOREVER), minutes(0, 10))


async def test_readers_and_flushes_at_the_same_time_see_every_piece(url: str):
    async with opened(url) as telemetry:
        for minute in range(0, 100, 10):
            telemetry.append("depot", "power_w", *minutes(minute, minute + 10))
            flush = asyncio.ensure_future(telemetry.flush())
            while not flush.done():
                assert same(await everything(telemetry), minutes(0, minute + 10))
            await flush


async def test_what_could_not_be_flushed_waits_for_the_next_time(url: str):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 10))
        await change(url, "ALTER TABLE series_hours RENAME TO elsewhere")
        with pytest.raises(Unavailable):
            await telemetry.flush()
        telemetry.append("depot", "power_w", *minutes(10, 20))
        await change(url, "ALTER TABLE elsewhere RENAME TO series_hours")
        await telemetry.flush()
    async with opened(url) as telemetry:
        assert same(await everything(telemetry), minutes(0, 20))


async def test_a_buffer_may_be_used_again_once_appended(url: str):
    async with opened(url) as telemetry:
        buffer = minutes(0, 10)
        telemetry.append("depot", "power_w", *buffer)
        buffer.values[:] = -1.0
        assert same(await everything(telemetry), minutes(0, 10))
        with pytest.raises(LocalProtocolError, match="10 instants for 9 values"):
            telemetry.append("depot", "power_w", buffer.instants, buffer.values[1:])


pieces = st.lists(st.tuples(st.integers(-(2**40), 2**45), st.floats()), max_size=50).map(
    lambda pairs: Pieces(
        np.array([at for at, _ in pairs], np.int64), np.array([value for _, value in pairs], np.float64)
    )
)


@given(st.lists(pieces, max_size=5))
def test_joined_pieces_rise_and_the_later_of_two_at_one_instant_stands(parts: list[Pieces]):
    expected = {at: value for part in parts for at, value in zip(*(column.tolist() for column in part), strict=True)}
    whole = joined(parts)
    assert whole.instants.tolist() == sorted(expected)
    assert np.array_equal(whole.values, [expected[at] for at in sorted(expected)], equal_nan=True)


@given(pieces)
def test_pieces_survive_their_hours_bit_by_bit(some: Pieces):
    whole = joined([some])
    hours = list(by_hour(whole))
    back = joined([decoded(hour, encoded(hour, part)) for hour, part in hours])
    assert back.instants.tobytes() == whole.instants.tobytes()
    assert back.values.tobytes() == whole.values.tobytes()
    assert all(len(encoded(hour, part)) == 12 * len(part.instants) for hour, part in hours)


def a_page_of_zeros(file: Path) -> None:
    """As a disk leaves it that lost a page: the header still says that this is a database."""
    written = bytearray(file.read_bytes())
    written[4_096:8_192] = bytes(4_096)
    file.write_bytes(written)


@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(b"certainly not a database" * 100), a_page_of_zeros])
async def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, caplog, harm):
    file = tmp_path / "telemetry.db"
    url = f"sqlite:///{file}"
    for number in (1, 2):
        async with opened(url) as telemetry:
            telemetry.append("depot", "power_w", *minutes(0, 10))
        harm(file)
        damaged = file.read_bytes()
        async with opened(url) as telemetry:
            assert same(await everything(telemetry), NOTHING)
            telemetry.append("depot", "power_w", *minutes(10, 20))
        async with opened(url) as telemetry:
            assert same(await everything(telemetry), minutes(10, 20))
        assert (tmp_path / f"telemetry.db.damaged-{number}").read_bytes() == damaged
        assert caplog.text.count("put aside") == number


async def change(url: str, statement: str) -> None:
    database = database_at(url)
    await database.run(lambda connection: connection.execute(text(statement)))
    await database.close()


async def rows_in(url: str) -> int:
    database = database_at(url)
    rows = await database.run(lambda connection: connection.scalar(text("SELECT count(*) FROM series_hours")))
    await database.close()
    return int(rows or 0)


@pytest.mark.parametrize("most", [1, 30, 59, 60, 61, 150, 199, 500])
async def test_the_first_so_many_pieces_are_the_first_of_all(url: str, most: int):
    async with opened(url) as telemetry:
        telemetry.append("depot", "power_w", *minutes(0, 150))
        await telemetry.flush()
        telemetry.append("depot", "power_w", *minutes(140, 200))
        for start in (MIDNIGHT, MIDNIGHT + 30 * MS_PER_MINUTE):
            whole = await telemetry.read("depot", "power_w", start, FOREVER)
            part = await telemetry.read("depot", "power_w", start, FOREVER, most)
            assert same(part, Pieces(whole.instants[:most], whole.values[:most]))


async def test_while_the_database_is_away_only_so_much_waits(url: str, monkeypatch, caplog):
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    async with opened(url) as telemetry:

        async def fail(*_: object) -> None:
            raise Unavailable("away")

        with monkeypatch.context() as broken:
            broken.setattr(telemetry, "_write", fail)
            for first in range(0, 300, 50):
                telemetry.append("depot", "power_w", *minutes(first, first + 50))
                with pytest.raises(Unavailable):
                    await telemetry.flush()
        assert same(await everything(telemetry), minutes(200, 300))
        await telemetry.flush()
        assert same(await everything(telemetry), minutes(200, 300))
    assert caplog.text.count("dropped") == 1
