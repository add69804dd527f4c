"""What was asked for long ago is forgotten: jobs that have ended, results, who was told, and the seed's numbers."""

from __future__ import annotations

from voltbench.adapters.cell_hooks import CellHooks
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.cell_results import CellResults
from voltbench.jobs import JobId, Jobs
from voltbench.quantities import Instant

AT_ONCE = 500
"""Rows in a transaction, which others wait for."""


async def forget_old(jobs: Jobs, results: CellResults, before: Instant) -> None:
    """Forget what ended, or was last asked for, before an instant. A job that goes on stays, with its number."""
    for forget in (jobs.forget, results.forget, CellHooks(results.database).forget):
        while await forget(before, AT_ONCE) == AT_ONCE:
            continue
    await _forget_numbers(jobs, CellNumbers(results.database), before)


async def _forget_numbers(jobs: Jobs, numbers: CellNumbers, before: Instant) -> None:
    kept = 0
    while page := await numbers.old(before, AT_ONCE, skipped=kept):
        there = {job.id for job in await jobs.those([JobId(one.job_id) for one in page if one.job_id is not None])}
        gone = [one.number for one in page if one.job_id not in there]
        await numbers.drop(gone, before)
        kept += len(page) - len(gone)
