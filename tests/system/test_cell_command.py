"""`voltbench cell` as a person runs it: what is printed, what is written, what is refused."""

import csv
import json
import pickle

import numpy as np
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from tests.programs import done_by_voltbench
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.cells.task import request_of
from voltbench.adapters.cells.warm import WarmSimulator
from voltbench.adapters.record_files.forms import read
from voltbench.apps import cell_solve
from voltbench.apps.cell_outcomes import outcomes
from voltbench.apps.cli import app
from voltbench.apps.command_line import obey
from voltbench.battery.simulation import CurrentLoad, Simulation

RESTED = ["--soc", "0.5", "--duration", "60s"]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture(scope="module")
def warm():
    """One simulator for all commands, so that each model is built once."""
    return WarmSimulator()


@pytest.fixture
def cell(desk, warm, monkeypatch, capsys):
    """What `voltbench cell` with some arguments says and complains of, and how it exits, in this process."""
    monkeypatch.setattr(cell_solve, "_simulator", lambda: warm)

    def run(*arguments):
        words = ["cell", *map(str, arguments)]
        with pytest.raises(SystemExit) as end:
            obey(app(words), words)
        said, complained = capsys.readouterr()
        return end.value.code or 0, said, complained

    return run


# --- simulate --------------------------------------------------------------------------------------------------------


def test_a_cell_is_discharged_and_the_figures_are_told(desk):
    done = done_by_voltbench("cell", "simulate", "--c-rate=-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("SPMe of Chen2020\n")
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines()[1:])
    assert lines["ended"].startswith("at its lower voltage, after 59 min")
    assert lines["charge"].endswith("Ah out")
    assert float(lines["charge"].split()[0]) == pytest.approx(4.97, abs=0.05)
    assert "by IDAKLU of PyBaMM" in lines["solved"]
    assert list(desk.iterdir()) == []


def test_what_is_written_in_every_form_is_what_is_printed(desk, cell):
    asked = ["simulate", "--current", "2.5", *RESTED, "--every", "1s"]
    for form in ("csv", "json", "parquet", "arrow"):
        code, said, _ = cell(*asked, "--output", "soc,ocv_v", "--out", f"r.{form}")
        assert (code, said.splitlines()[-1]) == (0, f"Written to r.{form}")
        record = read(desk / f"r.{form}")
        assert list(record.columns) == ["time_s", "current_a", "voltage_v", "charge_ah", "soc", "ocv_v"]
        assert record.columns["time_s"].tolist() == pytest.approx(list(range(61)))
        assert (record.columns["current_a"] == 2.5).all()
        assert (record.columns["voltage_v"] > record.columns["ocv_v"]).all()
        assert record.columns["soc"][-1] > record.columns["soc"][0] == pytest.approx(0.5)
    _, said, _ = cell(*asked, "--json", "--points", "20")
    printed = json.loads(said)
    assert len(printed["columns"]["time_s"]) <= 20
    assert printed["columns"]["voltage_v"][-1] == pytest.approx(record.columns["voltage_v"][-1], abs=1e-5)
    assert printed["ending"]["reason"] == "time_over"


