"""A year of a site of 54 EVSEs: CPU and memory, in a process of its own."""

from __future__ import annotations

import json
import resource
import statistics
import time

from benchmarks.figures import Figure, alone, promised
from voltbench.adapters.catalog import Catalog
from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.control import ControlOptions
from voltbench.quantities import MS_PER_DAY, MS_PER_MINUTE
from voltbench.running.arrivals import visits
from voltbench.running.scenario import Scenario, run
from voltbench.running.site_plan import Place, SitePlan
from voltbench.site.limits import LimitTree, Node, Outlet

MOST_S, MOST_MB = 10.0, 150.0
LIMIT_W = 100_000.0
INTERVAL_MIN = 5
DAYS = 365
START = 1_767_225_600_000  # 2026-01-01


def figures(quick: bool = False) -> list[Figure]:
    """CPU seconds and memory of the year, and how often its limit binds."""
    years = [alone("benchmarks.site_year") for _ in range(1 if quick else 3)]
    cpu_s, rss_mb = statistics.median(year["cpu_s"] for year in years), max(year["rss_mb"] for year in years)
    what = f"a year, 54 EVSEs, {years[0]['sessions']:,} sessions, {LIMIT_W / 1e3:.0f} kW, every {INTERVAL_MIN} min"
    tight = f"limit tight {years[0]['tight_h']:,.0f} h of 8,760; {years[0]['delivered_kwh']:,.0f} kWh delivered"
    return [
        Figure(f"{what} ({tight})", f"{cpu_s:.1f} s CPU", "", promised(MOST_S, cpu_s), f"<= {MOST_S:.0f} s"),
        Figure(
            "  its memory, all of the process",
            f"{rss_mb:.0f} MB",
            "",
            promised(MOST_MB, rss_mb),
            f"<= {MOST_MB:.0f} MB",
        ),
    ]


def car_park() -> SitePlan:
    """54 sockets of 22 kW behind one connection."""
    outlets = [Outlet(f"evse-{i:02}", "grid", rotation=((i % 3), (i + 1) % 3, (i + 2) % 3)) for i in range(54)]
    tree = LimitTree([Node("grid")], outlets)
    tree.set_limit("grid", "contract", LIMIT_W)
    connector = ConnectorModel("sType2", 22_080.0)
    station = StationModel("socket", "socket", 22_080.0, (connector,), "benchmark", step_a=1.0)
    return SitePlan("car-park", tree, [Place(o.id, o.id, station, connector) for o in outlets])


def year() -> Scenario:
    """Workplace arrivals with a fixed seed."""
    catalog = Catalog()
    cars = [
        catalog.vehicle(id)
        for id in ("renault-zoe-r135-50", "vw-id3-pro-58", "tesla-model-3-long-range", "fiat-500e-42")
    ]
    come = visits("workplace", 70.0, DAYS, START, [(car, 1.0) for car in cars], seed=7)
    options = ControlOptions(interval_ms=INTERVAL_MIN * MS_PER_MINUTE)
    return Scenario("year", car_park(), come, START, START + DAYS * MS_PER_DAY, options)


def main() -> None:
    """Run the year and print what it took."""
    scenario = year()
    before = time.process_time()
    outcome = run(scenario)
    cpu = time.process_time() - before
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "sessions": sum(1 for visit in outcome.ledger if visit.connector),
                "cpu_s": cpu,
                "rss_mb": peak_kb / 1024,
                "tight_h": outcome.tight_ms / 3.6e6,
                "delivered_kwh": sum(visit.delivered_wh for visit in outcome.ledger) / 1e3,
            }
        )
    )


if __name__ == "__main__":
    main()
