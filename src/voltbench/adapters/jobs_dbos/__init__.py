"""Jobs in DBOS Transact: durable workflows and queues, in a SQLite file or in PostgreSQL.

A job is a workflow and its parts are steps. DBOS fences both: each run of a workflow has a token, without which it can
note neither a step nor an end. What DBOS leaves to us:

* Whose work it is. It restarts the work of a process only under the same executor id, so each process here has an id of
  its own and a *lease*, a row that it renews each second. Whoever finds a lease run out takes over its jobs.
* How often. A job that was lost by eleven processes that did not come back, with nothing kept in between, has failed.
  Those with which it only waited for its turn do not count.
* What a stopped run does. It hears of it within a quarter of a second, and before it keeps anything.

DBOS is pinned to one minor version, for what its API does not offer: taking over a job *without* resetting its attempts
and its deadline, or robbing whoever took it over a moment ago (`resume_workflow` does all three); giving one up; queues
with a concurrency of each process' own (`register_queue` keeps one for all, in the database); polling that costs
next to nothing while nothing waits; migrating in a process that does no jobs; two changes in one transaction; and times
in SQLite to the millisecond.

Importing `dbos` takes seconds, so only opening does.
"""

from voltbench.adapters.jobs_dbos.opening import open_jobs

__all__ = ["open_jobs"]
