"""A process that does jobs: DBOS itself, of which there is one in a process."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from dbos._dbos import _get_or_create_dbos_registry
from dbos._sys_db import SystemDatabase
from sqlalchemy import Engine, bindparam, literal, select

from voltbench.adapters.jobs_dbos.client import client_on
from voltbench.adapters.jobs_dbos.custody import Custody
from voltbench.adapters.jobs_dbos.database import APPLICATION, SCHEMA, queue_of
from voltbench.adapters.jobs_dbos.doing import workflow_of
from voltbench.adapters.jobs_dbos.leases import Leases
from voltbench.adapters.jobs_dbos.runs import Runs
from voltbench.adapters.jobs_dbos.watching import Watch
from voltbench.jobs import Work

_log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
"""For works that have been told to stop, when a worker closes."""

_A_DAY_S = 86_400.0


class Worker:
    """Does jobs until it is closed."""

    def __init__(
        self,
        engine: Engine,
        client: DBOSClient,
        works: Mapping[str, Work],
        *,
        executor_id: str,
        version: str,
        concurrency: Mapping[str, int],
        lease_s: float,
        poll_s: float,
    ) -> None:
        leases = Leases(engine, lease_s)
        leases.prepare()
        self._custody = Custody(leases, client, executor_id, version, lease_s)
        self._runs = Runs(self._custody.is_held)
        self._watch = Watch(client, self._runs, executor_id)
        _quieten()
        registry = _get_or_create_dbos_registry()
        for kind, work in works.items():
            workflow_of(kind, work, self._runs, client_on(engine, is_patient=True))
            registry._register_internal_queue(
                queue_of(kind), worker_concurrency=concurrency[kind], polling_interval_sec=poll_s
            )
        try:
            dbos = DBOS(config=_config(engine, executor_id, version))
            self._custody.take()
            DBOS.launch()
            _poll_only_what_waits(dbos._sys_db)
        except Exception:
            DBOS.destroy(destroy_registry=True)
            raise
        self._custody.start(self._runs)
        self._watch.start()

    def close(self) -> None:
        """Stop what is being done, and leave it to others or to the next start."""
        if not self._runs.close(_PATIENCE_S):
            _log.warning("jobs are still being done that were told to stop %g s ago", _PATIENCE_S)
        self._watch.close()
        DBOS.destroy(destroy_registry=True)
        self._custody.close()


def _config(engine: Engine, executor_id: str, version: str) -> DBOSConfig:
    return DBOSConfig(
        name=APPLICATION,
        system_database_engine=engine,
        dbos_system_schema=SCHEMA,
        serializer=DBOSPortableJSONSerializer(),
        executor_id=executor_id,
        application_version=version,
        enable_otlp=False,
        log_level="WARNING",
        use_listen_notify=False,  # for messages between workflows, of which we have none
        notification_listener_polling_interval_sec=0.1,  # which is how long it takes to close
        scheduler_polling_interval_sec=_A_DAY_S,  # of schedules we have none either
    )


def _poll_only_what_waits(system_database: SystemDatabase) -> None:
    """Let DBOS claim jobs of a queue only where some wait: ten times a second a look in an index is a tenth of it."""
    rows = system_database.tables.workflow_status
    one_waits = select(literal(1)).where(rows.c.queue_name == bindparam("queue"), rows.c.status == "ENQUEUED").limit(1)

    def scopes(queue_name: str) -> list[str | None]:
        with system_database.engine.connect() as connection:
            return [] if connection.execute(one_waits, {"queue": queue_name}).first() is None else [None]

    system_database.dequeue_scopes = scopes  # type: ignore[method-assign]


def _quieten() -> None:
    """What DBOS says is for the application's log, not for its terminal; that a job failed, the job says."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:  # or it adds one that writes to the terminal
        logger.addHandler(logging.NullHandler())
        logger.addFilter(lambda record: not record.getMessage().startswith("Exception encountered in background"))
