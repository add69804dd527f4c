"""What charging profiles cost a station: the limit of this instant, and the composite schedule of a week.

The limit is looked up whenever anything changes at a station; both are of a daily profile, at many instants of its day.
"""

from __future__ import annotations

from benchmarks.figures import Figure, median_cpu_s, ms, promised
from voltbench.charging.installed import InstalledProfiles
from voltbench.charging.profile import Kind, Period, Profile, Purpose, Recurrency, Schedule, Supply, Unit
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, Instant

MONDAY: Instant = 1_772_409_600_000
PROMISE_S = 0.2e-3


def figures(quick: bool = False) -> list[Figure]:
    """Profiles of an hour, a quarter, and as many periods as our stations take."""
    return [figure for periods in (24, 96, 200) for figure in _of(periods, 10 if quick else 100)]


def _of(periods: int, count: int) -> list[Figure]:
    installed, supply = InstalledProfiles(), Supply(rating_a=32.0)
    installed.install(MONDAY, 1, daily(periods))
    instants = [MONDAY + i * MS_PER_DAY // count for i in range(count)]
    limit_s = median_cpu_s(instants, lambda now: installed.limit(1, now, supply, now - MS_PER_HOUR))
    week_s = median_cpu_s(instants[:3], lambda now: installed.limits(1, now, now + 7 * MS_PER_DAY, supply, now))
    return [
        Figure(
            f"the limit now, by a daily profile of {periods} periods",
            ms(limit_s),
            ratio=promised(PROMISE_S, limit_s),
            promise=f"<= {ms(PROMISE_S)}",
        ),
        Figure("  its composite schedule of a week", ms(week_s)),
    ]


def daily(periods: int) -> Profile:
    """A TxDefaultProfile that says something else in each of so many equal parts of a day."""
    parts = tuple(Period(i * 86_400 // periods, 6.0 + i % 20) for i in range(periods))
    schedule = Schedule(Unit.A, parts, start=MONDAY - MS_PER_DAY)
    return Profile(1, 0, Purpose.TX_DEFAULT, Kind.RECURRING, schedule, Recurrency.DAILY)
