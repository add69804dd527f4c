"""A site lives through anything: whatever comes, no committed step ever breaks a limit, and no energy is lost."""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.worlds import BOUNDS, trees
from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.charging.path import ChargingPath
from voltbench.charging.reported import ReportedSession
from voltbench.charging.session import ChargingSession
from voltbench.energy.allocate import STRATEGIES
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.energy.gate import Turns
from voltbench.engine import World
from voltbench.events import LimitSet
from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE
from voltbench.running.operation import Operation
from voltbench.site.limits import LimitTree
from voltbench.site.meter import PowerRecord
from voltbench.site.series import StepSeries
from voltbench.site.storage import Storage, StorageModel

KW = 1_000.0
TOLERANCE_W = 1e-4
DC = ChargingPath(150 * KW, 0.0, 0.0, 3, 0.95, 0.95)
THREE_PHASE = ChargingPath(22.08 * KW, 6 * 690.0, 690.0, 3, 1.0, 0.9)
ONE_PHASE = ChargingPath(7.36 * KW, 6 * 230.0, 0.0, 1, 1.0, 0.88)
CURVES = [
    AcceptanceCurve.linear_two_stage(40 * KW, 50 * KW),
    AcceptanceCurve(60 * KW, (0.0, 0.2, 0.5, 1.0), (60 * KW, 130 * KW, 110 * KW, 4 * KW)),
    AcceptanceCurve(20 * KW, (0.0, 1.0), (3 * KW, 1 * KW)),
]
STORAGE = StorageModel("bess", "bess", 20 * KW, 30 * KW, 40 * KW, 0.95, 0.9, reserve_soc=0.15)


