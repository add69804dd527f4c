"""Twins that stumble over a mistake of ours, and do not take the others with them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from voltbench.adapters.ocpp_station.tally import Tally
from voltbench.engine import World
from voltbench.errors import LocalProtocolError
from voltbench.quantities import MS_PER_SECOND, Instant

FIRST_REST_MS = 1 * MS_PER_SECOND
LONGEST_REST_MS = 3_600 * MS_PER_SECOND
"""How long a twin rests that has stumbled: twice as long each time, until it does not."""

MOST_WAKEUPS_AT_ONE_INSTANT = 1_000

_log = logging.getLogger(__name__)


class Sheltered:
    """A twin that may stumble: that is logged under its name, counted, and after a rest it is woken again.

    `due` says when it wants to be woken, `act` does what is due.
    """

    __slots__ = (
        "_act",
        "_due",
        "_has_stumbled",
        "_name",
        "_rest_ms",
        "_rests_until",
        "_tally",
        "_wakeups",
        "_woken_at",
        "_world",
    )

    def __init__(
        self,
        name: str,
        world: World,
        tally: Tally,
        due: Callable[[], Instant | None],
        act: Callable[[Instant], None],
    ) -> None:
        self._name = name
        self._world = world
        self._tally = tally
        self._due = due
        self._act = act
        self._rests_until: Instant | None = None
        self._rest_ms = FIRST_REST_MS
        self._has_stumbled = False
        self._woken_at: Instant | None = None
        self._wakeups = 0

    def next_wakeup(self) -> Instant | None:
        """When it wants to be woken, or has rested."""
        if self._rests_until is not None:
            return self._rests_until
        try:
            return self._due()
        except Exception:
            return self._rest()

    def wake(self, now: Instant) -> None:
        """Let it do what is due."""
        self._rests_until = None
        try:
            if now != self._woken_at:
                self._begin_instant(now)
            self._wakeups += 1
            if self._wakeups > MOST_WAKEUPS_AT_ONE_INSTANT:
                raise LocalProtocolError(f"{self._name} keeps asking to be woken at {now}")
            self._act(now)
        except Exception:
            self._rest()

    def _rest(self) -> Instant:
        self.stumbled()
        self._has_stumbled = True
        self._rests_until = self._world.now + self._rest_ms
        self._rest_ms = min(2 * self._rest_ms, LONGEST_REST_MS)
        return self._rests_until

    def stumbled(self) -> None:
        """It has met a mistake of ours, which is being handled."""
        self._tally.stumbled()
        _log.exception("%s stumbled", self._name)

    def _begin_instant(self, now: Instant) -> None:
        self._rest_ms = self._rest_ms if self._has_stumbled else FIRST_REST_MS
        self._woken_at, self._wakeups, self._has_stumbled = now, 0, False
