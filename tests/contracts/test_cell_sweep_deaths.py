"""A sweep of the command line, of whose points one is the death of the process that solves it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cell_tasks import DEADLY_DEGC, outcomes_unless_deadly
from voltbench.apps import cell_sweep
from voltbench.apps.cli import app
from voltbench.apps.command_line import obey


def test_it_costs_no_other_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(cell_sweep, "outcomes", outcomes_unless_deadly)
    table = tmp_path / "table.csv"
    load = ["--current=-1", "--duration", "60s", "--model", "SPM"]
    over = ["--over", "ambient_degc=10:15:6"]
    words = ["cell", "sweep", *load, *over, "--processes", "2", "--out", str(table)]
    with pytest.raises(SystemExit) as end:
        obey(app(words), words)
    assert end.value.code in (None, 0)
    assert capsys.readouterr().out.startswith("6 points, 1 of them failed")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [float(row["ambient_degc"]) for row in rows if row["error"]] == [DEADLY_DEGC]
    assert all(row["solve_s"] for row in rows if not row["error"])
