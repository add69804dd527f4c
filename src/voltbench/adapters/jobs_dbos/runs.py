"""The jobs that are being done in this process, and how they are told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Event, Lock

from voltbench.jobs import JobId, Stopped

_log = logging.getLogger(__name__)


class LocalRun:
    """A job being done here. `is_ours` tells whether this process still has its lease.

    `wake` has whoever notes how it stands look at once.
    """

    def __init__(
        self,
        job_id: JobId,
        is_ours: Callable[[], bool],
        stamp: str = "",
        within_s: float | None = None,
        priority: int = 0,
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self.job_id = job_id
        self.stamp = stamp
        self.within_s = within_s
        self.priority = priority
        self._is_ours = is_ours
        self._wake = wake
        self._is_in_line = self._has_begun = False
        self._lock = Lock()
        self._stops: list[Callable[[], object]] = []
        self._is_stopped = False
        self._before_part = 0
        self._in_part = 0.0
        self.has_got_on = False
        self.is_noted_waiting = False

    @property
    def is_stopped(self) -> bool:
        """Whether the work is to end."""
        return self._is_stopped

    @property
    def is_waiting(self) -> bool:
        """Whether the work only waits for its turn."""
        return self._is_in_line and not self._has_begun

    @property
    def items_done(self) -> float:
        """Of the whole job."""
        return self._before_part + self._in_part

    def check(self) -> None:
        """Raise Stopped if the work is to end, or if this process has lost the job."""
        if not self._is_stopped and not self._is_ours():
            self.stop()
        if self._is_stopped:
            raise Stopped

    def done(self, items: float) -> None:
        """So many items of this part are done."""
        self._in_part = items

    def wait_for_turn(self) -> None:
        """The work only waits for others, unless it has begun before."""
        self._is_in_line = True

    def begin(self) -> None:
        """The wait is over, for good. Where it was noted that the work waits, that is no longer so."""
        self._has_begun = True
        if self.is_noted_waiting:
            self._wake()

    def get_on(self) -> None:
        """Some of this part is kept, and will not be done again."""
        self.has_got_on = True

    def finish(self, part: range) -> None:
        """The whole part is done. What is to be called on a stop was about this part."""
        with self._lock:
            self._before_part, self._in_part = self._before_part + len(part), 0.0
            self._stops.clear()

    def on_stop(self, stop: Callable[[], object]) -> None:
        """Call this once the work is to end, from another thread; at once if it is so already."""
        with self._lock:
            if not self._is_stopped:
                self._stops.append(stop)
                return
        stop()

    def stop(self) -> None:
        """Tell the work to end. It is told once."""
        with self._lock:
            stops, self._stops = self._stops, []
            self._is_stopped = True
        for stop in stops:
            try:
                stop()
            except Exception:  # somebody else's: the next ones are to be told all the same
                _log.exception("job %s could not be told to stop", self.job_id)


class Runs:
    """All jobs being done here. Who is `awake` looks at how they stand."""

    def __init__(self, is_ours: Callable[[], bool]) -> None:
        self.awake = Event()
        self._is_ours = is_ours
        self._changed = Condition()
        self._runs: set[LocalRun] = set()
        self._is_closing = False

    def begin(self, job_id: JobId, stamp: str, within_s: float | None, priority: int) -> LocalRun:
        """A run of a job. Stopped if this process is about to end."""
        run = LocalRun(job_id, self._is_ours, stamp, within_s, priority, self.awake.set)
        with self._changed:
            if self._is_closing:
                raise Stopped
            before = [other for other in self._runs if other.job_id == job_id]
            self._runs.add(run)
        for other in before:  # still at it, since before the job was cancelled and tried again
            other.stop()
        return run

    def end(self, run: LocalRun) -> None:
        """The run has ended, this way or that."""
        with self._changed:
            self._runs.discard(run)
            self._changed.notify_all()

    def current(self) -> list[LocalRun]:
        """Those that are to go on."""
        with self._changed:
            return [run for run in self._runs if not run.is_stopped]

    def stop_all(self) -> None:
        """Tell all to end."""
        for run in self.current():
            run.stop()

    def close(self, patience_s: float) -> bool:
        """Tell all to end, begin no more, and wait. Whether they have ended."""
        with self._changed:
            self._is_closing = True
        self.stop_all()
        with self._changed:
            return self._changed.wait_for(lambda: not self._runs, patience_s)
