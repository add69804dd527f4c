"""What people get to see of an outcome, without a process around it."""

import json
from io import StringIO

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from tests.builders import a_scenario, a_site, a_storage, a_visit, at
from voltbench.adapters.reports import tables
from voltbench.adapters.reports.document import summary_json
from voltbench.adapters.reports.files import whole_directory
from voltbench.adapters.reports.measures import rows
from voltbench.adapters.reports.outputs import NAMES, Report, Wanted
from voltbench.adapters.reports.terminal import print_summaries
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.scenario import run
from voltbench.running.summary import summarize
from voltbench.site.tariff import Tariff


@pytest.fixture(scope="module")
def outcomes():
    """A morning on which four cars want more than the grid has, under two strategies."""
    visits = [a_visit(f"visit-{i}", at(8, 7 * i), 0.5 + 0.1 * i, soc=0.1) for i in range(4)]
    scenario = a_scenario(visits, a_site(grid_w=120_000.0, storage=a_storage(20_000.0, 50_000.0)), hours=12)
    return [run(scenario.with_strategy(strategy)) for strategy in ("max_min", "lcfs")]


def test_a_directory_appears_as_a_whole_or_not_at_all(tmp_path):
    with pytest.raises(InvalidInput), whole_directory(tmp_path / "a/b/c") as folder:
        (folder / "half").write_text((tmp_path / "nowhere").read_text())
    assert list(tmp_path.iterdir()) == []
    with whole_directory(tmp_path / "a/b/c") as folder:
        (folder / "deep").mkdir()
        (folder / "deep/file").write_text("whole")
        assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a/b/c/deep/file").read_text() == "whole"


def test_what_an_earlier_run_wrote_and_this_one_did_not_goes_and_the_users_own_stays(tmp_path):
    for name in ("report.html", "notes.txt", "summary.json"):
        (tmp_path / name).write_text("old")
    with whole_directory(tmp_path, NAMES) as folder:
        (folder / "summary.json").write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"notes.txt": "old", "summary.json": "new"}


def test_a_disk_that_refuses_is_told_in_our_words(tmp_path):
    with pytest.raises(InvalidInput, match="No space left"), whole_directory(tmp_path / "r"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_rows_written_a_few_at_a_time_are_the_same_rows(tmp_path, outcomes, monkeypatch):
    for folder, at_once in (("whole", 1 << 14), ("parts", 37)):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(tables, "ROWS_AT_ONCE", at_once)
        tables.write_timeseries(tmp_path / folder, outcomes[0], MS_PER_MINUTE, ["parquet"], per_connector=True)
    whole, parts = (
        pq.read_table(tmp_path / folder / "timeseries.parquet").to_pydict() for folder in ("whole", "parts")
    )
    assert whole.keys() == parts.keys()
    for name in whole.keys() - {"instant"}:
        assert parts[name] == pytest.approx(whole[name], rel=1e-9, abs=1e-6), name


def test_the_better_of_two_is_set_off_and_equals_are_not(outcomes):
    told = {row.name: row for row in rows([summarize(outcome) for outcome in outcomes])}
    assert told["fairness (Jain)"].best.count(True) == 1
    assert told["came"].best == told["asked"].best == [False, False]
    assert "exported" not in told


def test_a_narrow_terminal_gets_tables_below_each_other(outcomes):
    summaries = [summarize(outcome) for outcome in outcomes] * 3
    console = Console(width=80, record=True, file=StringIO())
    print_summaries(console, summaries)
    text = console.export_text()
    assert text.count("part delivered") == 2
    assert max(map(len, text.splitlines())) <= 80


def test_pictures_and_page_are_drawn_of_a_site_with_everything_and_of_an_empty_one(tmp_path, outcomes):
    tariff = Tariff("EUR", outcomes[0].scenario.site.load_w)
    empty = a_scenario([], a_site(), hours=1, tariff=tariff)
    empty.site.tree.clear_limit("grid", "contract")
    for name, outcome in (("full", outcomes[0]), ("empty", run(empty))):
        (tmp_path / name).mkdir()
        report = Report(tmp_path / name, Wanted(), 1)
        report.add(outcome, summarize(outcome))
        report.finish()
        assert (tmp_path / name / "site.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / name / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_summary_as_json_has_instants_as_text(outcomes):
    told = json.loads(summary_json([summarize(outcomes[0])]))
    assert told["starts_at"] == "2026-03-02T00:00:00.000Z"
    assert told["storage"]["soc_start"] == 1.0
    assert told["cost"] is None
