"""What is known of prices, and what is made of them."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tests.local_time import AUTUMN, HERE, MONDAY, SPRING, STOCKHOLM, at
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_HOUR
from voltbench.site.calendar import WEEKEND, WORKING_DAYS, Calendar, Window, day_slots, day_start
from voltbench.site.prices import Charges, FeedIn, Prices, Rate, TimeOfUse, all_in, feed_in_price
from voltbench.site.series import StepSeries
from voltbench.site.slots import Slot, Slots, from_starts
from voltbench.site.tariff import market_tariff

H = MS_PER_HOUR


def slots(*prices, start=0, length=H):
    return Slots(Slot(start + i * length, start + (i + 1) * length, p) for i, p in enumerate(prices) if p is not None)


def per_kwh(found):
    return [slot.per_kwh for slot in found]


# --- slots -----------------------------------------------------------------------------------------------------------


def test_slots_come_in_any_order_and_the_same_one_twice():
    assert list(Slots([Slot(H, 2 * H, 2.0), Slot(0, H, 1.0), Slot(H, 2 * H, 2.0)])) == list(slots(1.0, 2.0))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ([], "are none"),
        ([Slot(0, 0, 1.0)], "ends before it starts"),
        ([Slot(0, H, float("nan"))], "not finite"),
        ([Slot(0, H, 1.0), Slot(0, H, 2.0)], "two things of the same time"),
        ([Slot(0, H, 1.0), Slot(H - 1, 2 * H, 1.0)], "two things of the same time"),
    ],
)
def test_slots_that_contradict_themselves_are_refused(wrong, problem):
    with pytest.raises(InvalidInput, match=problem):
        Slots(wrong)


def test_prices_are_known_until_the_first_gap():
    known = slots(1.0, 2.0, None, 4.0)
    assert [known.known_until(now) for now in (-1, 0, 2 * H - 1, 2 * H, 3 * H, 4 * H)] == [
        -1,
        2 * H,
        2 * H,
        2 * H,
        4 * H,
        4 * H,
    ]


def test_a_slot_lasts_until_the_next_one_starts_and_none_is_a_gap():
    quarter = H // 4
    assert from_starts([0, H, H + quarter], [1.0, None, 3.0]) == [
        Slot(0, H, 1.0),
        Slot(H + quarter, H + 2 * quarter, 3.0),
    ]
    assert from_starts([0, quarter, 8 * H], [1.0, 2.0, 3.0]) == [
        Slot(0, quarter, 1.0),
        Slot(quarter, 2 * quarter, 2.0),
        Slot(8 * H, 8 * H + quarter, 3.0),
    ]
    assert from_starts([5], [1.0]) == [Slot(5, 5 + H, 1.0)]
    assert from_starts([], []) == []
    with pytest.raises(InvalidInput, match="do not rise"):
        from_starts([0, 0], [1.0, 1.0])


# --- all in ----------------------------------------------------------------------------------------------------------


def test_vat_comes_last_on_taxes_and_fees_too():
    prices = all_in(Prices(slots(1.0), "SEK"), Charges((0.4, 0.1), vat=0.25, markup=0.1))
    assert per_kwh(prices.slots) == pytest.approx([(1.0 * 1.1 + 0.5) * 1.25])
    assert (prices.currency, prices.vat_included) == ("SEK", True)


def test_vat_is_not_added_twice():
    prices = all_in(Prices(slots(1.25), vat_included=True), Charges((0.4,), vat=0.25))
    assert per_kwh(prices.slots) == pytest.approx([1.25 + 0.4 * 1.25])


def test_a_fee_may_change_within_an_hour():
    fee = StepSeries([(0, 0.1), (H // 2, 0.3)])
    prices = all_in(Prices(slots(1.0, 2.0)), Charges((fee,)))
    assert [slot.starts_at for slot in prices.slots] == [0, H // 2, H]
    assert per_kwh(prices.slots) == pytest.approx([1.1, 1.3, 2.3])


def test_negative_prices_stay_negative_and_vat_makes_them_more_so():
    assert per_kwh(all_in(Prices(slots(-0.4)), Charges((0.1,), vat=0.25)).slots) == pytest.approx([-0.375])


def test_what_is_not_known_of_the_market_is_not_known_all_in():
    prices = all_in(Prices(slots(1.0, None, 2.0)), Charges((0.1,), vat=0.2))
    assert prices.known_until(0) == H


@pytest.mark.parametrize("wrong", [{"vat": 25.0}, {"vat": -0.1}, {"markup": -1.5}])
def test_percentages_are_shares(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Charges(**wrong)


# --- feeding in ------------------------------------------------------------------------------------------------------


def test_feeding_in_earns_a_fixed_price_or_a_share_of_the_market():
    market = Prices(slots(0.5, -0.2))
    assert per_kwh(feed_in_price(market, FeedIn(0.08)).slots) == [0.08, 0.08]
    assert per_kwh(feed_in_price(market, FeedIn(-0.05, 1.0)).slots) == pytest.approx([0.45, -0.25])
    assert per_kwh(feed_in_price(market, FeedIn(-0.05, 1.0, least_per_kwh=0.0)).slots) == pytest.approx([0.45, 0.0])


def test_a_share_of_prices_with_vat_in_them_is_refused():
    with pytest.raises(InvalidInput, match="market_share: is of prices that include VAT"):
        feed_in_price(Prices(slots(1.0), vat_included=True), FeedIn(market_share=1.0))


def test_a_tariff_is_made_of_market_prices():
    market = market_tariff(Prices(slots(1.0, 2.0), "SEK"), Charges((), 0.25), FeedIn(0.1), slots(30.0))
    tariff = market.series()
    assert tariff.currency == "SEK"
    series = (tariff.import_price_per_kwh, tariff.export_price_per_kwh, tariff.co2_g_per_kwh)
    assert [each.at(H) for each in series if each is not None] == [2.5, 0.1, 30.0]
    assert market_tariff(Prices(slots(1.0))).series().export_price_per_kwh is None


# --- by the time of day ----------------------------------------------------------------------------------------------

NIGHT = Rate(Window(22 * 60, 6 * 60), 0.1)
WINTER_DAY = Rate(Window(6 * 60, 22 * 60, WORKING_DAYS, ((11, 1), (3, 31))), 0.5)
GRID = TimeOfUse(HERE, 0.2, (WINTER_DAY, NIGHT))


def test_each_hour_has_the_price_of_the_first_window_that_holds():
    day = GRID.slots(at("2026-06-01T00:00"), at("2026-06-02T00:00"))
    assert per_kwh(day) == [0.1, 0.2, 0.1]
    assert [HERE.local(slot.starts_at).hour for slot in day] == [0, 6, 22]
    assert per_kwh(GRID.slots(at("2026-12-24T05:00"), at("2026-12-25T23:00"))) == [0.1, 0.5, 0.1, 0.2, 0.1]


def test_in_winter_a_weekend_has_no_high_price():
    weekend = TimeOfUse(HERE, 0.5, (Rate(Window(weekdays=WEEKEND), 0.2),))
    found = weekend.slots(at("2026-01-09T12:00"), at("2026-01-12T12:00"))
    assert [(HERE.local(slot.starts_at).isoformat(), slot.per_kwh) for slot in found] == [
        ("2026-01-09T12:00:00+01:00", 0.5),
        ("2026-01-10T00:00:00+01:00", 0.2),
        ("2026-01-12T00:00:00+01:00", 0.5),
    ]


@pytest.mark.parametrize(("day", "hours"), [(MONDAY, 1.0), (SPRING, 0.5), (AUTUMN, 1.5)])
def test_a_window_lasts_as_long_as_clocks_show_it(day, hours):
    """From 1:30 to 2:30: in spring clocks go from 2 to 3, in autumn they show 2 to 3 twice."""
    tariff = TimeOfUse(HERE, 0.2, (Rate(Window(90, 150), 1.0),))
    start, end = day_slots(day, STOCKHOLM, 48 * H)[0]
    found = tariff.slots(start, end)
    lasts = sum(slot.ends_at - slot.starts_at for slot in found if slot.per_kwh == 1.0) / H
    assert lasts == (2 * hours if day == AUTUMN and hours == 1.0 else hours)
    assert (found.starts_at, found.ends_at) == (start, end)


def test_time_of_use_counts_as_a_fee():
    kolkata = Calendar(ZoneInfo("Asia/Kolkata"))
    start = day_start(date(2026, 6, 1), kolkata.zone)
    peak = TimeOfUse(kolkata, 1.0, (Rate(Window(18 * 60, 22 * 60), 2.0),))
    fees = peak.slots(start, start + 24 * H).series()
    prices = all_in(Prices(slots(*[1.0] * 24, start=start)), Charges((fees,)))
    assert [slot.per_kwh for slot in prices.slots] == [2.0] * 18 + [3.0] * 4 + [2.0] * 2