def test_us06_is_driven_and_drawn(desk, cell):
    for form in ("png", "svg", "html"):
        files = ["--plot", f"us06.{form}", "--out", "us06.csv"]
        code, said, complained = cell("simulate", "--drive-cycle", "US06", "--soc", "0.8", *files)
        assert (code, complained) == (0, "")
    assert "0.2" in said
    record = read(desk / "us06.csv")
    assert record.columns["current_a"].min() == pytest.approx(-8.1)
    assert record.columns["charge_ah"][-1] == pytest.approx(-0.14031, abs=1e-4)
    assert (desk / "us06.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (desk / "us06.svg").read_text()
    page = (desk / "us06.html").read_text()
    assert "Current, A (positive while charging)" in page
    assert '<script src="' not in page


def test_a_car_drives_on_a_cell_of_its_pack(desk, cell):
    _, said, _ = cell("simulate", "--speed-trace", "HWFET", "--soc", "0.8", "--pack", "96s44p", "--json")
    columns = {name: np.array(column) for name, column in json.loads(said)["columns"].items()}
    wh = np.trapezoid(columns["current_a"] * columns["voltage_v"], columns["time_s"]) / 3600.0
    assert wh * 96 * 44 == pytest.approx(-2_068, rel=0.01)


def test_a_profile_of_ones_own_is_driven_with_the_sign_it_has(desk, cell):
    (desk / "mine.csv").write_text("Test_Time(s),Current(A)\n100,2\n130,2\n160,-1\n")
    code, _, complained = cell("simulate", "--profile", "mine.csv", "--soc", "0.5")
    assert code == 2
    assert complained == "voltbench: mine.csv: --positive: is not said of Current(A), allowed: charge or discharge\n"
    for positive, sign in (("charge", 1), ("discharge", -1)):
        cell("simulate", "--profile", "mine.csv", "--soc", "0.5", "--positive", positive, "--out", "r.csv")
        columns = read(desk / "r.csv").columns
        assert columns["current_a"][[0, -1]].tolist() == pytest.approx([2.0 * sign, -1.0 * sign])
        assert columns["time_s"][-1] == pytest.approx(60.0)


def test_sentences_and_a_protocol_do_the_same(desk, cell):
    steps = [{"step": "constant_current", "current_a": 2.5, "until_s": 120}, {"step": "rest", "until_s": 60}]
    (desk / "steps.json").write_text(json.dumps(steps))
    sentences = ["--experiment", "Charge at 2.5 A for 2 minutes", "--experiment", "Rest for 1 minute"]
    for number, load in enumerate((sentences, ["--protocol", "steps.json"])):
        code, said, _ = cell("simulate", *load, "--soc", "0.5", "--every", "1s", "--out", f"{number}.csv")
        assert code == 0
        assert "all steps done, after 3 min 0 s" in said
    one, other = read(desk / "0.csv"), read(desk / "1.csv")
    assert one.columns["voltage_v"][-1] == pytest.approx(other.columns["voltage_v"][-1], abs=1e-5)
    assert one.columns["charge_ah"][-1] == pytest.approx(2.5 / 30, rel=1e-4)


def test_a_number_of_the_cell_may_be_another(cell):
    told = [
        json.loads(cell("simulate", "--c-rate=-1", *RESTED, *numbers, "--json")[1])["columns"]["voltage_v"][-1]
        for numbers in ([], ["--set", "Electrode height [m]=0.05"])
    ]
    assert told[0] - told[1] > 0.005  # the same current through a smaller cell


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ([], "options: say nothing to do to the cell, allowed: one of --current, --c-rate, "),
        (["--current", "1", "--power", "3"], "options: say several things to do, found '--current, --power'"),
        (["--current", "1"], "load.current_a: charges a full cell (positive is charging), found 1.0"),
        (["--power", "nan"], "--power: is not a usable number, found nan, allowed: finite numbers"),
        (["--c-rate=-1", "--set", "A=1", "--set", "A=2"], "--set: says a number twice, found 'A'"),
        (["--c-rate=-9"], "load.current_a: is 9.00C, more than the cell is described for"),
        (["--c-rate=-1", "--soc", "1.2"], "--soc: "),
        (["--c-rate=-1", "--model", "P2D"], "--model: "),
        (["--c-rate=-1", "--cell", "Chen2021"], "--cell: is not in the catalog, found 'Chen2021'"),
        (["--c-rate=-1", "--output", "volts"], "--output[0]: is unknown, found 'volts'"),
        (["--c-rate=-1", "--duration", "8 years"], "--duration: is no length of time, found '8 years'"),
        (["--c-rate=-1", "--set", "Contact resistance"], "--set: is no name and number"),
        (["--c-rate=-1", "--out", "record.xlsx"], "--out: ends like no form, found 'record.xlsx'"),
        (["--c-rate=-1", "--plot", "record.csv"], "--plot: ends like no drawing, found 'record.csv'"),
        (["--drive-cycle", "NEDC"], "load.name: there is no drive cycle 'NEDC' in the catalog"),
        (["--speed-trace", "UDDS", "--pack", "many"], "--pack: is no number of cells, found 'many'"),
        (["--experiment", "Charge it"], "load.steps[0]: "),
        (["--protocol", "nowhere.json"], "nowhere.json: --protocol: does not exist"),
        (["--bpx", "nowhere.json", "--c-rate=-1"], "nowhere.json: --bpx: does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(cell, arguments, refusal):
    code, said, complained = cell("simulate", *arguments)
    assert (code, said) == (2, "")
    assert complained.startswith(f"voltbench: {refusal}")
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (
            ["--profile", "mine.csv", "--times", "5"],
            "--times: says nothing of --profile, found 5, allowed: with --experi",
        ),
        (["--profile", "mine.csv", "--duration", "10min"], "--duration: says nothing of --profile, found '10min'"),
        (
            ["--profile", "mine.csv", "--pack", "9s9p"],
            "--pack: says nothing of --profile, found '9s9p', allowed: with --",
        ),
        (
            ["--current=-1", "--scale", "2"],
            "--scale: says nothing of --current, found 2.0, allowed: with --profile or --dr",
        ),
        (["--c-rate=-1", "--times", "3"], "--times: says nothing of --c-rate"),
        (["--power=-1", "--positive", "charge"], "--positive: says nothing of --power"),
        (["--drive-cycle", "US06", "--duration", "5s"], "--duration: says nothing of --drive-cycle"),
        (["--experiment", "Rest for 1 minute", "--scale", "2"], "--scale: says nothing of --experiment"),
        (["--c-rate=-1", "--bpx", "x.json", "--cell", "Ai2020"], "--cell: says nothing beside --bpx, found 'Ai2020'"),
    ],
)
def test_no_option_is_ignored_without_a_word(cell, arguments, refusal):
    for command in (["simulate"], ["compare"], ["sweep", "--over", "initial_soc=0.5,0.6", "--out", "s.csv"]):
        code, said, complained = cell(*command, *arguments)
        assert (code, said) == (2, "")
        assert complained.startswith(f"voltbench: {refusal}")
        assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["batch.json", "--model", "DFN"], "--model: says nothing beside FILE, found 'DFN'"),
        (["batch.json", "--soc", "0.5"], "--soc: says nothing beside FILE"),
        (["batch.json", "--over", "initial_soc=0.5"], "--over: says nothing beside FILE"),
        (["batch.json", "--scale", "2"], "--scale: says nothing beside FILE"),
        (["batch.json", "--set", "Electrode height [m]=0.05"], "--set: says nothing beside FILE"),
        (["--c-rate=-1", "--over", "initial_soc=0.5", "--seed", "4"], "--seed: says nothing beside combinations"),
    ],
)
def test_a_sweep_says_which_options_its_file_or_its_grid_has_no_use_for(desk, cell, arguments, refusal):
    (desk / "batch.json").write_text("{}")
    code, said, complained = cell("sweep", *arguments, "--out", "s.csv")
    assert (code, said) == (2, "")
    assert complained.startswith(f"voltbench: {refusal}")


