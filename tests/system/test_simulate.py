"""`voltbench simulate` as a person runs it: in an empty directory, in a process of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.programs import done_by_voltbench

VOLTBENCH = Path(sys.executable).with_name("voltbench")

SCENARIO = """
name = "Four cars"
seed = 3

[horizon]
start = 2026-06-01T00:00:00Z
days = 1

[site]
id = "yard"
limit_w = 150_000
load_w = 5_000

[[stations]]
id = "fast"
model = "dc-200-2"
count = 2

[arrivals]
sessions = "cars.csv"
"""

CARS = """id,vehicle,connector,arrives_at,departs_at,soc,asked_wh
a,kia-ev6-77,fast-1:1,2026-06-01T08:00,2026-06-01T09:00,0.1,40000
b,kia-ev6-77,fast-1:2,2026-06-01T08:05,2026-06-01T09:30,0.2,40000
c,hyundai-ioniq-5-77,fast-2:1,2026-06-01T08:10,2026-06-01T08:40,0.1,40000
d,vw-id4-pro-77,fast-2:2,2026-06-01T08:15,2026-06-01T10:00,0.3,30000
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty directory with one scenario and its sessions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yard.toml").write_text(SCENARIO)
    (tmp_path / "cars.csv").write_text(CARS)
    return tmp_path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def total_wh(table, column):
    return duckdb.execute(f"select sum({column} * interval_s) / 3600 from '{table}'").fetchall()[0][0]


def test_a_summary_is_printed_and_nothing_is_written(desk):
    done = done_by_voltbench("simulate", "yard.toml")
    assert done.returncode == 0, done.stderr
    assert "Four cars" in done.stdout
    assert "part delivered" in done.stdout
    assert done.stderr == ""
    assert names_in(desk) == ["cars.csv", "yard.toml"]


def test_the_files_say_what_the_ledger_says(desk):
    done = done_by_voltbench(
        "simulate", "yard.toml", "--out", "results", "--format", "parquet,csv", "--sample", "5min", "--json"
    )
    assert done.returncode == 0, done.stderr
    tables = [f"{name}.{format}" for name in ("sessions", "timeseries") for format in ("csv", "parquet")]
    assert names_in(desk / "results") == sorted([*tables, "report.html", "site.png", "summary.json"])
    summary = json.loads(done.stdout)
    assert json.loads((desk / "results/summary.json").read_text()) == summary
    sessions = pq.read_table(desk / "results/sessions.parquet").to_pydict()
    assert sessions["id"] == ["a", "b", "c", "d"]
    assert sum(sessions["delivered_wh"]) == pytest.approx(summary["delivery"]["delivered_wh"], rel=1e-9)
    for table in ("results/timeseries.parquet", "results/timeseries.csv"):
        assert total_wh(table, "vehicles_w") == pytest.approx(sum(sessions["drawn_wh"]), rel=1e-8)
        assert total_wh(table, "grid_w") == pytest.approx(summary["grid"]["import_wh"], rel=1e-8)
        assert total_wh(table, "load_w") == pytest.approx(24 * 5_000)


def test_samples_may_be_any_and_connectors_add_up(desk):
    done = done_by_voltbench("simulate", "yard.toml", "--out", "r", "--sample", "7s", "--connectors", "--no-plots")
    assert done.returncode == 0, done.stderr
    assert names_in(desk / "r") == ["sessions.parquet", "summary.json", "timeseries.parquet"]
    connectors = " + ".join(f'"fast-{station}:{connector}_w"' for station in (1, 2) for connector in (1, 2))
    asked = f"select max(abs({connectors} - vehicles_w)), max(grid_w) from 'r/timeseries.parquet'"
    difference_w, peak_w = duckdb.execute(asked).fetchall()[0]
    assert difference_w < 1e-3
    assert peak_w == pytest.approx(150_000, rel=1e-6)


def test_strategies_are_compared_side_by_side(desk):
    done = done_by_voltbench(
        "simulate", "yard.toml", "--strategy", "max_min,edf", "--out", "r", environment={"COLUMNS": "120"}
    )
    assert done.returncode == 0, done.stderr
    assert "max_min" in done.stdout
    assert "edf" in done.stdout
    assert names_in(desk / "r") == ["edf", "max_min", "report.html", "summary.json"]
    assert names_in(desk / "r/edf") == ["sessions.parquet", "site.png", "timeseries.parquet"]
    assert [s["strategy"] for s in json.loads((desk / "r/summary.json").read_text())] == ["max_min", "edf"]
    page = (desk / "r/report.html").read_text()
    assert "Strategies compared" in page
    assert '<script src="' not in page


