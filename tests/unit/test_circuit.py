"""The voltage of a pack by its equivalent circuit, beside what two RC pairs do by the book."""

from typing import Any

import msgspec
import numpy as np
import pytest

from tests.packs import a_car_of_cells, a_pack
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.strict import convert
from voltbench.adapters.toml_text import parse_toml
from voltbench.battery.charge_map import Provenance, toml_text
from voltbench.battery.circuit import EquivalentCircuit, Terminals
from voltbench.charging.path import ChargingPath
from voltbench.charging.vehicle import Vehicle
from voltbench.charging.warm_session import session_of
from voltbench.errors import InvalidInput


def a_circuit(**change) -> EquivalentCircuit:
    facts: dict[str, Any] = {
        "id": "cell",
        "name": "A cell",
        "source": "Made up for tests.",
        "cell": "lg-m50",
        "capacity_ah": 5.0,
        "provenance": Provenance(parameters="Chen2020", model="DFN", simulator="PyBaMM 26.10", made_on="2026-11-21"),
        "soc": (0.0, 0.5, 1.0),
        "ocv_v": (3.0, 3.6, 4.2),
        "current_a": (1.0, 10.0),
        "r0_ohm": ((0.035, 0.025), (0.0299, 0.0191), (0.030, 0.020)),
        "r1_ohm": (0.010, 0.010, 0.010),
        "c1_f": (2_000.0, 2_000.0, 2_000.0),
        "r2_ohm": (0.008, 0.008, 0.008),
        "c2_f": (30_000.0, 30_000.0, 30_000.0),
    }
    return EquivalentCircuit(**facts | change)


DC = ChargingPath(200_000.0, 0.0, 0.0, 3, 0.95, 0.95)


def a_session_with_terminals() -> Any:
    """A car at 10 % whose pack is of these cells."""
    pack = msgspec.structs.replace(a_pack(ohm=0.05), circuit=a_circuit())
    return session_of(Vehicle("car", a_car_of_cells(pack), 0.1), "s", DC, 60_000.0, 0, ambient_degc=25.0)


def test_a_pulse_answers_as_two_rc_pairs_do():
    circuit, state = a_circuit(), a_circuit().at_rest(0.5)
    for second in range(1, 61):
        state = circuit.step(state, 5.0, 1.0)
        expected = 0.05 * (1.0 - np.exp(-second / 20.0)), 0.04 * (1.0 - np.exp(-second / 240.0))
        assert (state.v1[0], state.v2[0]) == pytest.approx(expected, rel=1e-12)
    assert state.soc[0] == pytest.approx(0.5 + 60 / 3_600)
    rested = circuit.step(state, 0.0, 600.0)
    assert rested.v1[0] == pytest.approx(state.v1[0] * np.exp(-30.0))
    assert circuit.voltage_v(rested, 0.0)[0] == pytest.approx(3.6 + 1.2 / 60 + rested.v2[0] + rested.v1[0])


def test_one_long_step_is_as_exact_as_many_short_ones():
    circuit = a_circuit()
    once, often = circuit.step(circuit.at_rest(0.3), -3.0, 600.0), circuit.at_rest(0.3)
    for _ in range(600):
        often = circuit.step(often, -3.0, 1.0)
    for one, other in zip(once, often, strict=True):
        assert one == pytest.approx(other, rel=1e-9)


def test_the_series_resistance_falls_with_the_current_whichever_way_it_flows():
    circuit = a_circuit()
    found = circuit.r0(np.array([0.5, 0.5, 0.5, 0.25]), np.array([0.1, 1.0, 20.0, 5.5]))
    assert found == pytest.approx([0.0299, 0.0299, 0.0191, (0.030 + 0.0245) / 2])
    jump_v = circuit.voltage_v(circuit.at_rest(0.5), np.array([5.5, -5.5])) - 3.6
    assert jump_v[0] == pytest.approx(-jump_v[1]) == pytest.approx(5.5 * 0.0245)


