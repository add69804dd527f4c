"""Everything that is wrong with a request, at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer import Exit

from voltbench.apps.cell_validate import problems, validate

LOAD = {"kind": "current", "current_a": -5_000, "duration_s": 10}
TOO_MUCH = ("load.current_a", -5_000.0)


def wrong(request: dict[str, Any]) -> set[tuple[str, Any]]:
    return {(error.field, error.found) for error in problems(request)}


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ({"load": LOAD | {"speed": 1}}, {("load.speed", None), TOO_MUCH}),
        ({"load": LOAD | {"duration_s": "long"}, "sei": 1}, {("load.duration_s", "long"), ("sei", None), TOO_MUCH}),
        ({"load": {"kind": "current", "current_a": -5_000}}, {("load.duration_s", None), TOO_MUCH}),
        ({"load": LOAD | {"current_a": "a"}, "ambient_degc": 900}, {("load.current_a", "a"), ("ambient_degc", 900)}),
    ],
)  # fmt: skip
def test_what_is_too_much_is_named_beside_what_cannot_be_read(request_: dict[str, Any], found: set[tuple[str, Any]]):
    assert wrong(request_) == found


def test_what_stands_in_an_unknown_field_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"load": LOAD | {"current_a": -1, "speed": 1}, "sei": {"a": 1}}))
    with pytest.raises(Exit):
        validate(file, json=True)
    told = json.loads(capsys.readouterr().out)["problems"]
    assert {one["field"]: one["found"] for one in told} == {"load.speed": 1, "sei": "a table"}


def test_where_there_is_no_load_that_is_all_that_is_wrong_with_it():
    assert wrong({"ambient_degc": 900}) == {("load", None), ("ambient_degc", 900)}
