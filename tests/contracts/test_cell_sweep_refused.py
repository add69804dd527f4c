"""A sweep of the command line with a point that makes no sense: nothing begins, as at the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltbench.apps.cli import app
from voltbench.apps.command_line import obey


def test_the_first_point_that_makes_no_sense_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = tmp_path / "table.csv"
    over = ["--over", "ambient_degc=0:900:3"]
    words = ["cell", "sweep", "--current=-1", "--duration", "60s", *over, "--processes", "1", "--out", str(table)]
    with pytest.raises(SystemExit) as end:
        obey(app(words), words)
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert said.err.startswith("voltbench: ambient_degc: ") or said.err.startswith("voltbench: --ambient: ")
    assert "(point 1: " in said.err
    assert not table.exists()
