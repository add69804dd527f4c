"""Who is alive: a row for each process that does jobs, which runs out unless it is renewed.

Time is the database's, so that machines need not agree on it. It may be set back: a lease that ends later than any
could is cut short, or a process that died before would seem alive for as long; one that lives renews it.
"""

from __future__ import annotations

from sqlalchemy import Engine, text

from voltbench.adapters.jobs_dbos.database import SCHEMA

_NOW_MS = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}
_LOCK = 0x766F6C746A6F6273
"""Of whoever makes the table: PostgreSQL's IF NOT EXISTS fails where two do it at once."""

_TOO_LONG = 10
"""A lease that ends so many times ours from now was taken by a clock that has been set back since."""


class Leases:
    """The leases in a database. A lease that has once been found run out is lost, and cannot be renewed."""

    def __init__(self, engine: Engine, ttl_s: float) -> None:
        self._engine = engine
        self._ttl_ms = round(ttl_s * 1_000)
        self._is_postgresql = engine.dialect.name == "postgresql"
        self._table = f"{SCHEMA}.leases" if self._is_postgresql else "leases"
        self._now = _NOW_MS[engine.dialect.name]

    def prepare(self) -> None:
        """Make the table, if there is none."""
        with self._engine.begin() as connection:
            if self._is_postgresql:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {self._table} "
                    "(executor_id TEXT PRIMARY KEY, expires_at BIGINT NOT NULL, is_lost BOOLEAN NOT NULL)"
                )
            )

    def take(self, executor_id: str) -> None:
        """A new lease."""
        self._do(
            f"INSERT INTO {self._table} VALUES (:executor_id, {self._now} + {self._ttl_ms}, FALSE) "
            "ON CONFLICT (executor_id) DO UPDATE SET expires_at = excluded.expires_at, is_lost = FALSE",
            executor_id,
        )

    def renew(self, executor_id: str) -> bool:
        """Whether the lease was still there, and now is for longer."""
        renewed = f"UPDATE {self._table} SET expires_at = {self._now} + {self._ttl_ms}"
        return self._do(f"{renewed} WHERE executor_id = :executor_id AND NOT is_lost", executor_id) == 1

    def drop(self, executor_id: str) -> None:
        """End a lease."""
        self._do(f"DELETE FROM {self._table} WHERE executor_id = :executor_id", executor_id)

    def run_out(self, finder: str) -> set[str]:
        """Whose leases have run out, or had been found so before. They are lost from now on.

        Whoever finds that is alive: that its own has run out only shows that it has stalled, and it may renew it.
        """
        cut_short = f"UPDATE {self._table} SET expires_at = {self._now} + {self._ttl_ms}"
        lost = f"(is_lost OR expires_at < {self._now}) AND executor_id <> :finder"
        with self._engine.begin() as connection:
            connection.execute(text(f"{cut_short} WHERE expires_at > {self._now} + {_TOO_LONG * self._ttl_ms}"))
            found = text(f"UPDATE {self._table} SET is_lost = TRUE WHERE {lost} RETURNING executor_id")
            return set(connection.execute(found, {"finder": finder}).scalars())

    def held(self) -> set[str]:
        """Whose leases are not lost: who is alive, and who may have died a moment ago."""
        with self._engine.begin() as connection:
            held = text(f"SELECT executor_id FROM {self._table} WHERE NOT is_lost")
            return set(connection.execute(held).scalars())

    def _do(self, statement: str, executor_id: str) -> int:
        with self._engine.begin() as connection:
            return connection.execute(text(statement), {"executor_id": executor_id}).rowcount
