"""Records as files: nothing is lost on the way, a chart of fewer rows looks the same, and others' profiles are read."""

import json
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltbench.adapters.record_files.forms import FILE_FORMS, FORMS, from_form, in_form, read, write
from voltbench.adapters.record_files.json_form import as_json
from voltbench.adapters.record_files.profiles import profile_load
from voltbench.adapters.record_files.thin import thinned
from voltbench.adapters.record_files.words import ending, in_words
from voltbench.battery.analysis import difference, figures
from voltbench.battery.record import Ending, MadeWith, Record
from voltbench.errors import InvalidInput

MADE_WITH = MadeWith(
    simulator="PyBaMM", version="26.10", model="SPMe", solver="IDAKLU", solver_version="7", electrode_points=20,
    particle_points=40, relative_tolerance=1e-4, absolute_tolerance=1e-6, parameters_hash="p", input_hash="i",
    solve_s=0.1,
)  # fmt: skip
ENDING = Ending(reason="lower_voltage", at_s=3.0, event="Minimum voltage [V]")


def a_record(**columns):
    given = {"time_s": [0.0, 1.0, 2.0, 3.0], "current_a": [-1.0] * 4, "voltage_v": [4.0, 3.5, 3.1, 2.5]}
    given |= {"charge_ah": [0.0, -1 / 3600, -2 / 3600, -3 / 3600]} | columns
    return Record({name: np.array(column, dtype=float) for name, column in given.items()}, ENDING, MADE_WITH, ("slow",))


def equal(one, other):
    return (
        (one.ending, one.made_with, one.warnings) == (other.ending, other.made_with, other.warnings)
        and list(one.columns) == list(other.columns)
        and all(np.array_equal(one.columns[name], other.columns[name], equal_nan=True) for name in one.columns)
    )


# --- forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_lost_in_any_form(form):
    record = a_record(ocv_v=[np.nan, 3.9, 1e-17, 1 / 3])
    assert equal(from_form(in_form(record, form), form), record)


@pytest.mark.parametrize("form", FORMS)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_as_it_was(form, number):
    record = a_record(ocv_v=[number] * 4)
    assert from_form(in_form(record, form), form).columns["ocv_v"].tolist() == [number] * 4


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_finite_is_not_written(form):
    back = from_form(in_form(a_record(resistance_ohm=[np.inf, -np.inf, np.nan, 0.02]), form), form)
    assert np.array_equal(back.columns["resistance_ohm"], [np.nan, np.nan, np.nan, 0.02], equal_nan=True)


@pytest.mark.parametrize("form", FILE_FORMS)
def test_a_file_is_written_whole_and_its_name_says_the_form(form, tmp_path):
    path = tmp_path / f"record.{form.upper()}"
    path.write_text("old")
    write(path, a_record())
    assert equal(read(path), a_record())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FILE_FORMS)
@pytest.mark.parametrize(
    "content",
    [
        b"ARROW1",
        b"ARROW1\x00\x00ARROW1",
        b"",
        b"{}",
        b"time_s\n1\n",
        b"\xff\x00",
        b"# voltbench record {}\ntime_s\n1\n",
    ],
)
def test_what_is_no_record_is_refused(form, content):
    with pytest.raises(InvalidInput):
        from_form(content, form)


def test_a_name_that_says_nothing_and_a_place_that_is_none_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"ends like no form, found 'record.xlsx'"):
        write(tmp_path / "record.xlsx", a_record())
    with pytest.raises(InvalidInput, match=r"--out: cannot be written \(No such file or directory\)"):
        write(tmp_path / "nowhere" / "record.csv", a_record())
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path / "record.csv")


def test_json_has_columns_and_null_for_no_number():
    told = json.loads(as_json(a_record(resistance_ohm=[np.nan, 0.5, 0.5, 0.5])))
    assert told["columns"]["resistance_ohm"] == [None, 0.5, 0.5, 0.5]
    assert told["ending"] == {"reason": "lower_voltage", "at_s": 3.0, "event": "Minimum voltage [V]", "step": None}
    assert told["warnings"] == ["slow"]


def test_other_programs_read_our_tables(tmp_path):
    for form in ("csv", "parquet"):
        write(tmp_path / f"record.{form}", a_record())
    asked = "select min(voltage_v), count(*) from"
    csv = duckdb.execute(f"{asked} read_csv('{tmp_path}/record.csv', comment='#')").fetchall()
    parquet = duckdb.execute(f"{asked} '{tmp_path}/record.parquet'").fetchall()
    assert csv == parquet == [(2.5, 4)]


def test_a_file_of_arrow_is_one_and_a_stream_is_called_otherwise(tmp_path):
    for form in ("arrow", "arrows"):
        write(tmp_path / f"record.{form}", a_record())
    feather = pyarrow.feather.read_table(tmp_path / "record.arrow")
    with (tmp_path / "record.arrows").open("rb") as file, pa.ipc.open_stream(file) as stream:
        assert stream.read_all().equals(feather)
    assert feather["voltage_v"].to_pylist() == [4.0, 3.5, 3.1, 2.5]
    assert pa.ipc.open_stream(in_form(a_record(), "arrow")).read_all().equals(feather)