def test_many_packs_are_stepped_at_once_each_with_its_own_current():
    circuit, chance = a_circuit(), np.random.default_rng(3)
    soc, current_a = chance.uniform(0.1, 0.9, 1_000), chance.uniform(-10.0, 10.0, 1_000)
    state = circuit.step(circuit.step(circuit.at_rest(soc), current_a, 10.0), -current_a / 2, 5.0)
    volts = circuit.voltage_v(state, -current_a / 2)
    for i in range(0, 1_000, 100):
        alone = circuit.step(circuit.step(circuit.at_rest(soc[i]), current_a[i], 10.0), -current_a[i] / 2, 5.0)
        assert volts[i] == pytest.approx(circuit.voltage_v(alone, -current_a[i] / 2)[0])


def test_a_pack_is_its_cells_side_by_side_and_one_after_the_other():
    cell, pack = a_circuit(), a_circuit().scaled(96, 44)
    by_cell, by_pack = cell.step(cell.at_rest(0.4), 3.0, 30.0), pack.step(pack.at_rest(0.4), 3.0 * 44, 30.0)
    assert by_pack.soc == pytest.approx(by_cell.soc)
    assert pack.voltage_v(by_pack, 3.0 * 44) == pytest.approx(96 * cell.voltage_v(by_cell, 3.0))
    assert pack.capacity_ah == pytest.approx(220.0)


def test_elements_are_those_of_the_middle_of_a_step():
    steep = a_circuit(r1_ohm=(0.004, 0.010, 0.020), r2_ohm=(0.002, 0.008, 0.016))
    hour, state = 3_600.0, steep.step(steep.at_rest(0.5), 2.5, 3_600.0 * 0.4)
    assert state.soc[0] == pytest.approx(0.7)
    at = 0.6  # and not 0.5, where it began, or 0.7
    ohm1, ohm2 = np.interp(at, steep.soc, steep.r1_ohm), np.interp(at, steep.soc, steep.r2_ohm)
    assert state.v1[0] == pytest.approx(2.5 * ohm1, rel=1e-9)
    assert state.v2[0] == pytest.approx(2.5 * ohm2 * (1.0 - np.exp(-0.4 * hour / (ohm2 * 30_000.0))))


def test_the_terminals_of_a_pack_say_what_its_circuit_does_under_constant_current():
    circuit, terminals = a_circuit(), Terminals(a_circuit(), 96, 44)
    state, cell_a = circuit.at_rest(0.4), 4.0
    for _ in range(60):
        state = circuit.step(state, cell_a, 10.0)
        volts = float(circuit.voltage_v(state, cell_a)[0])
        soc = float(state.soc[0])
        terminals.pass_time(soc - 5.0 * cell_a / 3_600.0 / 5.0, 96 * 44 * volts * cell_a, 25.0, 10.0)
        found = terminals.read(soc, 96 * 44 * volts * cell_a, 25.0)
        assert found.voltage_v == pytest.approx(96 * volts, rel=1e-4)
        assert found.current_a == pytest.approx(44 * cell_a, rel=1e-4)


def test_a_cold_or_worn_pack_needs_more_volts_for_the_same_power():
    fresh = Terminals(a_circuit(), 96, 44, 1.0, 20.0)
    at_rest_v = fresh.read(0.5, 0.0, 25.0).voltage_v
    assert at_rest_v == pytest.approx(96 * 3.6)
    rises = [
        Terminals(a_circuit(), 96, 44, ohms, 20.0).read(0.5, 50_000.0, degc).voltage_v - at_rest_v
        for ohms, degc in ((1.0, 25.0), (2.0, 25.0), (1.0, 5.0))
    ]
    assert rises[1] == pytest.approx(rises[2])
    assert rises[1] == pytest.approx(2.0 * rises[0], rel=0.05)


