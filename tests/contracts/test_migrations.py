"""Databases of any age come to the tables of today."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from voltbench.adapters.cell_results import cells
from voltbench.adapters.ocpp_csms.schema import csms
from voltbench.adapters.store import InputTaken, SiteSaved, Store
from voltbench.adapters.store.database import Database, database_at
from voltbench.adapters.store.migrate import CELLS, CSMS, LIVE, TELEMETRY, configuration, migrate
from voltbench.adapters.store.schema import live, telemetry
from voltbench.adapters.telemetry import Telemetry

HISTORIES = {LIVE: live, TELEMETRY: telemetry, CSMS: csms, CELLS: cells}


def first_revision(connection: Connection, history: str) -> str:
    (base,) = ScriptDirectory.from_config(configuration(connection, history)).get_bases()
    return base


def differences(connection: Connection, history: str, metadata: MetaData) -> list[Any]:
    """What `alembic check` would complain of, with types and defaults."""
    ours = {*metadata.tables, f"{history}_revision"}
    options = {
        "version_table": f"{history}_revision",
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name in ours,
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def at_first_revision(url: str, history: str) -> Database:
    database = database_at(url)
    first = await database.run(lambda connection: first_revision(connection, history))
    await database.run(lambda connection: migrate(connection, history, database.name, first))
    return database


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("from_first", [False, True], ids=["from nothing", "from the first revision"])
async def test_a_database_comes_to_the_tables_of_today(url: str, history: str, from_first: bool):
    database = await at_first_revision(url, history) if from_first else database_at(url)
    for _ in range(2):
        await database.run(lambda connection: migrate(connection, history, database.name))
    assert await database.run(lambda connection: differences(connection, history, HISTORIES[history])) == []
    await database.close()


class PowerCutError(Exception):
    """The end, in the middle."""


@pytest.mark.parametrize("history", HISTORIES)
async def test_a_migration_that_is_cut_short_leaves_nothing_behind(url: str, history: str):
    database = database_at(url)

    def cut_short(connection: Connection) -> None:
        migrate(connection, history, database.name)
        assert inspect(connection).get_table_names()
        raise PowerCutError

    with pytest.raises(PowerCutError):
        await database.run(cut_short)
    assert await database.run(lambda connection: inspect(connection).get_table_names()) == []
    await database.close()


async def test_what_the_first_revision_kept_is_still_there(url: str):
    database = await at_first_revision(url, LIVE)
    site = text("INSERT INTO sites (id, configuration, created_at_ms) VALUES ('depot', '{}', 7)")
    taken = text("INSERT INTO journal (site_id, sequence, instant_ms, input) VALUES ('depot', 1, 8, :input)")
    await database.run(lambda connection: connection.execute(site))
    await database.run(lambda connection: connection.execute(taken, {"input": b"plug in"}))
    await database.close()
    store = await Store.open(url)
    assert (await store.restore("depot")).inputs == (InputTaken("depot", 1, 8, b"plug in"),)
    await store.close()


async def test_store_and_telemetry_share_a_database(url: str):
    for _ in range(2):
        store, series = await Store.open(url), await Telemetry.open(url)
        await store.put(SiteSaved("depot", "{}", 7))
        await store.close()
        await series.close()