@pytest.mark.parametrize(("written", "named"), [("arrow", "arrows"), ("arrows", "arrow")])
def test_arrow_is_read_whatever_its_file_is_called(written, named, tmp_path):
    write(tmp_path / f"record.{written}", a_record())
    assert equal(read((tmp_path / f"record.{written}").rename(tmp_path / f"renamed.{named}")), a_record())


# --- fewer rows ------------------------------------------------------------------------------------------------------


def a_drive(rows):
    time_s = np.linspace(0.0, 600.0, rows)
    current_a = -2.0 + 3.0 * np.sin(time_s / 7.0) * np.sin(time_s / 61.0)
    return a_record(
        time_s=time_s,
        current_a=current_a,
        voltage_v=4.0 - time_s / 1e3 + current_a / 50.0,
        charge_ah=np.cumsum(current_a),
    )


def evenly(record, points):
    rows = np.unique(np.linspace(0, len(record) - 1, points).round().astype(int))
    return replace(record, columns={name: column[rows] for name, column in record.columns.items()})


def most_off(record, fewer, name):
    drawn = np.interp(record.columns["time_s"], fewer.columns["time_s"], fewer.columns[name])
    return np.abs(drawn - record.columns[name]).max()


def test_fewer_rows_keep_the_ends_and_every_extreme():
    record = a_drive(5_000)
    fewer = thinned(record, 200)
    assert len(fewer) <= 200
    for name, column in record.columns.items():
        kept = fewer.columns[name]
        assert (kept[0], kept[-1], kept.min(), kept.max()) == (column[0], column[-1], column.min(), column.max())
    assert most_off(record, fewer, "voltage_v") < 0.002
    assert most_off(record, fewer, "voltage_v") < most_off(record, evenly(record, 200), "voltage_v")


def test_a_spike_of_one_row_and_a_step_within_no_time_are_seen():
    record = a_drive(5_000)
    record.columns["voltage_v"][3_217] = 2.9
    record.columns["time_s"][1_001] = record.columns["time_s"][1_000]
    record.columns["current_a"][1_001:] += 9.0
    fewer = thinned(record, 120)
    assert 2.9 in fewer.columns["voltage_v"]
    for row in (1_000, 1_001):
        assert record.columns["current_a"][row] in fewer.columns["current_a"]


def test_what_is_straight_needs_few_rows_and_what_is_short_stays():
    still = np.zeros(10_000)
    time_s = np.arange(10_000.0)
    rest = a_record(time_s=time_s, current_a=still, voltage_v=still + 3.7, charge_ah=still, ocv_v=still * np.nan)
    assert 2 <= len(thinned(rest, 400)) <= 100
    assert thinned(a_record(), 4).columns["time_s"].tolist() == [0.0, 1.0, 2.0, 3.0]


@given(
    st.lists(st.floats(0.0, 5.0), min_size=2, max_size=80),
    st.integers(2, 60),
)
def test_never_more_rows_than_asked_and_always_in_order(voltages, points):
    rows = len(voltages)
    time_s = np.floor(np.arange(rows) / 2.0)
    record = a_record(time_s=time_s, current_a=np.zeros(rows), voltage_v=voltages, charge_ah=np.zeros(rows))
    fewer = thinned(record, points)
    assert len(fewer) <= max(points, 2)
    assert (np.diff(fewer.columns["time_s"]) >= 0.0).all()
    assert fewer.columns["voltage_v"][[0, -1]].tolist() == [voltages[0], voltages[-1]]


# --- figures ---------------------------------------------------------------------------------------------------------


def test_what_goes_in_and_what_comes_out_are_told_apart():
    hour_s = [0.0, 3_600.0, 7_200.0, 7_200.0, 10_800.0]
    record = a_record(time_s=hour_s, current_a=[-2.0, -2.0, 2.0, 4.0, 4.0], voltage_v=[4.0] * 5, charge_ah=[0.0] * 5)
    told = figures(record)
    assert (told.charged_ah, told.discharged_ah) == pytest.approx((4.5, 2.5))
    assert (told.charged_wh, told.discharged_wh) == pytest.approx((18.0, 10.0))
    assert (told.mean_voltage_v, told.lasted_s) == pytest.approx((4.0, 10_800.0))


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=30))
def test_in_less_out_is_what_the_current_adds_up_to(currents):
    rows = len(currents)
    record = a_record(
        time_s=np.arange(rows), current_a=currents, voltage_v=np.full(rows, 3.7), charge_ah=np.zeros(rows)
    )
    told = figures(record)
    assert min(told.charged_ah, told.discharged_ah) >= 0.0
    assert told.charged_ah - told.discharged_ah == pytest.approx(np.trapezoid(currents) / 3600.0, abs=1e-9)


