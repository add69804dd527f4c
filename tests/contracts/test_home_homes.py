"""Homes by id: made, changed, looked at, deleted; kept over a restart by either database; beside sites on `up`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.apis import a_bench
from tests.homes import JSON, Station, a_home_station
from voltbench.adapters.store import Store
from voltbench.apps import homes
from voltbench.apps.homes import Homes
from voltbench.errors import Conflict, NotFound
from voltbench.running.home.model import COURSE, HomeModel

ON = '{"charging": "on"}'


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    async with a_home_station() as station:
        yield station


async def put(station: Station, home: str, **model: Any) -> tuple[int, dict[str, Any]]:
    said = await station.ask("PUT", f"/homes/{home}", json.dumps(model).encode(), content_type=JSON)
    return said.status, json.loads(said.body)


async def test_there_is_a_default_home(station: Station):
    listed = json.loads(await station.get("/homes"))
    assert listed == {"homes": [{"id": "default", "moves": "in_ticks", "speed": 900}]}
    home = json.loads(await station.get("/homes/default"))
    assert (home["model"]["capacity_wh"], home["state"]["energy_wh"]) == (46_300, 9_260)


async def test_homes_live_side_by_side_each_by_its_own_clock(station: Station):
    station.seconds = 7.0
    assert (await put(station, "slow", speed=450))[0] == 201
    status, made = await put(station, "flat", fuse_w=11_000, cap_soc=0.8)
    assert (status, made["moves"], made["state"]["soc"]) == (201, "exactly", 0.2)
    for home in ("slow", "flat"):
        await station.post(f"/homes/{home}/charge", ON)
    station.seconds = 9.0
    assert await station.get("/homes/slow/charge") == "24.0"
    assert await station.get("/homes/flat/charge") == "27.99"
    assert await station.get("/charge") == "20"
    assert [home["id"] for home in json.loads(await station.get("/homes"))["homes"]] == ["default", "flat", "slow"]


async def test_a_house_tells_what_it_draws_now_and_stops_at_its_cap(station: Station):
    await put(station, "mine", cap_soc=0.8, start_soc=0.335)
    assert await station.get("/homes/mine/charge") == "33.5"
    await station.post("/homes/mine/charge", ON)
    station.seconds = 0.5
    info = json.loads(await station.get("/homes/mine/info"))
    assert info == {
        "sim_time_hour": 0,
        "sim_time_min": 0,
        "base_current_load": 8.28,
        "battery_capacity_kWh": 16.44,
        "ev_battery_charge_start_stopp": True,
    }
    station.seconds = 60.0
    assert await station.get("/homes/mine/charge") == "80.0"


async def test_prices_by_the_quarter_hour(station: Station):
    await put(station, "quarters", quarter_hours=True)
    assert len(json.loads(await station.get("/homes/quarters/priceperhour"))) == 96
    await put(station, "spring", price_ore_per_kwh=[1] * 92)
    assert await station.get("/homes/spring/priceperhour") == json.dumps([1.0] * 92)


async def test_a_home_is_built_anew(station: Station):
    station.seconds = 3.0
    await station.post("/charge", ON)
    station.seconds = 5.0
    status, made = await put(station, "default", start_soc=0.5)
    assert (status, made["moves"]) == (200, "exactly")
    assert await station.get("/charge") == "50"


async def test_a_home_is_deleted_but_not_the_default_one(station: Station):
    await put(station, "mine")
    assert (await station.ask("DELETE", "/homes/mine")).status == 204
    for path in ("/homes/mine", "/homes/mine/info", "/homes/mine/discharge"):
        assert (await station.ask("GET", path)).status == 404
    assert (await station.ask("DELETE", "/homes/mine")).status == 404
    assert (await station.ask("DELETE", "/homes/default")).status == 409


@pytest.mark.parametrize(
    ("home", "body", "status", "field"),
    [
        ("mine", '{"power_w": 5}', 422, "power_w"),
        ("mine", '{"power": 5000}', 422, "power"),
        ("mine", '{"price_ore_per_kwh": [1, 2]}', 422, "price_ore_per_kwh"),
        ("mine", "[]", 422, "home"),
        ("mine", "{", 400, None),
        (".hidden", "{}", 422, "home_id"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused(station: Station, home: str, body: str, status: int, field: str | None):
    said = await station.ask("PUT", f"/homes/{home}", body.encode())
    problem = json.loads(said.body)
    assert (said.status, problem.get("field")) == (status, field)
    assert (await station.ask("GET", "/homes/mine")).status == 404


async def test_pages_of_other_origins_build_no_homes(station: Station):
    said = await station.ask("PUT", "/homes/mine", b"{}", origin="http://page.example")
    assert said.status == 403
    assert "access-control-allow-origin" not in said.headers


async def test_there_is_an_end_to_homes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(homes, "MOST_HOMES", 2)
    some = Homes()
    await some.put("one", COURSE)
    await some.put("one", HomeModel(cap_soc=0.8))
    with pytest.raises(Conflict):
        await some.put("two", COURSE)


# --- kept ------------------------------------------------------------------------------------------------------------


async def test_homes_are_there_after_a_restart_as_at_their_start(url: str):
    model = HomeModel(cap_soc=0.8, price_ore_per_kwh=(0.5,) * 100)
    store = await Store.open(url)
    made = await Homes.open(store)
    await made.put("mine", HomeModel())
    await made.put("mine", model)
    await made.put("gone", model)
    await made.put("default", HomeModel(speed=60.0))
    await made.delete("gone")
    made.home("mine").switch(True)
    await store.close()
    store = await Store.open(url)
    found = await Homes.open(store)
    await store.close()
    assert {home.id: home.model for home in found.all()} == {"default": HomeModel(speed=60.0), "mine": model}
    assert found.home("mine").look().is_switched_on is False
    with pytest.raises(NotFound):
        found.home("gone")


async def test_a_plan_of_another_version_is_left_out_and_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = await Store.open(f"sqlite:///{tmp_path}/live.db")
    await store.save_home("old", '{"battery": "lead"}')
    found = await Homes.open(store)
    kept = await store.homes()
    await store.close()
    assert [home.id for home in found.all()] == ["default"]
    assert list(kept) == ["old"]
    assert "battery" in caplog.text


# --- beside sites ----------------------------------------------------------------------------------------------------


async def test_up_has_the_same_routes_but_the_front_door(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        assert list((await client.get("/")).json()) == ["message"]
        assert (await client.get("/charge")).text == "20"
        assert (await client.get("http://localhost//info")).json()["sim_time_hour"] in range(24)
        assert (await client.put("/homes/mine", json={"cap_soc": 0.8})).status_code == 201
        assert (await client.post("/homes/mine/charge", json={"charging": "on"})).text == ON
        assert (await client.get("/station/status")).status_code == 200
    async with a_bench(tmp_path) as client:
        assert [home["id"] for home in (await client.get("/homes")).json()["homes"]] == ["default", "mine"]


async def test_up_lets_foreign_pages_in_at_homes_only(tmp_path: Path):
    page = {"Origin": "http://page.example"}
    async with a_bench(tmp_path) as client:
        assert (await client.post("/charge", json={"charging": "on"}, headers=page)).status_code == 200
        assert (await client.post("/station/recompute", headers=page)).status_code == 403
        assert "access-control-allow-origin" not in (await client.get("/station/status", headers=page)).headers