class SiteLife(RuleBasedStateMachine):
    """Cars come and go, limits move, loads jump, devices fall silent; the laws are checked at every single fact."""

    @initialize(
        tree=st.one_of(trees(), trees(phases=True), trees(phases=True, lines=True)),
        strategy=st.sampled_from(sorted(STRATEGIES)),
        confirmation=st.sampled_from(Confirmation),
        storage=st.booleans(),
        on_events=st.booleans(),
        load=st.lists(st.sampled_from([0.0, 3 * KW, 80 * KW, -30 * KW]), min_size=1, max_size=4),
    )
    def build(
        self,
        tree: LimitTree,
        strategy: str,
        confirmation: Confirmation,
        storage: bool,
        on_events: bool,
        load: list[float],
    ) -> None:
        self.world = World(0)
        self.tree = tree
        self.record = PowerRecord()
        self.sessions: list[ChargingSession | ReportedSession] = []
        self.sent: dict[str, float] = {}
        self.operation = Operation(
            self.world,
            tree,
            ControlOptions(
                strategy=strategy,
                confirmation=confirmation,
                on_events=on_events,
                turns=Turns(rotation_ms=5 * MS_PER_MINUTE, minimum_on_ms=MS_PER_MINUTE),
            ),
            Storage(STORAGE, 0, soc=0.3) if storage else None,
            load_w=StepSeries([(i * 17 * MS_PER_MINUTE, max(0.0, w)) for i, w in enumerate(load)]),
            generation_w=StepSeries([(i * 17 * MS_PER_MINUTE, max(0.0, -w)) for i, w in enumerate(load)]),
            on_limit=self.check_limit,
        )
        self.settle()

    # --- what happens ----------------------------------------------------------------------------------------------

    @rule(
        outlet=st.integers(0, 15),
        path=st.sampled_from([DC, THREE_PHASE, ONE_PHASE]),
        curve=st.sampled_from(CURVES),
        soc=st.sampled_from([0.0, 0.05, 0.5, 0.79, 0.95, 1.0]),
        asked_wh=st.sampled_from([0.0, 500.0, 10 * KW, 100 * KW]),
        stay_ms=st.sampled_from([MS_PER_HOUR, 8 * MS_PER_HOUR]),
        standing=st.sampled_from([(1.0, 0), (1.0, 0), (3.0, 0), (0.01, 1), (1.0, 2)]),
    )
    def plug_in(
        self,
        outlet: int,
        path: ChargingPath,
        curve: AcceptanceCurve,
        soc: float,
        asked_wh: float,
        stay_ms: int,
        standing: tuple[float, int],
    ) -> None:
        number, now = len(self.sessions), self.world.now
        session = ChargingSession(
            id=f"s{number:04}",
            path=path,
            curve=curve,
            stored_wh=soc * curve.capacity_wh,
            asked_wh=asked_wh,
            now=now,
            departs_at=now + stay_ms,
            emit=lambda at, power, growth: self.record.begin(number, at, power, growth),
        )
        self.arrive(outlet, session, *standing)

    @rule(outlet=st.integers(0, 15), maximum_w=st.sampled_from([1.0, 22 * KW, 150 * KW]))
    def plug_in_somebody_we_only_hear_of(self, outlet: int, maximum_w: float) -> None:
        number = len(self.sessions)
        session = ReportedSession(
            f"s{number:04}",
            DC,
            maximum_w,
            self.world.now,
            emit=lambda at, power, growth: self.record.begin(number, at, power, growth),
        )
        self.arrive(outlet, session)

    def arrive(
        self, outlet: int, session: ChargingSession | ReportedSession, weight: float = 1.0, priority: int = 0
    ) -> None:
        name = list(self.tree.outlets)[outlet % len(self.tree.outlets)]
        if self.operation.at_connector(name) is None:
            self.sessions.append(session)
            self.operation.plug_in(self.world.now, name, session, weight, priority)
            self.settle()

    @precondition(lambda self: self.operation.bays)
    @rule(which=st.integers(0, 15))
    def unplug(self, which: int) -> None:
        id = self.somebody(which)
        self.operation.unplug(self.world.now, id)
        self.sent.pop(id, None)
        self.settle()

    @precondition(lambda self: self.operation.bays)
    @rule(which=st.integers(0, 15), power_w=st.sampled_from([0.0, 5 * KW, 200 * KW, math.nan]))
    def report(self, which: int, power_w: float) -> None:
        id = self.somebody(which)
        known = self.operation.bay(id).commitment
        honest_w = min(power_w, known.worst_w(self.world.now))
        if self.operation.options.confirmation is Confirmation.REPORTED:
            self.operation.controller.commitments.confirm(id, honest_w)
            self.operation.controller.commitments.answer(id)
        session = self.operation.bay(id).session
        if isinstance(session, ReportedSession) and math.isfinite(honest_w):
            session.report(self.world.now, honest_w, 150 * KW)
        self.operation.act_soon(self.world.now)
        self.settle()

    @precondition(lambda self: self.operation.bays and self.operation.options.confirmation is Confirmation.REPORTED)
    @rule(which=st.integers(0, 15))
    def fall_silent(self, which: int) -> None:
        id = self.somebody(which)
        self.operation.controller.commitments.silence(id, self.world.now + 30_000)
        self.operation.act_soon(self.world.now)
        self.settle()

    @rule(node=st.integers(0, 7), power_w=BOUNDS)
    def limit_node(self, node: int, power_w: float) -> None:
        self.tree.set_limit(self.tree.nodes[node % len(self.tree.nodes)].id, "operator", power_w)
        self.operation.limits_changed(self.world.now)
        self.settle()

    @rule(minutes=st.sampled_from([0.001, 0.5, 7.0, 95.0]))
    def time_passes(self, minutes: float) -> None:
        self.settle(int(minutes * MS_PER_MINUTE))

    def somebody(self, which: int) -> str:
        return list(self.operation.bays)[which % len(self.operation.bays)]

    def settle(self, ms: int = 0) -> None:
        self.world.advance(self.world.now + ms)

    # --- laws --------------------------------------------------------------------------------------------------------

    def check_limit(self, fact: LimitSet) -> None:
        """At each committed step: a raise is only sent into what is certainly free."""
        before_w, self.sent[fact.session] = self.sent.get(fact.session, 0.0), fact.power_w
        assert 0.0 <= fact.power_w < math.inf
        known = self.operation.controller.commitments.of(fact.session)
        unconfirmed = self.operation.options.confirmation is Confirmation.REPORTED and fact.power_w <= known.confirmed_w
        assert fact.power_w == 0.0 or fact.power_w >= known.claim.minimum_w - TOLERANCE_W
        if fact.power_w > before_w and not unconfirmed:
            assert self.operation.excess(fact.at, fact.session)[0] <= TOLERANCE_W
            self.check_rows(fact)

    def check_rows(self, fact: LimitSet) -> None:
        """The same, added up here: what everybody may draw at worst, the silent too, and the load, less the battery."""
        operation, now = self.operation, fact.at
        storage = operation.storage
        help_w = storage.dischargeable_w(now) if storage is not None else 0.0
        others = dict(self.tree.root_rows)
        for row, _ in operation.bays[fact.session].claim.rows.linear:
            draws = (
                known.worst_w(now) * per_w
                for known in (bay.commitment for bay in operation.bays.values())
                for loaded, per_w in known.claim.rows.linear
                if loaded == row
            )
            beside_w = (operation.balance.background_w(now) - help_w) * others.get(row, 0.0)
            assert sum(draws) + beside_w <= self.tree.bounds(now)[row] + TOLERANCE_W

    @invariant()
    def no_limit_is_broken_unless_it_was_lowered_and_nobody_has_confirmed(self) -> None:
        now, options = self.world.now, self.operation.options
        if not options.on_events and now % options.interval_ms:
            return
        for id, bay in self.operation.bays.items():
            known = bay.commitment
            certain = all(
                b.commitment.worst_w(now) <= b.commitment.sent_w + TOLERANCE_W for b in self.operation.bays.values()
            )
            if known.sent_w > TOLERANCE_W and not known.is_silent and certain:
                over, name = self.operation.excess(now, id)
                assert over <= TOLERANCE_W, (id, over, name)

    @invariant()
    def nobody_draws_more_than_it_may(self) -> None:
        now = self.world.now
        for bay in self.operation.bays.values():
            is_twin = isinstance(bay.session, ChargingSession)
            most_w = bay.session.limit_w if is_twin else max(bay.session.limit_w, bay.commitment.worst_w(now))
            assert bay.session.power_w(now) <= most_w + TOLERANCE_W

    @invariant()
    def the_connection_carries_what_is_drawn_and_the_battery_covers_no_more_than_it_lacks(self) -> None:
        now, operation = self.world.now, self.operation
        if not operation.options.on_events or any(bay.commitment.is_silent for bay in operation.bays.values()):
            return
        grid_w, limit_w = operation.balance.grid_w(now), self.tree.bounds(now)[0]
        storage_w = operation.storage.setpoint_w if operation.storage is not None else 0.0
        if all(b.commitment.worst_w(now) <= b.commitment.sent_w + TOLERANCE_W for b in operation.bays.values()):
            assert grid_w <= max(limit_w, operation.balance.background_w(now) + storage_w) + TOLERANCE_W
        if storage_w < 0.0 and not self.tree.root_rows[1:]:
            assert grid_w >= limit_w - TOLERANCE_W or any(b.session.drifts for b in operation.bays.values())

    @invariant()
    def energy_is_neither_made_nor_lost(self) -> None:
        now = self.world.now
        flowed = self.record.stretches(now)
        recorded_wh = float(flowed.energy_wh().sum())
        drawn_wh = sum(session.drawn_wh(now) for session in self.sessions)
        assert math.isclose(recorded_wh, drawn_wh, rel_tol=1e-7, abs_tol=1e-3)
        for session in self.sessions:
            if isinstance(session, ChargingSession):
                assert session.delivered_wh(now) <= session.asked_wh + 1e-6
                assert session.soc(now) <= 1.0 + 1e-12

    @invariant()
    def the_battery_stays_in_its_window(self) -> None:
        storage = self.operation.storage
        if storage is not None:
            storage.settle(self.world.now)
            energy_wh = storage.energy_wh(self.world.now)
            assert STORAGE.floor_wh - 1e-6 <= energy_wh <= STORAGE.ceiling_wh + 1e-6
            gained_wh = storage.charged_wh * 0.95 - storage.discharged_wh / 0.9
            assert math.isclose(energy_wh - 0.3 * STORAGE.capacity_wh, gained_wh, abs_tol=1e-3)


TestSiteLife = SiteLife.TestCase
TestSiteLife.settings = settings(stateful_step_count=40)