def test_the_same_command_gives_the_same_files(desk):
    arguments = ["simulate", "yard.toml", "--days", "0.4", "--sample", "15min", "--out"]
    for folder in ("one", "two"):
        command = [VOLTBENCH, *arguments, folder]  # started afresh, with another seed for hashes
        assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
    for name in names_in(desk / "one"):
        assert (desk / "one" / name).read_bytes() == (desk / "two" / name).read_bytes(), name


def test_a_second_run_replaces_its_files_and_no_others(desk):
    (desk / "r").mkdir()
    (desk / "r/notes.txt").write_text("mine")
    (desk / "r/summary.json").write_text("old")
    assert done_by_voltbench("simulate", "yard.toml", "--out", "r", "--no-plots").returncode == 0
    assert (desk / "r/notes.txt").read_text() == "mine"
    assert json.loads((desk / "r/summary.json").read_text())["visits"]["came"] == 4


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (("limit_w = 150_000", 'limit_w = "much"'), [], ["yard.toml", "limit_w", "much", "number"]),
        (("dc-200-2", "dc-900"), [], ["yard.toml", "dc-900"]),
        ((), ["--strategy", "edf,fair"], ["strategy", "fair", "max_min"]),
        ((), ["--sample", "2h"], ["--sample", "2h", "1s to 1h"]),
        ((), ["--strategy", ""], ["strategy", "''", "max_min"]),
        ((), ["--days", "-1"], ["days", "-1"]),
        ((), ["--days", "soon"], ["--days", "number"]),
        ((), ["--nowhere"], ["--nowhere"]),
        ((), ["again.toml"], ["again.toml"]),
        ((), ["--seed", "9" * 5_000], ["--seed"]),
        ((), ["--sessions", "x" * 5_000], ["sessions", "xxx..."]),
        ((), ["--out", "cars.csv"], ["--out", "cars.csv", "directory"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(desk, change, arguments, said):
    if change:
        (desk / "yard.toml").write_text(SCENARIO.replace(*change))
    done = done_by_voltbench("simulate", "yard.toml", "--out", "r", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 700
    assert [word for word in said if word not in done.stderr] == []
    assert names_in(desk) == ["cars.csv", "yard.toml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate"], "FILE|NAME"),
        (["simulate", "x" * 5_000], "neither a file nor a scenario"),
        (["fly"], "fly"),
        (["--fast"], "--fast"),
        (["up", "--port", "http"], "--port"),
        (["catalog", "boats"], "vehicles"),
    ],
)
def test_a_command_that_cannot_be_is_one_line_and_exit_code_2(desk, arguments, said):
    done = done_by_voltbench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("voltbench: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 700
    assert said in done.stderr


def test_an_unknown_scenario_is_told_with_those_there_are(desk):
    done = done_by_voltbench("simulate", "nowhere")
    assert done.returncode == 2
    assert "fast-charging-hub" in done.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_told_to_stop_leaves_nothing_half_written(desk, sent, code):
    arguments = ["simulate", "yard.toml", "--compare", "--out", "r"]
    running = subprocess.Popen([VOLTBENCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not any(name.startswith(".r.") for name in names_in(desk)):
        assert running.poll() is None
    running.send_signal(sent)
    running.communicate(timeout=60)
    assert running.returncode == code
    assert names_in(desk) == ["cars.csv", "yard.toml"]


def test_the_catalog_and_the_version_are_told():
    assert done_by_voltbench("--version").stdout.startswith("voltbench ")
    listed = done_by_voltbench("catalog", "vehicles").stdout
    assert "kia-ev6-77" in listed
    assert "dc-200-2" not in listed
    assert "fast-charging-hub" in done_by_voltbench("catalog").stdout


def test_help_does_not_wait_for_large_libraries():
    asked = "import sys; from voltbench.apps.cli import app; app([]); print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert [name for name in ("numpy", "matplotlib", "plotly", "pyarrow", "fastapi") if repr(name) in loaded] == []
