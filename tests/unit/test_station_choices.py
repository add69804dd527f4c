"""What `voltbench fleet` and `voltbench station` are asked for that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voltbench.adapters.catalog import Catalog
from voltbench.apps.fleet import fleet
from voltbench.apps.station import _Driver, station
from voltbench.apps.station_choices import StationChoices, Stations
from voltbench.errors import InvalidInput

NOWHERE = "ws://127.0.0.1:1"


@pytest.mark.parametrize(
    "url", ["http://x", "ws://", "ws://[::1", "ws://127.0.0.1:99999", "ws://127.0.0.1:abc", "ws://127.0.0.1:0"]
)
def test_what_is_no_address_is_refused_before_anything_is_done(url: str):
    for command in (fleet, station):
        with pytest.raises(InvalidInput, match="csms: is no address of a CSMS"):
            command(url)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"id": ""}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "X" * 201}, "id"),
    ],
)
def test_what_a_station_cannot_be(asked: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refusal:
        station(NOWHERE, **asked)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"seed": -1}, "seed"), ({"prefix": ""}, "prefix"), ({"tag": [""]}, "tag"), ({"tag": ["X" * 21]}, "tag")],
)
def test_what_a_fleet_cannot_be(asked: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refusal:
        fleet(NOWHERE, **asked)
    assert refusal.value.field == field


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_where_a_report_cannot_be_written_nothing_is_begun(tmp_path: Path, place: str):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput) as refusal:
        fleet(NOWHERE, out=tmp_path / place, duration="1h")
    assert refusal.value.field == "--out"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("tap", "! tap: needs an id tag"),
        (f"tap {'A' * 30}", f"! tag: is no name, found '{'A' * 30}', allowed: 1 to 20 letters, digits and signs"),
        ("tap A 99", "! evse: is unknown, found '99', allowed: 1, 2"),
        ("tap A 0", "! evse: is unknown, found '0', allowed: 1, 2"),
        ("unplug 3", "! evse: is unknown, found '3', allowed: 1, 2"),
        ("fault 3", "! evse: is unknown, found '3', allowed: 0, 1, 2"),
        ("fault 1 NoError", "! error: is no fault, found 'NoError', allowed: an error code, as GroundFailure"),
        ("unplug", "! evse '1': has no car plugged in"),
        ("keys Nope", "! there is no key 'Nope'"),
        (
            "nonsense",
            "! command: is unknown, found 'nonsense', "
            "allowed: plug, tap, unplug, fault, repair, status, keys, help, quit",
        ),
        ("plug 1 400%", "! soc: is no state of charge, found 4.0, allowed: 0 to 1"),
    ],
)
async def test_what_a_driver_cannot_do_is_told_in_a_line(capsys: pytest.CaptureFixture[str], typed: str, said: str):
    made = Stations(StationChoices(NOWHERE, "alfen-eve-double-pro"), Catalog())
    _Driver(made.add("CP1"), Catalog()).obey(typed)
    await made.host.close()
    assert capsys.readouterr().out.splitlines() == [said]
