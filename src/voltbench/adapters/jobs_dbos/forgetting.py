"""Jobs that ended long ago are dropped, with all that DBOS keeps of them.

`DBOSClient.delete_workflows` would also drop what somebody has begun to try again a moment ago.
"""

from __future__ import annotations

from dbos._sys_db import SystemDatabase
from sqlalchemy import delete, select

from voltbench.adapters.jobs_dbos.rows import STATUSES
from voltbench.quantities import Instant

_ENDED = sorted({theirs for ours, several in STATUSES.items() if ours.is_ended for theirs in several})


def forget(database: SystemDatabase, before: Instant, limit: int) -> int:
    """Drop jobs that ended before an instant, `limit` of them at most; says how many."""
    tables = database.tables
    rows = tables.workflow_status
    old = (
        select(rows.c.workflow_uuid)
        .where(rows.c.status.in_(_ENDED), rows.c.completed_at < before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    with database.engine.begin() as connection:
        dropped = delete(rows).where(rows.c.workflow_uuid.in_(old)).returning(rows.c.workflow_uuid)
        gone = list(connection.scalars(dropped))
        for table in (tables.workflow_input, tables.workflow_output, tables.operation_outputs):
            connection.execute(delete(table).where(table.c.workflow_uuid.in_(gone)))
    return len(gone)
