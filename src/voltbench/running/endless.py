"""A site that is lived through without end: a scenario for each day, one after the other, at the same site."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voltbench.engine import ARRIVALS, World
from voltbench.events import Fact, SessionSatisfied
from voltbench.quantities import Instant
from voltbench.running.scenario import Scenario
from voltbench.running.visits import Visitors, VisitRecord

RECENT_VISITS = 256
"""Visits that are remembered after they have ended."""


class EndlessSite:
    """A site on a World of its own whose visitors never stop coming.

    `day` gives the scenario of each day by its number from 0, each beginning where the one before ends. The site is
    that of the first; visitors, load and generation are those of the day. `on_fact` hears what happens.
    """

    def __init__(self, day: Callable[[int], Scenario]) -> None:
        first = day(0)
        site = first.site
        self.plan = site
        self.world = World(first.starts_at)
        self.on_fact: Callable[[Fact], None] | None = None
        self.recent: deque[VisitRecord] = deque(maxlen=RECENT_VISITS)
        self.operation = site.in_operation(self.world, first.options, on_fact=self._tell, on_limit=self._tell)
        self.visitors = Visitors(self.operation, site.places, first.visits, ambient_degc=first.ambient_degc)
        self._day = day
        self._number = 0
        self._ends_at = first.ends_at
        self.world.add(self, ARRIVALS)

    def next_wakeup(self) -> Instant | None:
        """When the next day begins."""
        return self._ends_at

    def wake(self, now: Instant) -> None:
        """Begin the next day."""
        self.ended()
        self._number += 1
        today = self._day(self._number)
        self._ends_at = today.ends_at
        balance = self.operation.balance
        balance.load_w, balance.generation_w = today.site.load_w, today.site.generation_w
        self.visitors.expect(today.visits)
        self.operation.limits_changed(now)

    def ended(self) -> list[VisitRecord]:
        """Visits that have ended lately, the last ended last."""
        self.recent.extend(self.visitors.ledger)
        self.visitors.ledger.clear()
        return list(self.recent)

    def _tell(self, fact: Fact) -> None:
        if isinstance(fact, SessionSatisfied):
            self.visitors.satisfied(fact.session)
        if self.on_fact is not None:
            self.on_fact(fact)
