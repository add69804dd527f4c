"""Which charging curves are asked for, and what a map makes of those that are found; without PyBaMM."""

import re
from dataclasses import replace

import numpy as np
import pytest

from voltbench.adapters.cells.curve import (
    SOC,
    CellFacts,
    Curve,
    CurvesAsked,
    charge_map,
    checked,
    minutes,
    on_grid,
    points,
    require_falling,
)
from voltbench.adapters.cells.curve_picture import curve_picture
from voltbench.apps.cell_varied import varied
from voltbench.battery.sweep import Grid, LatinHypercube
from voltbench.errors import Failed, InvalidInput

ASKED = CurvesAsked(cell="OKane2022", temperature_degc=(0.0, 25.0), lam=(0.0, 0.2), resistance=(1.0, 2.0))
FRESH = CellFacts(charge_ah=5.0, resistance_ohm=0.03, parameters_sha256="ab", simulator="none")


def falling(peak_a=10.0, rows=201):
    soc = np.linspace(0.05, 0.99, rows)
    return Curve(5.0, soc, peak_a * (1.0 - soc), 3.5 + 0.7 * soc)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("Xu2019", "half a cell"),
        ("OKane2022_graphite_SiOx_halfcell", "half a cell"),
        ("Mohtat2020", "not described for plating"),
        ("Chen2020_composite", "one material"),
        ("MSMR_Example", "one material"),
        ("ECM_Example", "no electrodes|circuit"),
        ("Sulzer2019", "no charging curve"),
        ("Chen2021", "not in the catalog"),
    ],
)
def test_cells_of_which_a_curve_would_say_nothing_are_refused(cell, why):
    with pytest.raises(InvalidInput, match=why) as refused:
        checked(CurvesAsked(cell=cell))
    assert refused.value.field == "cell"


@pytest.mark.parametrize(
    ("axis", "found"),
    [("temperature_degc", (25.0, 10.0)), ("temperature_degc", (90.0,)), ("lam", (0.9,)), ("resistance", (0.5, 1.0))],
)
def test_an_axis_rises_within_what_the_cell_is_described_for(axis, found):
    with pytest.raises(InvalidInput) as refused:
        checked(CurvesAsked(cell="OKane2022", **{axis: found}))
    assert refused.value.field == axis


def test_the_curves_come_in_the_order_of_the_map_and_resistance_is_added_to_the_contacts():
    asked = points(ASKED, FRESH)
    assert [(one.contact_ohm, one.lam, one.temperature_degc) for one in asked[:3]] == [
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 25.0),
        (0.0, 0.2, 0.0),
    ]
    assert asked[-1].contact_ohm == pytest.approx(0.03)
    assert {one.most_current_a for one in asked} == {15.0}
    assert str(asked[-1]) == "OKane2022 at 25 degrees, 20% of active material lost, 30.0 mOhm more"


def test_before_it_has_settled_a_map_is_as_just_after_and_a_full_cell_takes_nothing():
    c_rate, voltage_v = on_grid(falling(), ASKED, FRESH)
    assert (c_rate[:10] == c_rate[10]).all()
    assert c_rate[10] == pytest.approx(10.0 * 0.9 / 5.0)
    assert c_rate[50] == pytest.approx(1.0)
    assert c_rate[-1] == 0.0
    assert voltage_v[50] == pytest.approx(3.85)


def test_a_map_has_each_curve_in_its_place():
    peaks = [8.0, 10.0, 6.0, 7.0, 8.0, 10.0, 6.0, 7.0]
    map = charge_map("mine", ASKED, FRESH, [falling(peak) for peak in peaks], "2026-01-01", "Mine", 3.63)
    assert map.shape == (2, 2, 2, 101)
    assert map.currents[:, :, :, 50].ravel() == pytest.approx([0.1 * peak for peak in peaks])
    assert (map.provenance.label, map.name, map.nominal_voltage_v) == ("model", "Mine", 3.63)
    assert "A model, not a measurement" in map.source
    no_plating = charge_map(
        "x", CurvesAsked(cell="Chen2020", lam=(0.0,), resistance=(1.0,)), FRESH, [falling()] * 8, ""
    )
    assert "no parameters of plating" in no_plating.provenance.notes
    assert "no parameters of plating" not in map.provenance.notes


def test_a_map_tells_of_the_curves_that_came_only_with_a_finer_tolerance():
    found = [falling()] * 7
    plain, finer = (charge_map("x", ASKED, FRESH, [*found, last], "") for last in (falling(), again()))
    assert "tolerance" not in plain.provenance.notes
    assert finer.provenance.notes.endswith(" 1 of 8 curves came only with a relative tolerance of 1e-05.")


def again():
    return replace(falling(), is_finer=True)


def luminance(colour):
    """Of a colour as a page has it, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_temperatures_line_stands_out_from_the_page_and_the_axes_say_what_they_are():
    asked = CurvesAsked(cell="OKane2022", lam=(0.0,), resistance=(1.0,))
    map = charge_map("x", asked, FRESH, [falling()] * 8, "")
    svg = curve_picture(map, map.currents[0, 0], "C", "svg").decode()
    strokes = re.findall(r"stroke: (#[0-9a-f]{6}); stroke-width: 1.5", svg)
    assert len(set(strokes)) == 8
    assert all(1.05 / (luminance(stroke) + 0.05) > 2.0 for stroke in strokes)
    assert "<!-- Current, C -->" in svg
    assert "<!-- Power, kW -->" in curve_picture(map, map.currents[0, 0], "kW", "svg").decode()


def test_ripples_are_let_pass_and_chatter_is_not():
    (point, *_) = points(ASKED, FRESH)
    curve = falling()
    ripples = 0.001 * (-1.0) ** np.arange(201)
    require_falling(Curve(5.0, curve.soc, curve.current_a + ripples, curve.voltage_v), point)
    with pytest.raises(Failed, match="OKane2022 at 0 degrees: the current rises"):
        require_falling(Curve(5.0, curve.soc, curve.current_a + 100.0 * ripples, curve.voltage_v), point)


def test_minutes_between_two_percentages():
    assert minutes(np.full(101, 2.0)) == pytest.approx(21.0)
    assert minutes(1.0 - SOC) == pytest.approx(60.0 * np.log(0.9 / 0.2))
    assert minutes(np.zeros(101)) == float("inf")


def test_what_varies_is_typed_as_settings_a_range_or_a_span():
    grid = varied(["ambient_degc=0,10.5", "initial_soc=0.2:0.8:3", "model=SPM,SPMe"], None, 0)
    assert isinstance(grid, Grid)
    assert grid.over["ambient_degc"] == [0, 10.5]
    assert grid.over["initial_soc"] == pytest.approx([0.2, 0.5, 0.8])
    assert grid.over["model"] == ["SPM", "SPMe"]
    spread = varied(["parameters.Electrode height [m]=0.06:0.07"], 5, 1)
    assert isinstance(spread, LatinHypercube)
    assert (spread.over["parameters.Electrode height [m]"].most, spread.count) == (0.07, 5)


@pytest.mark.parametrize("over", [[], ["ambient_degc"], ["ambient_degc=0:10"], ["ambient_degc=a:b:3"], ["=1,2"]])
def test_what_varies_is_refused_where_it_cannot_be_read(over):
    with pytest.raises(InvalidInput) as refused:
        varied(over, None, 0)
    assert refused.value.field.startswith("--over")
