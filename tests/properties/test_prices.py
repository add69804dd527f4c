"""Laws of prices and of local time, in every zone and on any day."""

from datetime import UTC, date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.quantities import MS_PER_HOUR, MS_PER_MINUTE, rfc3339
from voltbench.site.calendar import EVERY_DAY, QUARTER_MS, Calendar, Window, day_slots, day_start
from voltbench.site.peaks import PeakTariff, counted_room_w, means, monthly_peaks
from voltbench.site.prices import Charges, Prices, Rate, TimeOfUse, all_in
from voltbench.site.series import StepSeries
from voltbench.site.slots import Slot, Slots

ZONES = st.sampled_from(
    ["Europe/Stockholm", "Europe/London", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Africa/Casablanca"]
) | st.sampled_from(sorted(available_timezones() - {"localtime"}))
DAYS = st.sampled_from([date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)]) | st.dates(
    date(2012, 1, 1), date(2037, 12, 30)
)
"""Since 2012: before that some clocks were changed a minute after midnight, so that a day came in two parts."""

LENGTHS_MS = st.sampled_from([QUARTER_MS, 2 * QUARTER_MS, MS_PER_HOUR])
PRICES = st.sampled_from([0.0, -0.5, 0.3]) | st.floats(-1.0, 5.0)
START = 1_767_225_600_000


@given(ZONES, DAYS, LENGTHS_MS)
def test_the_slots_of_a_day_cover_exactly_that_day(name, day, slot_ms):
    zone = ZoneInfo(name)
    slots = day_slots(day, zone, slot_ms)
    assert all(start < end == next_start for (start, end), (next_start, _) in pairwise(slots))
    assert slots[0][0] == day_start(day, zone)
    assert slots[-1][1] == day_start(day + timedelta(days=1), zone)
    local = Calendar(zone).local
    assert {local(instant).date() for start, end in slots for instant in (start, end - 1)} == {day}
    assert local(slots[0][0] - 1).date() < day < local(slots[-1][1]).date()


@given(ZONES, DAYS)
def test_quarters_of_a_day_are_92_96_or_100_in_europe(name, day):
    if name.startswith("Europe/"):
        assert len(day_slots(day, ZoneInfo(name), QUARTER_MS)) in {92, 96, 100}


MINUTES = st.sampled_from([0, 120, 150, 180, 1_439, 1_440]) | st.integers(0, 1_440)
MONTH_DAYS = st.tuples(st.integers(1, 12), st.integers(1, 31))
WINDOWS = st.builds(
    Window, MINUTES, MINUTES, st.frozensets(st.sampled_from(sorted(EVERY_DAY))), st.tuples(MONTH_DAYS, MONTH_DAYS)
)


@given(ZONES, DAYS, st.lists(st.tuples(WINDOWS, PRICES), max_size=3), st.integers(1, 3 * 1_440), st.data())
def test_at_any_moment_the_price_by_the_clock_is_the_price_of_the_slot(name, day, rates, minutes, data):
    calendar = Calendar(ZoneInfo(name), frozenset({day}))
    tariff = TimeOfUse(calendar, 0.2, tuple(Rate(*rate) for rate in rates))
    start = day_start(day, calendar.zone)
    slots = tariff.slots(start, start + minutes * MS_PER_MINUTE)
    assert (slots.starts_at, slots.known_until(start)) == (start, start + minutes * MS_PER_MINUTE)
    assert all(earlier.per_kwh != later.per_kwh for earlier, later in pairwise(slots))
    for minute in data.draw(st.lists(st.integers(0, minutes - 1), min_size=1, max_size=20)):
        now = start + minute * MS_PER_MINUTE
        assert slots.series().at(now) == tariff.at(now), rfc3339(now)


@st.composite
def some_slots(draw, at_least=1):
    """Slots of different lengths, with gaps between some."""
    start, found = START, []
    for price in draw(st.lists(PRICES, min_size=at_least, max_size=12)):
        start += draw(st.sampled_from([0, 0, 0, QUARTER_MS, MS_PER_HOUR]))
        end = start + draw(LENGTHS_MS)
        found.append(Slot(start, end, price))
        start = end
    return Slots(found)


