"""What a cell takes, as a table: scaled to a pack, read between its entries, and refused where it is none."""

from bisect import bisect_right

import msgspec
import numpy as np
import pytest

from tests.packs import C_RATES, CAPACITY_WH, TENTHS, a_cell_map, a_pack
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.strict import convert
from voltbench.adapters.toml_text import parse_toml
from voltbench.battery.acceptance import AcceptanceCurve
from voltbench.battery.charge_map import CellChargeMap, toml_text
from voltbench.battery.even_grid import EvenGrid
from voltbench.battery.pack_map import SMALL_C, STRAIGHT_WITHIN, TRICKLE_C, ChargeMap, Room
from voltbench.errors import InvalidInput


def a_map(**options) -> ChargeMap:
    return a_pack(**options).accepts(CAPACITY_WH)


def power_by_hand(map: ChargeMap, soc, degc, soh, resistance):
    """All four axes one after the other, for one pack: the slow way."""
    table = map.table_w
    for axis, at in zip(map.axes, (resistance, soh, degc, soc), strict=True):
        flat = table.reshape(len(axis), -1)
        lines = [np.interp(at, axis, flat[:, k]) for k in range(flat.shape[1])]
        table = np.array(lines).reshape(table.shape[1:])
    return float(table)


def test_a_pack_of_so_many_cells_takes_what_the_contract_says():
    curve = a_map().curve(25.0)
    found = [curve.power_at(soc * CAPACITY_WH) / 1e3 for soc in TENTHS]
    assert found == pytest.approx([192, 139, 118, 103, 90, 81, 72, 49, 30], rel=0.04)


def test_a_curve_goes_through_the_tables_entries():
    map, volts = a_map(), a_cell_map().voltages[0, 0, 0]
    for degc, rates in C_RATES.items():
        curve = map.curve(degc)
        for tenth, rate in enumerate(rates, 1):
            cells_w = rate * 5.0 * 44 * 96 * volts[10 * tenth]
            expected_w = max(cells_w, CAPACITY_WH * TRICKLE_C)
            assert curve.power_at(tenth / 10 * CAPACITY_WH) == pytest.approx(expected_w, rel=STRAIGHT_WITHIN)


def test_between_entries_everything_is_linear_for_one_pack_as_for_many():
    map, chance = a_map(max_power_w=150_000.0), np.random.default_rng(5)
    asked = [chance.uniform(*bounds, 200) for bounds in ((0.0, 1.0), (-25.0, 65.0), (0.8, 1.0), (0.8, 2.2))]
    many = map.power_w(*asked)
    for i in range(200):
        soc, degc, soh, resistance = (float(each[i]) for each in asked)
        by_hand = power_by_hand(map, soc, degc, soh, resistance)
        assert many[i] == pytest.approx(by_hand, rel=2e-4, abs=1.0)
        curve = map.curve(degc, soh, resistance)
        assert curve.power_at(soc * curve.capacity_wh) == pytest.approx(by_hand, rel=STRAIGHT_WITHIN)


def test_single_numbers_and_arrays_may_be_mixed():
    map, soc = a_map(), np.array([0.1, 0.5, 0.9])
    fresh = map.power_w(soc, 25.0)
    assert fresh.shape == (3,)
    assert map.power_w(soc, np.full(3, 25.0), np.ones(3), np.ones(3)) == pytest.approx(fresh, rel=1e-6)
    assert map.power_w(soc, 25.0, np.ones(3)) == pytest.approx(fresh, rel=1e-6)
    assert float(map.power_w(0.5, 25.0)) == pytest.approx(fresh[1], rel=1e-6)
    grid = map.power_w(soc[:, None], np.array([0.0, 25.0]), np.array([1.0, 0.9]))
    assert grid.shape == (3, 2)
    assert grid[1, 0] == pytest.approx(map.power_w(0.5, 0.0), rel=1e-6)


def test_a_pack_is_never_refused_wholly_so_that_its_curve_is_one():
    curve = a_map().curve(-10.0)
    assert isinstance(curve, AcceptanceCurve)
    assert curve.power_at(0.95 * CAPACITY_WH) == pytest.approx(CAPACITY_WH * TRICKLE_C)
    assert curve.full_wh == curve.capacity_wh == CAPACITY_WH


def test_leads_inlet_and_margin_cap_what_cells_would_take():
    cells = a_cell_map()
    by_power = ChargeMap.of_cells(cells, 96, 44, CAPACITY_WH, max_power_w=127_500.0)
    assert by_power.curve(25.0).peak_w == pytest.approx(127_500.0)
    by_current = ChargeMap.of_cells(cells, 96, 44, CAPACITY_WH, max_current_a=300.0).curve(25.0)
    assert by_current.power_at(0.1 * CAPACITY_WH) == pytest.approx(300.0 * 96 * 3.94)
    careful = ChargeMap.of_cells(cells, 96, 44, CAPACITY_WH, margin=0.1).curve(25.0)
    assert careful.power_at(0.5 * CAPACITY_WH) == pytest.approx(0.9 * a_map().curve(25.0).power_at(0.5 * CAPACITY_WH))


def test_an_aged_pack_holds_less_and_takes_less():
    fresh, aged = a_map().curve(25.0), a_map().curve(25.0, soh=0.8, resistance=1.5)
    assert aged.capacity_wh == pytest.approx(0.8 * CAPACITY_WH)
    assert aged.power_at(0.5 * aged.capacity_wh) == pytest.approx(
        0.9 / 1.5**0.5 * fresh.power_at(0.5 * CAPACITY_WH), rel=1e-4
    )