# --- compare ---------------------------------------------------------------------------------------------------------


def test_models_are_held_against_the_last_of_them(desk, cell):
    code, said, _ = cell("compare", "--model", "SPM,SPMe,DFN", "--c-rate=-1", "--plot", "models.png", "--json")
    assert code == 0
    told = json.loads(said)
    assert told["against"] == "DFN"
    apart = {name: one["difference"] for name, one in told["compared"].items()}
    assert apart["DFN"] is None
    assert apart["SPMe"]["rms_mv"] == pytest.approx(5.0, abs=2.0)
    assert apart["SPM"]["rms_mv"] == pytest.approx(58.0, abs=6.0)
    assert (desk / "models.png").stat().st_size > 10_000
    _, said, _ = cell("compare", "--model", "SPM,SPMe", "--c-rate=-1")
    assert "mV: voltage less that of SPMe" in said


def test_one_alone_is_not_compared(cell):
    code, _, complained = cell("compare", "--model", "SPM", "--c-rate=-1")
    assert code == 2
    assert "--model: leaves nothing to compare, found 'SPM'" in complained


# --- validate --------------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_with_a_request_is_told(desk, cell):
    load = {"kind": "current", "current_a": -500, "duration_s": 60}
    (desk / "wrong.json").write_text(
        json.dumps({"load": load, "model": "P2D", "initial_soc": 2, "outputs": ["soc", "volts"], "ambient_degc": 55})
    )
    code, said, complained = cell("validate", "wrong.json")
    assert (code, said) == (2, "")
    told = complained.splitlines()
    assert all(line.startswith("voltbench: wrong.json: ") for line in told)
    fields = {line.removeprefix("voltbench: wrong.json: ").partition(":")[0] for line in told}
    assert fields >= {"model", "initial_soc", "outputs[1]", "load.current_a"}
    code, said, complained = cell("validate", "wrong.json", "--json")
    assert (code, complained) == (2, "")
    assert {problem["field"] for problem in json.loads(said)["problems"]} == fields


def test_a_request_with_nothing_wrong_is_told_so(desk, cell):
    (desk / "fine.json").write_text(json.dumps({"load": {"kind": "drive_cycle", "name": "US06"}, "initial_soc": 0.8}))
    code, said, complained = cell("validate", "fine.json")
    assert (code, complained) == (0, "")
    assert said == "fine.json: nothing is wrong with the request: SPMe of Chen2020, 5 Ah, 2.5 to 4.2 V\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pyparsing, as bpx uses it
