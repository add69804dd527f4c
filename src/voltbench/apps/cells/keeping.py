"""The results' store for a thread that solves: patient where it is out of reach for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from threading import Event
from typing import Any, TypeVar

from voltbench.adapters.cell_results import CellResults, Result
from voltbench.errors import Unavailable
from voltbench.jobs import Run
from voltbench.quantities import Instant

_log = logging.getLogger(__name__)

PAUSES_S = (0.1, 0.3, 1.0, 3.0, 10.0, 20.0, 30.0, 60.0, 60.0)
"""Between attempts: three minutes in all. What was solved is worth waiting for."""

Answer = TypeVar("Answer")


class Keeping:
    """Results that are kept through the loop that their store lives on."""

    def __init__(
        self,
        results: CellResults,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], Instant],
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._results = results
        self._loop = loop
        self._now = now
        self._pauses_s = pauses_s

    def asked_again(self, hashes: Iterable[str], run: Run) -> set[str]:
        """Which of them have a record already. Unavailable where nobody knows for long."""
        wanted = list(hashes)
        return self._patiently(lambda: self._results.asked_again(wanted, self._now()), run)

    def keep(self, some: Sequence[Result], run: Run) -> None:
        """Keep results; on return they are durable. Unavailable where they cannot be kept for long."""
        self._patiently(lambda: self._results.keep(some, self._now()), run)

    def _patiently(self, doing: Callable[[], Coroutine[Any, Any, Answer]], run: Run) -> Answer:
        stopped: Event | None = None
        for pause_s in self._pauses_s:
            try:
                return self._in_loop(doing())
            except Unavailable as error:
                _log.warning("results are out of reach, and tried again in %g s: %s", pause_s, error)
            if stopped is None:
                stopped = Event()
                run.on_stop(stopped.set)
            stopped.wait(pause_s)
            run.check()
        return self._in_loop(doing())

    def _in_loop(self, doing: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()