@pytest.mark.parametrize(("degc", "soc"), [(17.3, 0.31), (25.0, 0.5), (-10.0, 0.5), (39.0, 0.1), (-25.0, 0.3)])
def test_a_curve_is_good_exactly_until_power_has_moved_by_a_part_of_itself(degc, soc):
    aged = a_map().aged()
    held = aged.curve(degc)
    low, high = Room(aged, degc, 0.01).between((soc, soc + 0.01), 1e9)
    after = bisect_right(aged.soc, soc)
    places_wh = [at * CAPACITY_WH for at in aged.soc[after - 1 : after + 1]]
    for edge in (low, high):
        if np.isfinite(edge):
            moved = [
                abs(aged.curve(edge).power_at(wh) - held.power_at(wh)) / max(held.power_at(wh), SMALL_C * CAPACITY_WH)
                for wh in places_wh
            ]
            assert max(moved) == pytest.approx(0.01, rel=1e-3)


def test_a_curve_is_good_while_nobody_can_give_what_it_accepts():
    low, high = Room(a_map().aged(), 25.0, 0.01).between((0.1, 0.6), 11_000.0)
    assert -20.0 < low < -10.0
    assert 45.0 < high < 60.0


def test_thinned_curves_are_the_table_to_a_hundredth_and_take_as_long():
    car = Catalog().vehicle("vw-id4-pro-77-cells")
    map = car.charge_map
    assert map is not None
    soc = map.axes[3]
    for degc in (-10.0, 3.0, 25.0, 44.0):
        curve = map.curve(degc)
        whole = map.power_w(soc, degc).astype(float)
        thin = np.array([curve.power_at(at * curve.capacity_wh) for at in soc])
        assert np.abs(thin / whole - 1.0).max() < 1.01 * STRAIGHT_WITHIN
        assert np.sum(1.0 / thin[10:80]) == pytest.approx(np.sum(1.0 / whole[10:80]), rel=2e-3)
    assert len(map.aged().soc) < 30 < len(soc)


# --- cold and hot -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degc", "part"), [(-10.0, 1.0), (-15.0, 0.5), (-19.0, 0.1), (-20.0, 0.0), (-30.0, 0.0)])
def test_colder_than_its_table_a_pack_accepts_less_down_to_nothing(degc, part):
    at_the_edge = a_map().curve(-10.0)
    found = a_map().curve(degc)
    for soc in (0.1, 0.5, 0.95):
        assert found.power_at(soc * CAPACITY_WH) == pytest.approx(part * at_the_edge.power_at(soc * CAPACITY_WH))
        assert float(a_map().power_w(soc, degc)) == pytest.approx(found.power_at(soc * CAPACITY_WH), rel=0.01, abs=1.0)


def test_hotter_than_its_table_too_and_each_pack_may_say_where_it_ends():
    assert a_map().curve(52.5).power_at(38_500.0) == pytest.approx(0.5 * a_map().curve(45.0).power_at(38_500.0))
    assert a_map().curve(60.0).power_at(38_500.0) == 0.0
    careful = msgspec.structs.replace(a_pack(), charges_above_degc=0.0, charges_below_degc=45.0).accepts(CAPACITY_WH)
    assert careful.curve(0.0).power_at(38_500.0) == careful.curve(45.0).power_at(38_500.0) == 0.0
    assert careful.curve(10.0).power_at(38_500.0) == pytest.approx(a_map().curve(10.0).power_at(38_500.0), rel=0.01)


def test_of_a_health_that_its_table_does_not_have_nobody_knows():
    with pytest.raises(InvalidInput) as caught:
        a_map().curve(25.0, soh=0.6)
    assert (caught.value.field, caught.value.found, caught.value.allowed) == ("soh", 0.6, "0.8 to 1")


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_map_is_the_same_after_it_was_a_file():
    written = toml_text(a_cell_map())
    assert convert(parse_toml(written.encode()) | {"id": "contract"}, CellChargeMap) == a_cell_map()
    assert max(map(len, written.splitlines())) < 1_200, "one curve a line"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"soc": (0.0, 0.5, 0.9)}, "soc"),
        ({"temperature_degc": (10.0, 10.0)}, "temperature_degc"),
        ({"lam": (0.0, 0.1, 1.0)}, "lam"),
        ({"resistance": (0.0, 1.0, 2.0)}, "resistance"),
        ({"capacity_ah": 0.0}, "capacity_ah"),
        ({"lam": (0.0, 0.1)}, "c_rate"),
        ({"c_rate": ((((1.0, 2.0), (1.0,)),),)}, "c_rate"),
    ],
)
def test_what_is_no_map_is_refused_by_its_field(change, field):
    with pytest.raises(InvalidInput) as caught:
        msgspec.structs.replace(a_cell_map(), **change)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("axis", "count"), [([1.0], 1), ([-10, 0, 10, 20, 25, 30, 40, 45], 12), ([0.0, 0.1, 0.3], 4), ([0, 1, np.pi], 512)]
)
def test_an_axis_becomes_an_even_grid_that_has_its_places(axis, count):
    grid = EvenGrid.through(np.array(axis, dtype=np.float64))
    assert grid.count == count
    assert (grid.entries[0], grid.entries[-1]) == (axis[0], pytest.approx(axis[-1]))
    if count < 512:
        assert all(np.isclose(grid.entries, at).any() for at in axis)