@st.composite
def some_charges(draw):
    steps = draw(st.lists(st.integers(0, 96), unique=True, max_size=5).map(sorted))
    fee = StepSeries([(0, 0.1), *((START + step * 7 * MS_PER_MINUTE, draw(PRICES)) for step in steps)])
    return Charges(
        (fee, draw(PRICES)), vat=draw(st.sampled_from([0.0, 0.2, 0.25])), markup=draw(st.sampled_from([0.0, 0.05]))
    )


@given(some_slots(), some_charges(), st.booleans(), st.integers(0, 10), st.floats(0.0, 1.0))
def test_all_in_is_monotone_in_the_market_price_and_known_as_long(slots, charges, vat_included, which, more):
    lower = Prices(slots, "SEK", vat_included)
    chosen = list(slots)[which % len(slots)]
    higher = Prices(slots.mapped(lambda slot: slot.per_kwh + (more if slot == chosen else 0.0)), "SEK", vat_included)
    low, high = all_in(lower, charges).slots, all_in(higher, charges).slots
    assert [slot[:2] for slot in low] == [slot[:2] for slot in high]
    assert all(a.per_kwh <= b.per_kwh for a, b in zip(low, high, strict=True))
    assert low.known_until(slots.starts_at) == slots.known_until(slots.starts_at)


@given(some_slots(), some_charges())
def test_at_any_moment_all_in_is_what_the_formula_says(slots, charges):
    priced = all_in(Prices(slots), charges)
    for slot in priced.slots:
        for now in (slot.starts_at, slot.ends_at - 1):
            fees = sum(fee if isinstance(fee, float) else fee.at(now) for fee in charges.fees_per_kwh)
            market = slots.series().at(now) * (1.0 + charges.markup)
            assert slot.per_kwh == pytest.approx((market + fees) * (1.0 + charges.vat))


@given(some_slots())
def test_instants_of_slots_strictly_rise(slots):
    assert all(earlier.starts_at < earlier.ends_at <= later.starts_at for earlier, later in pairwise(slots))
    instants = [instant for instant, _ in slots.series().steps()]
    assert all(earlier < later for earlier, later in pairwise(instants))


@given(some_slots())
def test_what_is_known_is_known_without_a_gap(slots):
    for slot in slots:
        until = slots.known_until(slot.starts_at)
        known = [each for each in slots if slot.starts_at <= each.starts_at < until]
        assert sum(each.ends_at - each.starts_at for each in known) == until - slot.starts_at
        assert until not in {each.starts_at for each in slots}


POWERS_W = st.lists(st.sampled_from([0.0, 5e3, -3e3]) | st.floats(0.0, 11e3), min_size=1, max_size=60)


@given(POWERS_W, st.integers(1, 4), st.booleans())
def test_an_hour_up_to_its_room_costs_nothing_and_any_more_does(powers_w, count, different_days):
    tariff = PeakTariff(Calendar(UTC), 10.0, count, different_days)
    power_w = StepSeries([(START + i * MS_PER_HOUR, power) for i, power in enumerate(powers_w)])
    now = START + len(powers_w) * MS_PER_HOUR
    found = means(power_w, START, now, tariff)
    before = monthly_peaks(found, tariff)[0]
    room = counted_room_w(found, now, tariff)
    if len(before.peaks) == count:
        with_room = monthly_peaks([*found, found[0]._replace(starts_at=now, power_w=room)], tariff)[0]
        assert with_room.billed_w == pytest.approx(before.billed_w)
        above = found[0]._replace(starts_at=now, power_w=room + 100.0)
        assert monthly_peaks([*found, above], tariff)[0].billed_w > before.billed_w
    assert before.billed_w <= max(0.0, *powers_w, 0.0) + 1e-6
