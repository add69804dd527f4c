"""A look at the jobs being done here, some times a second: whether they are to end, and how far they are."""

from __future__ import annotations

import logging
from threading import Event, Thread

from dbos import DBOSClient
from sqlalchemy.exc import SQLAlchemyError

from voltbench.adapters.jobs_dbos.rows import DONE, NEVER_LOST
from voltbench.adapters.jobs_dbos.runs import LocalRun, Runs

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25


class Watch:
    """Tells runs to stop whose job is cancelled, out of time or done elsewhere; notes how far the others are."""

    def __init__(self, client: DBOSClient, runs: Runs, executor_id: str) -> None:
        self._client = client
        self._runs = runs
        self._executor_id = executor_id
        self._noted: dict[LocalRun, float] = {}
        self._closing = Event()
        self._thread = Thread(target=self._keep, name="jobs watch", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except SQLAlchemyError as error:
                _log.warning("running jobs cannot be looked after for now: %s", error)
            except Exception:  # a bug of ours in this round: the next one is as needed as ever
                _log.exception("looking after running jobs went wrong")

    def _look(self) -> None:
        runs = self._runs.current()
        self._noted = {run: self._noted.get(run, 0.0) for run in runs}
        if not runs:
            return
        ids: list[str] = [run.job_id for run in runs]
        rows = self._client.list_workflows(workflow_ids=ids, status="PENDING", load_input=False, load_output=False)
        ours = {row.workflow_id for row in rows if row.executor_id == self._executor_id}
        for run in runs:
            if run.job_id not in ours:
                run.stop()
            elif run.items_done != self._noted[run]:
                self._noted[run] = note_progress(self._client, run)


def note_progress(client: DBOSClient, run: LocalRun) -> float:
    """Note how far a run is, for all to see."""
    done = run.items_done
    noted = {DONE: done, **NEVER_LOST} if run.has_done_parts else {DONE: done}
    client.update_workflow_attributes(run.job_id, noted, merge=True)
    return done
