"""A look at the jobs being done here, some times a second: whether they are to end, and how they stand."""

from __future__ import annotations

import logging
from threading import Thread
from typing import Any

from dbos import DBOSClient, WorkflowStatus
from sqlalchemy.exc import SQLAlchemyError

from voltbench.adapters.jobs_dbos.rows import DONE, NEVER_LOST, WAITS_AT
from voltbench.adapters.jobs_dbos.runs import LocalRun, Runs

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25


class Watch:
    """Tells runs to stop whose job is cancelled, out of time or done elsewhere; notes how the others stand."""

    def __init__(self, client: DBOSClient, runs: Runs, executor_id: str) -> None:
        self._client = client
        self._runs = runs
        self._executor_id = executor_id
        self._is_closing = False
        self._thread = Thread(target=self._keep, name="jobs watch", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._is_closing = True
        self._runs.awake.set()
        self._thread.join()

    def _keep(self) -> None:
        while True:
            self._runs.awake.wait(_LOOK_EVERY_S)
            self._runs.awake.clear()
            if self._is_closing:
                return
            try:
                self._look()
            except SQLAlchemyError as error:
                _log.warning("running jobs cannot be looked after for now: %s", error)
            except Exception:  # a bug of ours in this round: the next one is as needed as ever
                _log.exception("looking after running jobs went wrong")

    def _look(self) -> None:
        runs = self._runs.current()
        if not runs:
            return
        ids: list[str] = [run.job_id for run in runs]
        rows = self._client.list_workflows(workflow_ids=ids, status="PENDING", load_input=False, load_output=False)
        ours = {row.workflow_id: row for row in rows if row.executor_id == self._executor_id}
        for run in runs:
            if run.job_id in ours:
                self._note(run, ours[run.job_id])
            else:
                run.stop()

    def _note(self, run: LocalRun, row: WorkflowStatus) -> None:
        """Note what is not known yet of how a run stands."""
        run.is_noted_waiting = True  # first: should it begin just now, there is another look at once
        is_waiting = run.is_waiting
        wanted = _standing(run) | {WAITS_AT: self._executor_id if is_waiting else ""}
        known = {**NEVER_LOST, **(row.attributes or {})}
        if any(known.get(name) != told for name, told in wanted.items()):
            self._client.update_workflow_attributes(run.job_id, wanted, merge=True)
        run.is_noted_waiting = is_waiting


def _standing(run: LocalRun) -> dict[str, Any]:
    """How far a run is, once it is any way; and that all is well, if it has got on."""
    done = {DONE: run.items_done} if run.items_done else {}
    return {**NEVER_LOST, **done} if run.has_got_on else done


def note_progress(client: DBOSClient, run: LocalRun) -> None:
    """Note how far a run is, for all to see."""
    client.update_workflow_attributes(run.job_id, {DONE: run.items_done, **_standing(run)}, merge=True)