@pytest.mark.parametrize("text", ["", "[]", "{", '{"Parameterisation": {}}', '{"bpx": 3, "load": {}}', "null"])
def test_what_is_no_request_at_all_is_refused_in_lines(desk, cell, text):
    (desk / "odd.json").write_text(text)
    code, said, complained = cell("validate", "odd.json")
    assert (code, said) == (2, "")
    assert all(line.startswith("voltbench: odd.json: ") for line in complained.splitlines())
    assert complained


# --- lists -----------------------------------------------------------------------------------------------------------


def test_what_there_is_is_listed(cell):
    assert all(name in cell("models")[1] for name in ("SPM", "SPMe", "DFN", "Thevenin"))
    assert all(name in cell("cells")[1] for name in ("Chen2020", "Ai2020", "2.5 to 4.2"))
    assert all(name in cell("cycles")[1] for name in ("US06", "WLTC", "HWFET", "--speed-trace"))


def test_a_group_without_a_command_says_where_to_look(cell):
    assert cell() == (2, "", "voltbench: Missing command; see voltbench --help\n")
    assert cell("bake") == (2, "", "voltbench: No such command 'bake'; see voltbench --help\n")


# --- sweep -----------------------------------------------------------------------------------------------------------


def test_a_sweep_writes_a_row_for_each_point(desk, cell):
    over = ["--over", "ambient_degc=0,25", "--over", "initial_soc=0.5,0.9"]
    code, said, complained = cell("sweep", "--c-rate=-1", *over, "--out", "s.csv", "--processes", "1")
    assert (code, complained) == (0, "")
    assert said.startswith("4 points, 0 of them failed")
    rows = list(csv.DictReader((desk / "s.csv").read_text().splitlines()))
    assert [(row["ambient_degc"], row["initial_soc"]) for row in rows] == [
        ("0", "0.5"), ("0", "0.9"), ("25", "0.5"), ("25", "0.9"),
    ]  # fmt: skip
    assert float(rows[3]["discharged_ah"]) > float(rows[2]["discharged_ah"]) > 2.0
    assert rows[1]["reason"] == "lower_voltage"


def test_a_rate_in_a_sweep_of_cells_is_each_cell_s_own(desk, cell):
    status, _, _ = cell(
        "sweep", "--model", "SPM", "--c-rate=-1", "--over", "cell=Chen2020,Prada2013", "--processes", 1,
        "--out", "both.csv",
    )  # fmt: skip
    rows = list(csv.DictReader((desk / "both.csv").read_text().splitlines()))
    assert (status, [row["reason"] for row in rows]) == (0, ["lower_voltage"] * 2)
    assert all(3_000.0 < float(row["lasted_s"]) < 3_700.0 for row in rows)


def test_without_a_duration_a_larger_cell_is_emptied_as_well(desk, cell):
    status, _, _ = cell("sweep", "--model", "SPM", "--c-rate=-1", "--over", "load.current_a=-1,-5", "--out", "both.csv")
    rows = list(csv.DictReader((desk / "both.csv").read_text().splitlines()))
    assert (status, [row["reason"] for row in rows]) == (0, ["lower_voltage"] * 2)


def test_a_sweep_in_a_file_is_solved_by_processes(desk, cell):
    load = {"kind": "current", "current_a": -5.0, "duration_s": 600}
    spread = {"kind": "latin_hypercube", "over": {"ambient_degc": {"least": 0, "most": 40}}, "count": 20, "seed": 3}
    (desk / "batch.json").write_text(json.dumps({"base": {"load": load, "model": "SPM"}, "sweep": spread}))
    code, _, complained = cell("sweep", "batch.json", "--out", "s.parquet", "--processes", "2")
    assert (code, complained) == (0, "")
    table = parquet.read_table(desk / "s.parquet")
    assert table.num_rows == 20
    assert table["error"].null_count == 20
    assert pc.min(table["discharged_ah"]).as_py() == pytest.approx(5.0 / 6.0)
    warm, cold = pc.max(table["last_voltage_v"]).as_py(), pc.min(table["last_voltage_v"]).as_py()
    assert warm > cold + 0.01


