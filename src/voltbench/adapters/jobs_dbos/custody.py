"""Whose jobs are whose: the lease of this process, and the jobs of processes that have lost theirs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from threading import Event, Thread

from dbos import DBOSClient, WorkflowStatus
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from voltbench.adapters.jobs_dbos.database import queue_of
from voltbench.adapters.jobs_dbos.leases import Leases
from voltbench.adapters.jobs_dbos.rows import CRASHES, LOST_BY, WAITS_AT, failure, told_of
from voltbench.adapters.jobs_dbos.runs import Runs
from voltbench.clock import seconds_since_boot

_log = logging.getLogger(__name__)

_RENEWALS_PER_LEASE = 4
_LONG = 3 * _RENEWALS_PER_LEASE

MOST_CRASHES = 10
"""So many times the loss of its process is taken for bad luck; whatever is kept makes good for all before.

It is many: a process that does jobs is mostly killed by others, and what kills a process that solves, its pool sees.
"""


class Custody:
    """Renews the lease of this process, and takes over jobs from those whose lease has run out."""

    def __init__(self, leases: Leases, client: DBOSClient, executor_id: str, version: str, ttl_s: float) -> None:
        self._leases = leases
        self._client = client
        self._executor_id = executor_id
        self._version = version
        self._ttl_s = ttl_s
        self._is_lost = False
        self._renewed_s = float("-inf")
        self._undone: Counter[tuple[str, int | None]] = Counter()
        self._closing = Event()
        self._thread = Thread(name="jobs custody", daemon=True)

    def take(self) -> None:
        """The first lease of this process."""
        now_s = seconds_since_boot()
        self._leases.take(self._executor_id)
        self._renewed_s = now_s

    def start(self, runs: Runs) -> None:
        """Keep it from now on, and look after others. Where it is lost, all that is being done here is stopped."""
        self._thread = Thread(target=self._keep, args=(runs,), name="jobs custody", daemon=True)
        self._thread.start()

    def is_held(self) -> bool:
        """Whether this process has its lease. The database is asked only where that may have changed meanwhile."""
        if seconds_since_boot() - self._renewed_s < self._ttl_s:
            return not self._is_lost
        try:
            self._is_lost = self._is_lost or not self._renew()
        except SQLAlchemyError:
            self._is_lost = True  # for all that this process can know
        return not self._is_lost

    def running(self) -> list[WorkflowStatus]:
        """All jobs that somebody does, or has died of."""
        return self._client.list_workflows(
            status="PENDING", app_version=self._version, load_input=False, load_output=False
        )

    def adopt(self, left: Iterable[WorkflowStatus], crashed: Collection[str]) -> None:
        """Queue again, or give up, what nobody does any more; of others who are at it too, one succeeds.

        Only who does counts the crash: a job that ten saw die has died once. A process that has come back since had
        only stalled, which is not the job's fault: what it had lost counts no more. Nor does one with which a job was
        still waiting for its turn.
        """
        for row in left:
            kept = row.attributes or {}
            if row.executor_id not in crashed or kept.get(WAITS_AT) == row.executor_id:
                self._requeue([row])
                continue
            lost_by: list[str] = kept.get(LOST_BY, [])
            came_back = self._leases.held() if lost_by else set()
            dead = [one for one in lost_by if one not in came_back]
            crashes = int(kept.get(CRASHES, 0)) - len(lost_by) + len(dead) + 1
            if self._is_given_up(row, crashes) if crashes > MOST_CRASHES else self._is_queued_again(row):
                noted = {CRASHES: crashes, LOST_BY: [*dead, row.executor_id]}
                self._client.update_workflow_attributes(row.workflow_id, noted, merge=True)

    def close(self) -> None:
        """End the lease: others go on with what is left at once."""
        self._closing.set()
        self._thread.join()
        try:
            self._leases.drop(self._executor_id)
        except SQLAlchemyError as error:
            _log.warning("the lease of this process cannot be ended, and runs out by itself: %s", error)

    def _keep(self, runs: Runs) -> None:
        while True:
            try:
                if self._is_lost or not self._renew():
                    self._begin_anew(runs)
                self._take_over(runs)
            except SQLAlchemyError as error:
                _log.warning("the lease of this process cannot be renewed for now: %s", error)
            except Exception:  # a bug of ours in this round: the next one is as needed as ever
                _log.exception("looking after jobs went wrong")
            if self._closing.wait(self._ttl_s / _RENEWALS_PER_LEASE):
                return

    def _renew(self) -> bool:
        now_s = seconds_since_boot()
        is_renewed = self._leases.renew(self._executor_id)
        if is_renewed:
            self._renewed_s = now_s
        return is_renewed

    def _begin_anew(self, runs: Runs) -> None:
        """Having been frozen, or out of reach of the database: end what is done here, leave it to all, live again."""
        _log.warning("this process was taken for dead: its jobs are done elsewhere")
        self._is_lost = True
        runs.stop_all()
        self._requeue(row for row in self.running() if row.executor_id == self._executor_id)
        self.take()
        self._is_lost = False

    def _take_over(self, runs: Runs) -> None:
        crashed = self._leases.run_out(self._executor_id)
        running = self.running()
        held = self._leases.held() | {self._executor_id}  # if it has just been lost, the next round begins anew
        self.adopt([row for row in running if row.executor_id not in held], crashed)
        for executor_id in crashed:
            self._leases.drop(executor_id)
        self._take_up(running, runs)

    def _is_given_up(self, row: WorkflowStatus, crashes: int) -> bool:
        how = f"each time whoever did it had died, or was not heard of for {self._ttl_s:g} s"
        reason = told_of(failure("crashed", f"it was lost {crashes} times with nothing done in between: {how}"))
        owner = self._owner(row)
        database = self._client._sys_db
        return owner is not None and database.update_workflow_outcome(
            row.workflow_id, "ERROR", error=reason, owner_xid=owner
        )

    def _owner(self, row: WorkflowStatus) -> str | None:
        """The token of the run that a row was of, if nobody has taken it up since: without it DBOS would not ask."""
        database = self._client._sys_db
        rows = database.tables.workflow_status
        owner = select(rows.c.owner_xid).where(
            rows.c.workflow_uuid == row.workflow_id,
            rows.c.executor_id == row.executor_id,
            rows.c.started_at_epoch_ms == row.dequeued_at,
            rows.c.status == "PENDING",
        )
        with database.engine.connect() as connection:
            return connection.scalar(owner)

    def _take_up(self, running: list[WorkflowStatus], runs: Runs) -> None:
        """Queue what is ours and is not done here, unless it has just been claimed or is just being ended."""
        begun: set[str] = {run.job_id for run in runs.current()}
        undone = {
            (row.workflow_id, row.dequeued_at): row
            for row in running
            if row.executor_id == self._executor_id and row.workflow_id not in begun
        }
        self._undone = Counter({key: self._undone[key] + 1 for key in undone})
        self._requeue(row for key, row in undone.items() if self._undone[key] > _LONG)

    def _requeue(self, rows: Iterable[WorkflowStatus]) -> None:
        for row in rows:
            self._is_queued_again(row)

    def _is_queued_again(self, row: WorkflowStatus) -> bool:
        """Queue what an executor was doing, if it still is its own.

        It is what DBOS itself does at a start, for its own id. `resume_workflow` would reset their deadlines, and take
        a job from whoever took it over a moment ago.
        """
        assert row.executor_id is not None
        is_ours = self._client._sys_db.reenqueue_for_recovery(row.workflow_id, [row.executor_id], queue_of(row.name))
        if is_ours:
            _log.warning("job %s is queued again: %s no longer does it", row.workflow_id, row.executor_id)
        return is_ours
