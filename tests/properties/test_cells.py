"""Laws of simulations, whatever is asked: what is accepted ends in a record to believe, or says that it failed."""

from functools import cache

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voltbench.adapters.cells import catalog
from voltbench.adapters.cells.asked import checked
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.adapters.cells.wire import decode, encode
from voltbench.battery.cycling import ConstantCurrent, ConstantVoltage, Rest
from voltbench.battery.plausible import require_plausible
from voltbench.battery.record import Record
from voltbench.battery.simulation import CurrentLoad, ProfileLoad, ProtocolLoad, Simulation
from voltbench.errors import Failed, InvalidInput

CELLS = ("Chen2020", "Prada2013", "Ai2020", "ECM_Example")


@cache
def simulator() -> WarmSimulator:
    return WarmSimulator()


@st.composite
def some_simulation(draw):
    """Mostly possible; some at the very ends, and some beyond."""
    name = draw(st.sampled_from(CELLS))
    cell = catalog.cell(name)
    rate = draw(st.sampled_from([-1.0, -0.2, 0.0, 0.5, 2.0]) | st.floats(-2.0, 2.0))
    soc = draw(st.sampled_from([0.0, 0.5, 1.0, None]) | st.floats(0.0, 1.0))
    step = ConstantCurrent(current_a=rate * cell.capacity_ah or None, until_s=600.0)
    held = ConstantVoltage(voltage_v=cell.ocv_at(0.7), until_s=600.0)
    loads = [
        CurrentLoad(current_a=rate * cell.capacity_ah, duration_s=draw(st.sampled_from([1e-3, 60.0, 7200.0]))),
        ProtocolLoad(steps=[Rest(until_s=60.0), step, held]),
    ]
    return Simulation(
        load=draw(st.sampled_from(loads)),
        cell=name,
        model="Thevenin" if name == "ECM_Example" else "SPM",
        initial_soc=soc,
        ambient_degc=draw(st.sampled_from([-30.0, 25.0, 60.0])),
        every_s=draw(st.sampled_from([None, 30.0])),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_simulation())
def test_what_is_accepted_ends_in_a_record_to_believe_or_says_how_it_failed(asked):
    try:
        cell = checked(asked)
        record = simulator().record(asked)
    except (InvalidInput, Failed):
        return
    if asked.every_s is None:  # else rows may be too few for the charge to add up: it did before they were picked
        require_plausible(record, cell.lower_voltage_v, cell.upper_voltage_v, cell.capacity_ah)
    assert record.ending.at_s == record.columns["time_s"][-1]
    assert (record.ending.event == "") == (record.ending.reason in ("time_over", "steps_done"))


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(CELLS[:3]), st.floats(0.1, 0.9), st.integers(1, 3))
def test_a_record_is_the_same_after_its_journey(name, soc, rows):
    load = ProfileLoad(time_s=[0.0, 60.0 * rows], current_a=[0.0, -0.1])
    record = simulator().record(Simulation(load=load, cell=name, model="SPM", initial_soc=soc, outputs=["soc"]))
    again = decode(encode(record))
    assert isinstance(again, Record)
    assert (again.ending, again.made_with, again.warnings) == (record.ending, record.made_with, record.warnings)
    assert list(again.columns) == list(record.columns)
    assert all(np.array_equal(again.columns[column], record.columns[column]) for column in record.columns)
