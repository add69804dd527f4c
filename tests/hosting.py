"""A hosted site in stories: the contract's example, who starts there, and what a reader sees."""

from tests.builders import MIDNIGHT, a_site, a_station_model
from voltbench.energy.commit import Confirmation
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_MINUTE, MS_PER_SECOND
from voltbench.running.hosted import HostedPlan, HostedSite
from voltbench.running.inputs import (
    StartSession,
)
from voltbench.site.storage import StorageModel

T0, T1, T2, T3 = (MIDNIGHT + i * MS_PER_MINUTE for i in range(4))


def a_hosted_site(
    stations: int = 2,
    rating_w: float = 300_000.0,
    load_w: float = 0.0,
    storage: StorageModel | None = None,
    confirmation: Confirmation = Confirmation.INSTANT,
    lends_after_s: float | None = None,
    grid_w: float = 400_000.0,
) -> HostedSite:
    """The contract's site: 400 kW, chargers with two connectors."""
    site = a_site(grid_w, stations, a_station_model(rating_w), storage, load_w=load_w)
    lends_after_ms = round(lends_after_s * MS_PER_SECOND) if lends_after_s is not None else None
    return HostedSite(HostedPlan(site, ControlOptions(confirmation=confirmation), lends_after_ms), T0)


def start(site: HostedSite, now: int, session: str, place: str, vehicle_max_w: float = 150_000.0):
    charger, connector = place.split(":")
    return site.take(now, StartSession(session, f"station-{charger}", connector, vehicle_max_w))


def allocated(site: HostedSite, now: int) -> dict[str, float]:
    """Everybody's allocation in kW, as a reader sees it."""
    return {session.id: round(session.allocated_w / 1_000, 2) for session in site.status(now).sessions}


def battery_kw(site: HostedSite, now: int) -> float:
    """What the battery gives."""
    battery = site.status(now).battery
    assert battery is not None
    return round(-battery.power_w / 1_000, 6)
