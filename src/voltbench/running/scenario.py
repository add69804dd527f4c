"""A scenario: a site, who comes, what energy costs, and for how long. Running it gives an `Outcome`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from voltbench.battery.thermal import MILD_DEGC
from voltbench.charging.session import Emit
from voltbench.energy.control import ControlOptions
from voltbench.engine import World
from voltbench.events import Fact, SessionSatisfied, StorageSet
from voltbench.quantities import Instant
from voltbench.running.publication import Publication
from voltbench.running.site_plan import SitePlan
from voltbench.running.visits import Visit, Visitors, VisitRecord
from voltbench.site.meter import PowerRecord
from voltbench.site.storage import Storage
from voltbench.site.tariff import Tariff

STORAGE_SOURCE = -1
"""The number under which the stationary battery is recorded; visits count from 0 in the order of `Scenario.visits`."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is to be lived through, from `starts_at` until `ends_at`. `tariff` may be unknown.

    Energy costs what the tariff says, whether or not its prices are `published` yet: that is what a plan knows of them.
    Without it, they are known from the start. Around cars it is `ambient_degc`.
    """

    name: str
    site: SitePlan
    visits: Sequence[Visit]
    starts_at: Instant
    ends_at: Instant
    options: ControlOptions = field(default_factory=ControlOptions)
    tariff: Tariff = field(default_factory=Tariff)
    published: Publication | None = None
    seed: int = 0
    ambient_degc: float = MILD_DEGC

    def with_strategy(self, strategy: str) -> Scenario:
        """The same scenario under another allocation strategy."""
        return replace(self, options=replace(self.options, strategy=strategy))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario: the ledger of visits, every stretch of power, and how the battery fared.

    `tight_ms` is how long a shared limit held somebody back or might have.
    """

    scenario: Scenario
    ledger: list[VisitRecord]
    record: PowerRecord
    storage: Storage | None
    tight_ms: int


class Run:
    """A scenario being lived through on a World of its own, or one that is given."""

    def __init__(self, scenario: Scenario, world: World | None = None, on_fact: Callable[[Fact], None] | None = None):
        self.scenario = scenario
        self.world = world or World(scenario.starts_at)
        self.record = PowerRecord()
        self._on_fact = on_fact
        self._number = {visit.id: i for i, visit in enumerate(scenario.visits)}
        self.operation = scenario.site.in_operation(
            self.world,
            scenario.options,
            on_fact=self._note,
            tariff=scenario.tariff,
            published=scenario.published,
            ends_at=scenario.ends_at,
        )
        places, ambient_degc = scenario.site.places, scenario.ambient_degc
        self.visitors = Visitors(self.operation, places, scenario.visits, self._emit_for, ambient_degc)

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        now = self.world.now
        if self.operation.storage is not None:
            self.operation.storage.settle(now)
        ledger = self.visitors.close(now)
        return Outcome(self.scenario, ledger, self.record, self.operation.storage, self.operation.tight_ms)

    def _note(self, fact: Fact) -> None:
        if isinstance(fact, SessionSatisfied):
            self.visitors.satisfied(fact.session)
        elif isinstance(fact, StorageSet):
            self.record.begin(STORAGE_SOURCE, float(fact.at), fact.power_w, 0.0)
        if self._on_fact is not None:
            self._on_fact(fact)

    def _emit_for(self, visit_id: str) -> Emit:
        number, begin = self._number[visit_id], self.record.begin
        return lambda start_ms, power_w, growth_per_s: begin(number, start_ms, power_w, growth_per_s)


def run(scenario: Scenario, on_progress: Callable[[float], None] | None = None) -> Outcome:
    """Live through a scenario as fast as it goes; `on_progress` hears the part done, 0 to 1, a hundred times."""
    living = Run(scenario)
    length = scenario.ends_at - scenario.starts_at
    if on_progress is not None:
        for percent in range(1, 100):
            living.world.advance(scenario.starts_at + length * percent // 100)
            on_progress(percent / 100)
    living.world.advance(scenario.ends_at)
    if on_progress is not None:
        on_progress(1.0)
    return living.outcome()