def test_a_rest_has_a_voltage_too():
    told = figures(a_record(current_a=[0.0] * 4, voltage_v=[3.7] * 4))
    assert (told.charged_ah, told.discharged_ah) == (0.0, 0.0)
    assert told.mean_voltage_v == pytest.approx(3.7)


def test_voltages_are_compared_at_equal_times_while_both_last():
    record = a_record()
    longer = a_record(time_s=[0.0, 1.5, 3.0, 9.0], voltage_v=[4.01, 3.31, 2.51, 0.0])
    told = difference(record, longer)
    assert told.most_at_s in record.columns["time_s"]
    assert abs(told.most_mv) == pytest.approx(1e3 * abs(3.1 - np.interp(2.0, [1.5, 3.0], [3.31, 2.51])))
    assert difference(record, record).rms_mv == difference(record, record).most_mv == 0.0


def test_an_ending_and_a_time_are_said_in_words():
    assert ending(a_record()) == "at its lower voltage"
    assert [in_words(seconds) for seconds in (12.34, 59.9, 3_556.2, 3_600.0, 11_100.0)] == [
        "12.3 s", "59.9 s", "59 min 16 s", "1 h 0 min", "3 h 5 min",
    ]  # fmt: skip


# --- profiles of others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "positive", "time_s", "current_a"),
    [
        ("time_s,current_a\n0,1\n2,-3\n", None, [0.0, 2.0], [1.0, -3.0]),
        ("time_s,current_a\n0,1\n2,-3\n", "discharge", [0.0, 2.0], [-1.0, 3.0]),
        ("# voltbench record {}\ncurrent_a,soc,time_s\n1,0.5,0\n-3,,2\n", None, [0.0, 2.0], [1.0, -3.0]),
        ("Test_Time(s),Step_Time(s),Current(A)\n5,0,1\n7,0,2\n", "charge", [0.0, 2.0], [1.0, 2.0]),
        ("time/h;I/mA;current/mA\r\n1;9;1000\r\n\r\n1.5;9;-2\r\n", "charge", [0.0, 1800.0], [1.0, -0.002]),
        ("# from PyBaMM\n# time [s],current [A]\n0,0.5\n1,-0.25\n", "discharge", [0.0, 1.0], [-0.5, 0.25]),
        ('"Time (min)","Current (A)"\n"0","1"\n"1","2"\n', "charge", [0.0, 60.0], [1.0, 2.0]),
    ],
)
def test_a_profile_is_read_whoever_wrote_it(text, positive, time_s, current_a):
    load = profile_load(text.encode(), positive)
    assert load.time_s == time_s
    assert load.current_a == pytest.approx(current_a)
    assert load.power_w is None


def test_a_power_is_read_where_there_is_no_current():
    load = profile_load(b"# time [s],Power [kW]\n0,0.5\n1,-0.25\n", "discharge")
    assert (load.current_a, load.power_w) == (None, [-500.0, 250.0])


def test_a_record_can_be_driven_again():
    load = profile_load(in_form(a_record(), "csv"))
    assert (load.time_s, load.current_a) == ([0.0, 1.0, 2.0, 3.0], [-1.0] * 4)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"", "file: is empty"),
        (b"\xff\xfe", "file: is not UTF-8"),
        (b"time_s,current_a\n0,1\n", "file: has not two rows of numbers, found 1"),
        (b"time_s,current_a\n0,1\n1,x\n", "line 3, current_a: is not allowed, found 'x'"),
        (b"time_s,current_a\n0,1\n\n1,\n", "line 4, current_a: is empty"),
        (b"time_s,current_a\n0,1\n1\n", "line 3, current_a: is empty"),
        (b"time_s,current_a\n0,1\n1,inf\n", "line 3, current_a: is not finite, found 'inf'"),
        (b"time_s;current_a\n0;1,5\n1;2\n", "line 2, current_a: has a decimal comma"),
        (b"time_s,current_a\n0,1\n2,1\n2,1\n", "line 4, time_s: does not rise, found 2.0, allowed: more than 2"),
        (b"time,current\n0,1\n1,2\n", "header: names no time with its unit"),
        (b"time_s,volts\n0,1\n1,2\n", "header: names no current with its unit"),
        (b"a_time_s,b_time_s,current_a\n0,0,1\n1,1,2\n", "header: names several columns of time"),
        (b"Time(s),Current(A)\n0,1\n1,2\n", r"positive: is not said of Current\(A\), allowed: charge or discharge"),
        (b"time_s,current_a\n" + b"".join(b"%d,0\n" % n for n in range(100_001)), "line 100002: is one row too many"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_profile_is_said_with_its_place(text, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        profile_load(text)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "steps.json").write_text("{}")
    with pytest.raises(InvalidInput, match="cannot be written"):
        write(tmp_path / "steps.json" / "x.csv", a_record())
