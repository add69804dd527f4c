"""Devices that hear of their limit only when they report: whatever they draw meanwhile, no limit is ever broken.

An answer may get lost, as long as the next one arrives, and one a minute does.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import MIDNIGHT, a_site, a_station_model, a_storage
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_MINUTE, Instant
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import StartSession, StopSession, UpdatePower

GRID_W, RATING_W = 200_000.0, 150_000.0
LONGEST_SILENCE_MS = MS_PER_MINUTE

storages = st.none() | st.sampled_from([a_storage(10_000.0, 80_000.0), a_storage(20_000.0, 200_000.0, 0.9)])
happenings = st.tuples(
    st.sampled_from([0, 1, 500, 7_000, 30_000]),
    st.integers(0, 5),
    st.sampled_from(["start", "start", "report", "report", "stop"]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)


class Devices:
    """Six connectors. Who is there draws up to what it was last told, and is heard of at least once a minute."""

    def __init__(self, site: HostedSite) -> None:
        self.site = site
        self.told_w: dict[int, float] = {}
        self.heard_at: dict[int, Instant] = {}
        self._count = 0
        self._ids: dict[int, str] = {}
        self._unanswered: set[int] = set()

    def start(self, now: Instant, slot: int) -> None:
        self._count += 1
        self._ids[slot] = f"S{self._count}"
        start = StartSession(self._ids[slot], f"station-{slot // 2 + 1}", str(slot % 2 + 1), RATING_W)
        self.told_w[slot], self.heard_at[slot] = self.site.take(now, start).allocated_w, now

    def report(self, now: Instant, slot: int, part: float, is_lost: bool = False) -> None:
        """It says what it draws now, and hears what it may draw from now on, unless the answer is lost."""
        drawn_w = part * self.told_w[slot]
        update = UpdatePower(self._ids[slot], drawn_w, RATING_W)
        allocated_w = self.site.take(now, update).allocated_w
        if is_lost and slot not in self._unanswered:
            self._unanswered.add(slot)
        else:
            self._unanswered.discard(slot)
            self.told_w[slot], self.heard_at[slot] = allocated_w, now

    def stop(self, now: Instant, slot: int) -> None:
        self.site.take(now, StopSession(self._ids.pop(slot)))
        del self.told_w[slot], self.heard_at[slot]
        self._unanswered.discard(slot)

    def check(self, now: Instant) -> None:
        self.site.advance(now)
        assert sum(self.told_w.values()) <= GRID_W + self._help_w(now) + 1e-6
        for station in range(3):
            assert sum(w for slot, w in self.told_w.items() if slot // 2 == station) <= RATING_W + 1e-6

    def _help_w(self, now: Instant) -> float:
        """What the battery can give at once, or (negative) takes."""
        storage = self.site.operation.storage
        if storage is None:
            return 0.0
        return -storage.setpoint_w if storage.setpoint_w > 0.0 else storage.dischargeable_w(now)


@given(storages, st.sampled_from([0.15, 0.3, 1.0]), st.lists(happenings, max_size=60), st.none() | st.just(30_000))
def test_what_devices_draw_before_they_hear_of_a_lower_limit_is_counted(storage, soc, life, lends_after_ms):
    plan = a_site(GRID_W, 3, a_station_model(RATING_W), storage, soc)
    site = HostedSite(HostedPlan(plan, ControlOptions(confirmation=Confirmation.REPORTED), lends_after_ms), MIDNIGHT)
    devices, now = Devices(site), MIDNIGHT
    for pause, slot, what, part, is_lost in [*life, *((7_000, 0, "wait", 1.0, False) for _ in range(40))]:
        then = now + pause
        for due, silent in sorted((at + LONGEST_SILENCE_MS, slot) for slot, at in devices.heard_at.items()):
            if due <= then:
                devices.check(max(due - 1, site.now))
                devices.report(due, silent, 1.0)
                devices.check(due)
        now = then
        devices.check(now)
        if what == "start" and slot not in devices.told_w:
            devices.start(now, slot)
        elif what == "report" and slot in devices.told_w:
            devices.report(now, slot, part, is_lost)
        elif what == "stop" and slot in devices.told_w:
            devices.stop(now, slot)
        devices.check(now)