def test_a_sessions_voltage_rises_with_its_charge_and_relaxes_when_it_pauses():
    session = a_session_with_terminals()
    empty_v = session.voltage_v(0)
    session.limit(0, 50_000.0)
    at_once = session.at_terminals(0)
    assert at_once.voltage_v > empty_v == pytest.approx(96 * 3.12)
    assert at_once.voltage_v * at_once.current_a == pytest.approx(session.power_w(0) * 0.95)
    looked = [session.voltage_v(now) for now in range(0, 600_000, 60_000)]
    assert looked == sorted(looked)
    session.limit(600_000, 0.0)
    paused, rested = session.at_terminals(600_000), session.at_terminals(7_200_000)
    assert paused.current_a == rested.current_a == 0.0
    assert looked[-1] > paused.voltage_v > rested.voltage_v
    assert rested.voltage_v == pytest.approx(96 * np.interp(session.soc(0), [0.0, 0.5], [3.0, 3.6]), rel=1e-4)


def test_looking_at_the_terminals_changes_nothing():
    seen, unseen = a_session_with_terminals(), a_session_with_terminals()
    for session in (seen, unseen):
        session.limit(0, 150_000.0)
    for now in range(0, 900_000, 30_000):
        while (due := seen.next_wakeup()) is not None and due <= now:
            seen.wake(due)
        seen.voltage_v(now)
    while (due := unseen.next_wakeup()) is not None and due <= 900_000:
        unseen.wake(due)
    assert seen.voltage_v(900_000) == pytest.approx(unseen.voltage_v(900_000), rel=1e-6)


def test_a_session_of_a_pack_without_a_circuit_tells_no_voltage():
    session: Any = session_of(Vehicle("car", a_car_of_cells(), 0.1), "s", DC, 1_000.0, 0)
    assert session.voltage_v(0) is None


def test_the_catalogs_car_charges_at_the_volts_that_its_charge_map_says():
    car = Catalog().vehicle("vw-id4-pro-77-cells")
    pack: Any = car.pack
    session: Any = session_of(Vehicle("car", car, 0.1), "s", DC, 60_000.0, 0, ambient_degc=25.0)
    session.limit(0, 150_000.0)
    while session.soc(now := session.next_wakeup()) < 0.6:
        session.wake(now)
    cells = pack.charge_map
    volts = np.interp(session.soc(now), cells.soc, cells.voltages[0, 0, cells.temperature_degc.index(30.0)])
    assert session.voltage_v(now) == pytest.approx(96 * volts, rel=0.02)
    assert session.voltage_v(now) > pack.series * np.interp(session.soc(now), pack.circuit.soc, pack.circuit.ocv_v)


def test_a_circuit_of_another_cell_is_no_circuit_of_a_pack():
    assert msgspec.structs.replace(a_pack(), circuit=a_circuit()).terminals() is not None
    with pytest.raises(InvalidInput) as caught:
        msgspec.structs.replace(a_pack(), circuit=a_circuit(cell="lfp"))
    assert (caught.value.field, caught.value.found, caught.value.allowed) == ("circuit", "lfp", "lg-m50")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"soc": (0.0, 1.0, 0.5)}, "soc"),
        ({"current_a": (10.0, 1.0)}, "current_a"),
        ({"r0_ohm": ((0.03,), (0.02,), (0.02,))}, "r0_ohm"),
        ({"r1_ohm": (0.01, 0.01)}, "r1_ohm"),
        ({"c2_f": (0.0, 1.0, 1.0)}, "c2_f"),
        ({"capacity_ah": 0.0}, "capacity_ah"),
    ],
)
def test_a_circuit_that_is_none_is_refused_by_its_field(change, field):
    with pytest.raises(InvalidInput) as caught:
        a_circuit(**change)
    assert caught.value.field == field


def test_a_circuit_is_plain_facts():
    assert msgspec.convert(msgspec.to_builtins(a_circuit()), EquivalentCircuit) == a_circuit()


def test_a_circuit_is_the_same_after_it_was_a_file():
    written = toml_text(a_circuit())
    assert convert(parse_toml(written.encode()) | {"id": "cell"}, EquivalentCircuit) == a_circuit()
