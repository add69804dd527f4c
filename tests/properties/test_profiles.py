"""Laws of the composite schedule: at every instant it is what the rules say, and it says who says so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voltbench.charging.profile import (
    Kind,
    Period,
    Profile,
    Purpose,
    Recurrency,
    Schedule,
    Supply,
    Unit,
    composite,
    limit_at,
    station_composite,
)
from voltbench.quantities import MS_PER_DAY, MS_PER_HOUR, MS_PER_SECOND, Instant

T0: Instant = 1_772_409_600_000
instants = st.integers(-30, 30).map(lambda hours: T0 + hours * MS_PER_HOUR)
SUPPLY = Supply(rating_a=32.0)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    starts = sorted(draw(st.sets(st.sampled_from([600, 3_600, 7_200, 40_000]), max_size=3)))
    periods = tuple(
        Period(start_s, draw(st.sampled_from([0.0, 6.0, 10.0, 16.0, 11_000.0])), draw(st.sampled_from([1, 3])))
        for start_s in [0, *starts]
    )
    return Schedule(
        draw(st.sampled_from(Unit)),
        periods,
        draw(st.none() | instants),
        draw(st.none() | st.sampled_from([300, 3_600, 10_000, 200_000])),
    )


@st.composite
def profile_sets(draw: st.DrawFn) -> list[Profile]:
    """Some profiles; no two of one purpose share a stack level, as no station lets them."""
    places = draw(st.sets(st.tuples(st.sampled_from(Purpose), st.integers(0, 2)), max_size=6))
    return [
        Profile(
            id=i,
            stack_level=level,
            purpose=purpose,
            kind=(kind := draw(st.sampled_from(Kind))),
            schedule=draw(schedules()),
            recurrency=draw(st.sampled_from(Recurrency)) if kind is Kind.RECURRING else None,
            valid_from=draw(st.none() | instants),
            valid_to=draw(st.none() | instants),
        )
        for i, (purpose, level) in enumerate(sorted(places))
    ]


def says(profile: Profile, at: Instant, window_start: Instant, tx: Instant | None) -> Period | None:
    """What one profile says about an instant, worked out from that instant alone."""
    if profile.valid_from is not None and at < profile.valid_from:
        return None
    if profile.valid_to is not None and at >= profile.valid_to:
        return None
    schedule = profile.schedule
    if profile.kind is Kind.RELATIVE:
        begins = tx if tx is not None else window_start
    else:
        begins = next(t for t in (schedule.start, profile.valid_from, window_start) if t is not None)
    since_ms = at - begins
    if since_ms < 0:
        return None
    if profile.kind is Kind.RECURRING:
        assert profile.recurrency is not None
        since_ms %= profile.recurrency.period_ms
    if schedule.duration_s is not None and since_ms >= schedule.duration_s * MS_PER_SECOND:
        return None
    return [p for p in schedule.periods if p.start_s * MS_PER_SECOND <= since_ms][-1]


def limit_w(profiles: list[Profile], at: Instant, window_start: Instant, tx: Instant | None) -> float:
    """The limit of an instant by the rules as they are written: in A on the phases that are left, within the rating."""
    by_purpose: dict[Purpose, tuple[Unit, Period]] = {}
    for profile in sorted(profiles, key=lambda p: p.stack_level):
        period = says(profile, at, window_start, tx)
        if period is not None:
            by_purpose[profile.purpose] = profile.schedule.unit, period
    own = by_purpose.pop(Purpose.TX, None)
    default = by_purpose.pop(Purpose.TX_DEFAULT, None)
    if tx is not None and (own is not None or default is not None):
        by_purpose[Purpose.TX] = own if own is not None else default  # type: ignore[assignment]
    if not by_purpose:
        return SUPPLY.gap_w
    phases = min(period.phases for _, period in by_purpose.values())
    limits = [SUPPLY.in_w(period.limit, unit, phases) for unit, period in by_purpose.values()]
    return min(*limits, SUPPLY.in_w(SUPPLY.rating_a, Unit.A, phases))


@given(profile_sets(), st.none() | st.just(T0 - MS_PER_HOUR), st.sampled_from([3 * MS_PER_DAY, MS_PER_HOUR, 1, 0]))
def test_every_instant_has_the_limit_that_the_rules_give_it(profiles, tx, length):
    found = composite(profiles, T0, T0 + length, SUPPLY, tx)
    assert (found[0].start, found[-1].end) == (T0, T0 + length)
    for before, after in pairwise(found):
        assert before.end == after.start
        assert (before.limit_w, before.phases, before.why) != (after.limit_w, after.phases, after.why)
    for stretch in found:
        for at in {stretch.start, (stretch.start + stretch.end) // 2, max(stretch.start, stretch.end - 1)}:
            assert stretch.limit_w == limit_w(profiles, at, T0, tx)
            if stretch.why is not None:
                period = says(stretch.why, at, T0, tx)
                assert period is not None
                assert stretch.phases <= period.phases
                assert stretch.limit_w == SUPPLY.in_w(period.limit, stretch.why.schedule.unit, stretch.phases)


def test_a_daily_schedule_that_would_last_longer_begins_anew_each_day():
    schedule = Schedule(Unit.W, (Period(0, 1_000.0), Period(3_600, 2_000.0)), T0, duration_s=200_000)
    profile = Profile(1, 0, Purpose.STATION_MAX, Kind.RECURRING, schedule, Recurrency.DAILY)
    found = composite([profile], T0, T0 + 2 * MS_PER_DAY, SUPPLY)
    assert [stretch.limit_w for stretch in found] == [1_000.0, 2_000.0, 1_000.0, 2_000.0]


def test_of_two_periods_that_begin_at_once_the_later_holds():
    schedule = Schedule(Unit.W, (Period(0, 1_000.0), Period(60, 2_000.0), Period(60, 3_000.0)), T0)
    found = composite([Profile(1, 0, Purpose.STATION_MAX, Kind.ABSOLUTE, schedule)], T0, T0 + MS_PER_HOUR, SUPPLY)
    assert [stretch.limit_w for stretch in found] == [1_000.0, 3_000.0]


@given(profile_sets(), st.none() | st.just(T0 - MS_PER_HOUR))
def test_the_limit_of_an_instant_is_where_the_composite_begins_and_holds_until_it_ends(profiles, tx):
    end = T0 + 3 * MS_PER_DAY
    found, whole = limit_at(profiles, T0, end, SUPPLY, tx), composite(profiles, T0, end, SUPPLY, tx)[0]
    assert T0 == found.start < found.end <= whole.end
    assert replace(found, end=whole.end) == whole


@given(profile_sets(), profile_sets())
def test_a_station_s_limit_is_the_sum_of_its_connectors_below_its_own(one, other):
    end = T0 + MS_PER_DAY
    connectors = [composite(p, T0, end, SUPPLY, T0) for p in (one, other)]
    cap = composite(
        [p for p in one if p.purpose is Purpose.STATION_MAX], T0, end, Supply(rating_a=50.0, default_a=50.0)
    )
    whole = station_composite(connectors, cap, T0, end)
    assert (whole[0].start, whole[-1].end) == (T0, end)
    for stretch in whole:
        parts = [next(s.limit_w for s in c if s.start <= stretch.start < s.end) for c in (*connectors, cap)]
        assert stretch.limit_w == min(parts[0] + parts[1], parts[2])