def test_figures_of_a_point_come_home_and_its_record_does_not():
    load = CurrentLoad(current_a=-5.0, duration_s=3_000.0)
    long, short = (request_of(Simulation(load=load, model="SPM", every_s=every_s)) for every_s in (0.1, 1_000.0))
    told, briefly = outcomes([long, short])
    assert told.figures is not None
    assert told.figures.discharged_ah == pytest.approx(5.0 * 3_000.0 / 3_600.0)
    assert len(pickle.dumps(told)) < 1.1 * len(pickle.dumps(briefly)) < 2_000
    (wrong,) = outcomes([request_of(Simulation(load=load, cell="Nothing2020"))])
    assert (wrong.figures, "Nothing2020" in wrong.error) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--c-rate=-1"], "--over: is missing"),
        (["--c-rate=-1", "--over", "ambient_degc=99"], "ambient_degc"),
        (["--c-rate=-1", "--over", "mood=1"], "mood"),
        (["--over", "ambient_degc=1,2"], "options: say nothing to do"),
        (["--c-rate=-1", "--over", "ambient_degc=1", "--processes", "0"], "--processes"),
        (["nowhere.json"], "nowhere.json"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(desk, cell, arguments, refusal):
    code, said, complained = cell("sweep", *arguments, "--out", "s.csv")
    assert (code, said) == (2, "")
    assert refusal in complained
    assert not (desk / "s.csv").exists()


# --- curve -----------------------------------------------------------------------------------------------------------


def test_a_curve_becomes_an_entry_of_the_catalog_for_packs(desk, cell):
    asked = ["--temperatures", "25", "--lam", "0", "--resistance", "1", "--processes", "1"]
    files = ["--out", "catalog/charge_maps/mine.toml", "--plot", "mine.png"]
    (desk / "catalog" / "charge_maps").mkdir(parents=True)
    code, said, complained = cell("curve", "Chen2020", *asked, *files, "--series", "96", "--parallel", "44")
    assert (code, complained) == (0, "")
    (row,) = [line for line in said.splitlines() if line.strip().startswith("25 ")]
    assert float(row.split()[-1]) == pytest.approx(39.6, abs=0.2)
    assert "A model, not a measurement." in said
    map = Catalog(desk / "catalog").charge_map("mine")
    assert map.currents[0, 0, 0, 50] == pytest.approx(1.02, abs=0.01)
    assert (map.provenance.label, map.cell) == ("model", "Chen2020")
    assert (desk / "mine.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["Xu2019"], "CELL: has no charging curve: it is half a cell"),
        (["OKane2022", "--temperatures", "30,20"], "--temperatures: is no axis"),
        (["OKane2022", "--lam", "much"], "--lam: are no numbers"),
        (["OKane2022", "--margin-mv", "-5"], "--margin-mv"),
        (["OKane2022", "--model", "SPM"], "--model"),
        (["OKane2022", "--plot", "x.html"], "--plot: ends like no picture"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(desk, cell, arguments, refusal):
    code, said, complained = cell("curve", *arguments, "--out", "x.toml")
    assert (code, said) == (2, "")
    assert refusal in complained
    assert list(desk.iterdir()) == []


# --- circuit ---------------------------------------------------------------------------------------------------------


def test_a_circuit_becomes_an_entry_of_the_catalog_for_packs(desk, cell):
    (desk / "catalog" / "circuits").mkdir(parents=True)
    asked = ["--model", "SPM", "--processes", "1", "--name", "Mine"]
    code, said, complained = cell("circuit", "Chen2020", *asked, "--out", "catalog/circuits/mine.toml")
    assert (code, complained) == (0, "")
    assert "Beside the SPM, US06 from 80%: " in said
    found = Catalog(desk / "catalog").circuit("mine")
    assert (found.name, found.cell, found.provenance.label) == ("Mine", "Chen2020", "model")
    assert "mV rms" in found.provenance.notes
    assert found.capacity_ah == pytest.approx(5.0, rel=0.05)
    low_a, high_a = (found.r0(np.array([0.5]), np.array([size]))[0] for size in (0.5, 10.0))
    assert 0.005 < high_a < low_a < 0.06


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["Nothing2020"], "CELL: is not in the catalog, found 'Nothing2020'"),
        (["Chen2020", "--model", "P2D"], "--model: is unknown, found 'P2D'"),
        (["Chen2020", "--model", "Thevenin"], "--model: tells of no circuit of Chen2020"),
        (["Chen2020", "--ambient", "200"], "--ambient"),
        (["Chen2020", "--out", "mine.csv"], "--out: "),
    ],
)
def test_a_circuit_that_makes_no_sense_is_refused(desk, cell, arguments, refusal):
    code, said, complained = cell("circuit", *arguments, *([] if "--out" in arguments else ["--out", "x.toml"]))
    assert (code, said) == (2, "")
    assert complained.startswith(f"voltbench: {refusal}")
    assert list(desk.iterdir()) == []
