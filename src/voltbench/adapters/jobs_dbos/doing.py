"""A job as a workflow of DBOS: its parts are steps, of which none that is noted is done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbos import DBOS, DBOSClient
from dbos import error as dbos_errors
from dbos._context import get_local_dbos_context

from voltbench.adapters.jobs_dbos.rows import outcome_of, request_of
from voltbench.adapters.jobs_dbos.runs import LocalRun, Runs
from voltbench.adapters.jobs_dbos.watching import note_progress
from voltbench.clock import wall_instant
from voltbench.errors import LocalProtocolError
from voltbench.jobs import JobId, Stopped, Work
from voltbench.quantities import MS_PER_SECOND


class _Failure(BaseException):
    """What a part raised, on its way past DBOS, which would note it as what the step comes to each time."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def workflow_of(kind: str, work: Work, runs: Runs, client: DBOSClient) -> Callable[[str], None]:
    """Register how jobs of a kind are done."""

    @DBOS.workflow(name=kind, max_recovery_attempts=None)  # DBOS counts every new start, we only crashes
    def do(kept_request: str, stamp: str = "", priority: int = 0) -> None:  # older ones have fewer of them
        assert DBOS.workflow_id is not None
        run = runs.begin(JobId(DBOS.workflow_id), stamp, _within_s(), priority)
        try:
            _do_parts(work, request_of(kept_request), run, client)
        except _Failure as failed:
            note_progress(client, run)
            raise outcome_of(failed.error) from failed.error
        except (dbos_errors.DBOSWorkflowConflictIDError, dbos_errors.DBOSWorkflowCancelledError) as lost:
            raise Stopped from lost  # DBOS would wait here for how it ends elsewhere
        finally:
            runs.end(run)

    return do


def _within_s() -> float | None:
    """How long the workflow may still take, if it has a timeout."""
    context = get_local_dbos_context()
    deadline_ms = None if context is None else context.workflow_deadline_epoch_ms
    return None if deadline_ms is None else max(0.0, (deadline_ms - wall_instant()) / MS_PER_SECOND)


def _do_parts(work: Work, request: bytes, run: LocalRun, client: DBOSClient) -> None:
    try:
        parts = work.parts(request)
    except Exception as error:
        raise _Failure(error) from error
    if len(parts) == 1:  # the end of the job tells as much as a step would
        _do_part(work, request, parts[0], run)
        return
    first, end = 0, parts[-1].stop if parts else 0
    while first < end:
        stop: int = DBOS.run_step({"name": "part"}, _do_part, work, request, _next(parts, first), run)
        run.finish(range(first, stop))
        if run.has_got_on and stop < end:
            note_progress(client, run)
        first = stop


def _next(parts: Sequence[range], first: int) -> range:
    """What is to be done after all before an item, which ended a part when that was noted, and today may not."""
    return range(first, next(part.stop for part in parts if part.stop > first))


def _do_part(work: Work, request: bytes, part: range, run: LocalRun) -> int:
    """Do a part. It comes to where the next one begins, and that is what is noted of it."""
    run.check()
    try:
        work.do(run.job_id, request, part, run)
    except Stopped as stopped:
        if not run.is_stopped:
            raise _Failure(LocalProtocolError("the work stopped, and nobody had told it to")) from stopped
        raise
    except Exception as error:
        run.check()  # whatever a work raises once it is told to stop, is no failure
        raise _Failure(error) from error
    run.check()
    run.get_on()
    return part.stop
