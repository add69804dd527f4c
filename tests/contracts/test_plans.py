"""Plans by the API: asked for with prices and limits, told with cost and reasons, there again after a restart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.apis import a_bench
from voltbench.adapters.aside import aside
from voltbench.adapters.store import Store
from voltbench.adapters.store import store as stores
from voltbench.apps import plans
from voltbench.energy import search
from voltbench.running.planning import planned as made

START = 1_772_474_400_000
HOUR = 3_600_000
ADA = {"id": "ada", "arrives_at_ms": START, "departs_at_ms": START + 4 * HOUR, "needed_wh": 15_000,
       "max_power_w": 10_000}  # fmt: skip
ASKED = {"starts_at_ms": START, "slot_minutes": 60, "prices_per_kwh": [0.5, 0.2, 0.1, 0.5], "currency": "EUR",
         "cars": [ADA]}  # fmt: skip

BATTERY = {"capacity_wh": 60_000, "stored_wh": 30_000, "charge_w": 10_000, "discharge_w": 10_000}
MANY = [ADA | {"id": f"car-{number}"} for number in range(157)]


async def planned(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/plans", json=ASKED | more)
    assert answer.status_code == 201, answer.text
    plan: dict[str, Any] = answer.json()
    return plan


async def refused(client: httpx.AsyncClient, **more: Any) -> tuple[int, str]:
    answer = await client.post("/plans", json=ASKED | more)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"].partition(": ")[0]


async def test_a_car_charges_when_it_is_cheap(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        assert plan["planner"] == "car"
        assert plan["cars"][0]["steps"] == [
            {"at_ms": START + HOUR * 3 // 2, "power_w": 10_000.0},
            {"at_ms": START + 3 * HOUR, "power_w": 0.0},
        ]
        assert (plan["cost"], plan["cost_at_once"]) == pytest.approx((2.0, 6.0))
        assert plan["prices_known_until_ms"] == START + 4 * HOUR
        assert (await client.get(f"/plans/{plan['id']}")).json() == plan
        assert (await client.get("/plans/plan-none")).status_code == 404


async def test_a_plan_is_there_after_a_restart_and_only_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
    async with a_bench(tmp_path) as client:
        assert (await client.get(f"/plans/{plan['id']}")).json() == plan
    monkeypatch.setattr(stores, "MOST_PLANS", 2)
    store = await Store.open(f"sqlite:///{tmp_path / 'some.db'}")
    for number in range(4):
        await store.save_plan(f"plan-{number}", number, "{}")
    assert [await store.plan(f"plan-{number}") for number in range(4)] == [None, None, "{}", "{}"]
    await store.close()


async def test_beyond_known_prices_their_mean_stands_in(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client, prices_per_kwh=[0.4, 0.2])
        assert plan["prices_per_kwh"] == pytest.approx([0.4, 0.2, 0.3, 0.3])
        assert plan["prices_known_until_ms"] == START + 2 * HOUR


async def test_two_cars_lack_what_the_site_cannot_give_and_hear_why(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        bob = ADA | {"id": "bob", "priority": 1}
        plan = await planned(client, cars=[ADA, bob], site_limit_w=7_000, load_w=[1_000, 1_000, 1_000, 2_000])
        ada, bob = plan["cars"]
        assert (plan["planner"], bob["shortfall_wh"]) == ("fleet", 0.0)
        assert ada["shortfall_wh"] == pytest.approx(7_000.0)
        assert {one["limit"] for one in ada["hindrances"]} == {"site"}


async def test_a_storage_may_be_emptied_where_that_is_asked_for(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        storage = {"capacity_wh": 60_000, "stored_wh": 5_000, "charge_w": 10_000, "discharge_w": 10_000}
        full = await planned(client, cars=[ADA], storage=storage)
        emptied = await planned(client, cars=[ADA], storage=storage | {"least_at_end_wh": 0})
        given = [power_w / (0.95 if power_w < 0.0 else 1 / 0.95) for power_w in emptied["place"]["storage_w"]]
        assert sum(given) == pytest.approx(-5_000)  # slots are hours
        assert emptied["cost"] < full["cost"]


async def test_a_house_with_sun_a_battery_and_a_car_that_gives_is_planned_as_a_whole(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        battery = {"capacity_wh": 60_000, "stored_wh": 30_000, "charge_w": 10_000, "discharge_w": 10_000}
        plan = await planned(
            client,
            cars=[ADA | {"battery": battery}],
            load_w=2_000,
            generation_w=[0, 5_000, 5_000, 0],
            export_prices_per_kwh=0.05,
            storage=battery | {"wear_per_kwh": 0.01},
        )
        assert plan["planner"] == "place"
        assert plan["shortfall_wh"] == 0.0
        assert min(plan["place"]["storage_w"]) < 0.0
        assert (plan["place"]["gap"], plan["place"]["shortfall_gap_wh"]) == (0.0, 0.0)
        assert plan["cost"] < plan["cost_at_once"] == pytest.approx(2 * 0.5 + 10 * 0.5 + 2 * 0.2 + 2 * 0.5 - 3 * 0.05)


async def test_nobody_who_charges_at_once_pays_for_feeding_in(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        sun = {"generation_w": [0, 0, 0, 5_000], "export_prices_per_kwh": -0.1}
        plan = await planned(client, **sun)
        assert plan["cost_at_once"] == pytest.approx(10 * 0.5 + 5 * 0.2)


async def test_a_place_tells_what_is_lacking_and_why(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        load = [9_000, 0, 0, 0]
        plan = await planned(client, cars=[ADA], site_limit_w=3_000, load_w=load, generation_w=[0, 1_000, 0, 0])
        assert plan["place"]["unserved_load_wh"] == pytest.approx(6_000.0)
        assert plan["shortfall_wh"] == pytest.approx(5_000.0)
        assert plan["cars"][0]["hindrances"] == [
            {"limit": "site", "begins_at_ms": START, "ends_at_ms": START + 4 * HOUR}
        ]


async def test_a_place_too_large_to_be_planned_in_time_is_no_fault_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)
    async with a_bench(tmp_path) as client:
        status, detail = await refused(client, generation_w=1_000)
        assert (status, detail) == (503, "a plan this large is not found within 0 s")


async def test_no_generation_at_all_leaves_a_car_to_the_quick_planner(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client, cars=[ADA | {"in_one_go": True}], generation_w=[0, 0])
        assert plan["planner"] == "car"


async def test_a_cars_part_of_a_plan_is_a_charging_profile(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        at = f"/plans/{plan['id']}/cars/ada/profile"
        told = (await client.get(at)).json()
        assert (told["left_out_wh"], told["note"]) == (0.0, None)
        profile = told["csChargingProfiles"]
        assert (profile["chargingProfilePurpose"], "transactionId" in profile) == ("TxDefaultProfile", False)
        assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 0.0},
            {"startPeriod": 5_400, "limit": 10_000.0},
            {"startPeriod": 10_800, "limit": 0.0},
        ]
        in_a = await profile_at(client, at, unit="A", phases=1, transaction_id=7)
        assert (in_a["chargingProfilePurpose"], in_a["transactionId"]) == ("TxProfile", 7)
        assert in_a["chargingSchedule"]["chargingSchedulePeriod"][1]["limit"] == 43.4
        assert (await client.get(at.replace("ada", "bob"))).status_code == 404


async def profile_at(client: httpx.AsyncClient, at: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(at, params=query)
    assert answer.status_code == 200, answer.text
    profile: dict[str, Any] = answer.json()["csChargingProfiles"]
    return profile


async def test_what_is_refused_is_told_with_what_is_allowed_and_not_at_length(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        for name, word, allowed in (("unit", "V", "W or A"), ("ocpp", "3", "1.6 or 2.0.1")):
            answer = await client.get(f"/plans/{plan['id']}/cars/ada/profile", params={name: word})
            told = answer.json()
            assert (answer.status_code, told["field"], told["found"]) == (422, name, word)
            assert told["allowed"] == allowed
        cars = [ADA | {"departs_at_ms": START}], [ADA | {"circuit": "c" * 3_000}]
        late, lost = [(await client.post("/plans", json=ASKED | {"cars": own})).json() for own in cars]
        assert (late["field"], late["allowed"]) == ("cars[0].departs_at_ms", f"> {START}")
        assert (lost["field"], lost["allowed"], len(lost["detail"]) < 300) == ("cars[0].circuit", "none", True)


async def test_what_no_car_charges_with_is_said_beside_the_profile(tmp_path: Path):
    slow = ADA | {"needed_wh": 8_000, "max_power_w": 3_000}
    async with a_bench(tmp_path) as client:
        plan = await planned(client, cars=[slow])
        at = f"/plans/{plan['id']}/cars/ada/profile"
        for version in ("1.6", "2.0.1"):
            told = (await client.get(at, params={"ocpp": version, "unit": "A"})).json()
            assert (told["left_out_wh"], told["below_minimum_wh"]) == (0.0, pytest.approx(8_000.0))
            assert "below 6 A" in told["note"]
            assert "4140 W" in told["note"]
        one_phase = (await client.get(at, params={"unit": "A", "phases": 1})).json()
        assert (one_phase["below_minimum_wh"], one_phase["note"]) == (0.0, None)


async def test_a_plan_that_is_followed_is_kept_while_it_serves(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        first = await planned(client)
        assert first["kept_from"] is None
        hour = {"starts_at_ms": START + HOUR, "plan_before": first["id"]}
        kept = await planned(client, prices_per_kwh=[0.1, 0.1, 0.0995], **hour)
        assert (kept["kept_from"], kept["id"] != first["id"]) == (first["id"], True)
        assert kept["cars"][0]["steps"] == first["cars"][0]["steps"]
        assert (await client.get(f"/plans/{kept['id']}")).json() == kept
        again = await planned(client, prices_per_kwh=[0.3, 0.1, 0.1], **hour | {"plan_before": kept["id"]})
        assert (again["kept_from"], again["cars"][0]["steps"][0]["at_ms"]) == (None, START + 2 * HOUR)
        dear = await planned(client, prices_per_kwh=[0.3, 0.1, 0.1], hysteresis=1.0, **hour)
        assert dear["kept_from"] == first["id"]


async def test_one_go_and_the_sun_together_are_refused_with_what_to_do(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        answer = await client.post("/plans", json=ASKED | {"cars": [ADA | {"in_one_go": True}], "generation_w": 1})
        assert "load_w" in answer.json()["allowed"]


@pytest.mark.parametrize("id", ["a/b", "/", "a//b/", "cars/a/profile", "ä ö", "%2F", "a?b#c", "..", "plan-1"])
async def test_whatever_a_car_is_called_it_has_a_profile(tmp_path: Path, id: str):
    async with a_bench(tmp_path) as client:
        plan = await planned(client, cars=[ADA | {"id": id}])
        await profile_at(client, f"/plans/{plan['id']}/cars/{quote(id, safe='').replace('.', '%2E')}/profile")


@pytest.mark.parametrize("id", [2**31, -(2**31) - 1, 10**20, "1.5", "nan", ""])
async def test_a_transactions_id_is_an_integer_of_ocpp(tmp_path: Path, id: object):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        at = f"/plans/{plan['id']}/cars/ada/profile"
        answer = await client.get(at, params={"transaction_id": str(id)})
        assert (answer.status_code, answer.json()["field"]) == (422, "transaction_id")
        for fitting in (2**31 - 1, -(2**31)):
            assert (await profile_at(client, at, transaction_id=fitting))["transactionId"] == fitting


async def test_a_station_of_2_0_1_has_a_profile_too(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        at = f"/plans/{plan['id']}/cars/ada/profile"
        told = (await client.get(at, params={"ocpp": "2.0.1", "evse_id": 2, "transaction_id": "tx-7"})).json()
        assert (told["evseId"], told["left_out_wh"], told["note"]) == (2, 0.0, None)
        profile = told["chargingProfile"]
        assert (profile["chargingProfilePurpose"], profile["transactionId"]) == ("TxProfile", "tx-7")
        assert profile["chargingSchedule"][0]["chargingSchedulePeriod"][1] == {"startPeriod": 5_400, "limit": 10_000.0}
        anyone = (await client.get(at, params={"ocpp": "2.0.1"})).json()
        assert (anyone["evseId"], anyone["chargingProfile"]["chargingProfilePurpose"]) == (1, "TxDefaultProfile")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"ocpp": "2.0.1", "transaction_id": "t" * 37}, "transaction_id"),
        ({"ocpp": "2.0.1", "transaction_id": "7", "evse_id": "0"}, "evse_id"),
        ({"ocpp": "2.0.1", "evse_id": "-1"}, "evse_id"),
        ({"ocpp": "2.1"}, "ocpp"),
        ({"transaction_id": "tx-7"}, "transaction_id"),
    ],
)
async def test_what_no_station_takes_is_refused(tmp_path: Path, query: dict[str, str], field: str):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        answer = await client.get(f"/plans/{plan['id']}/cars/ada/profile", params=query)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_station_that_is_only_on_or_off_has_a_plan_of_that(tmp_path: Path):
    """What fills a part of an hour only begins or ends inside it."""
    switched = ADA | {"min_power_w": 7_400, "max_power_w": 7_400, "needed_wh": 18_500}
    async with a_bench(tmp_path) as client:
        prices, load_w = [0.5, 0.2, 0.1, 0.4], [0, 0, 3_000, 0]
        plan = await planned(client, cars=[switched], prices_per_kwh=prices, load_w=load_w, site_limit_w=9_000)
        assert plan["cars"][0]["steps"] == [
            {"at_ms": START + HOUR // 2, "power_w": 7_400.0},
            {"at_ms": START + 2 * HOUR, "power_w": 0.0},
            {"at_ms": START + 3 * HOUR, "power_w": 7_400.0},
            {"at_ms": START + 4 * HOUR, "power_w": 0.0},
        ]
        assert (plan["shortfall_wh"], plan["cost"]) == pytest.approx((0.0, 7.4 * (0.5 * 0.5 + 0.2 + 0.4)))
        many = [switched | {"id": f"car-{i}", "needed_wh": 5_000 + 2_000 * i} for i in range(3)]
        for more in ({}, {"generation_w": 2_000}):
            plan = await planned(client, cars=many, site_limit_w=16_000, load_w=1_000, **more)
            powers = {step["power_w"] for car in plan["cars"] for step in car["steps"]}
            assert (plan["planner"], powers) == ("place" if more else "fleet", {0.0, 7_400.0})


async def test_what_a_car_gives_back_is_said_to_be_left_out_of_its_profile(tmp_path: Path):
    battery = {"capacity_wh": 60_000, "stored_wh": 30_000, "charge_w": 10_000, "discharge_w": 10_000}
    async with a_bench(tmp_path) as client:
        car = ADA | {"battery": battery, "needed_wh": 0}
        plan = await planned(client, cars=[car], load_w=5_000, prices_per_kwh=[0.1, 0.1, 0.9, 0.9])
        told = (await client.get(f"/plans/{plan['id']}/cars/ada/profile")).json()
        assert told["left_out_wh"] == pytest.approx(10_000.0)
        assert "OCPP 1.6 cannot discharge" in told["note"]
        newer = (await client.get(f"/plans/{plan['id']}/cars/ada/profile", params={"ocpp": "2.0.1"})).json()
        assert newer["left_out_wh"] == told["left_out_wh"]
        assert "OCPP 2.0.1 cannot discharge" in newer["note"]
        periods = told["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
        assert min(period["limit"] for period in periods) == 0.0


async def test_while_a_plan_is_made_others_are_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    free = threading.Event()
    monkeypatch.setattr(plans, "planned", lambda *asked, **more: free.wait(10) and made(*asked, **more))
    async with a_bench(tmp_path) as client:
        asking = [asyncio.create_task(client.post("/plans", json=ASKED)) for _ in range(3)]
        assert (await client.get("/health")).status_code == 200
        free.set()
        assert [answer.status_code for answer in await asyncio.gather(*asking)] == [201] * 3


async def test_who_comes_when_too_many_wait_is_told_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    free = threading.Event()
    monkeypatch.setattr(plans, "MOST_WAITING", 2)
    monkeypatch.setattr(plans, "planned", lambda *asked, **more: free.wait(10) and made(*asked, **more))
    async with a_bench(tmp_path) as client:
        asking = [asyncio.create_task(client.post("/plans", json=ASKED)) for _ in range(3)]
        done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert [one.result().status_code for one in done] == [503]
        free.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [201, 201]
        assert (await client.post("/plans", json=ASKED)).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b"[" * 100_000, 400, None),
        (b'{"vat": 0, "vat": 0}', 400, None),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b'{"prices_per_kwh": [' + b"1," * 100_000 + b"1]}", 422, "body"),
        (b'{"prices_per_kwh": [NaN]}', 422, "prices_per_kwh[0]"),
        (b'{"prices_per_kwh": [1e999]}', 422, "prices_per_kwh[0]"),
    ],
)
async def test_what_is_no_request_is_refused(tmp_path: Path, body: bytes, status: int, field: str | None):
    async with a_bench(tmp_path) as client:
        answer = await client.post("/plans", content=body)
        assert (answer.status_code, answer.json().get("field")) == (status, field)


def test_a_process_ends_though_something_is_done_aside():
    program = "import asyncio, time; from voltbench.adapters.aside import aside\n"
    program += "async def main():\n  asyncio.ensure_future(aside(lambda: time.sleep(60)))\n  await asyncio.sleep(0.1)\n"
    subprocess.run([sys.executable, "-c", f"{program}asyncio.run(main())"], check=True, timeout=120)


async def test_what_goes_wrong_aside_is_told_to_who_waits():
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prices_per_kwh": None}, "prices_per_kwh"),
        ({"source": "awattar:de"}, "prices_per_kwh"),
        ({"prices_per_kwh": []}, "prices_per_kwh"),
        ({"slot_minutes": 7}, "slot_minutes"),
        ({"cars": [ADA | {"needed_wh": -1}]}, "cars[0].needed_wh"),
        ({"cars": [ADA | {"colour": "blue"}]}, "cars[0].colour"),
        ({"cars": [ADA | {"departs_at_ms": START - 1}]}, "cars[0].departs_at_ms"),
        ({"cars": [ADA, ADA]}, "cars"),
        ({"cars": [ADA, ADA | {"departs_at_ms": START + 9 * 24 * HOUR}]}, "cars[1].departs_at_ms"),
        ({"cars": [ADA | {"circuit": "cellar"}]}, "cars[0].circuit"),
        ({"prices_per_kwh": None, "source": "file:/etc/passwd"}, "source"),
        ({"prices_per_kwh": None, "source": "awattar:de?url=http://localhost"}, "source"),
        ({"cars": [ADA, ADA | {"id": "bob", "min_power_w": 12_000}]}, "cars[1].min_power_w"),
        ({"cars": [ADA | {"losses": [{"given_w": 2_000, "drawn_w": 1_000}]}]}, "cars[0].losses[0].drawn_w"),
        ({"cars": [ADA | {"losses": [{"given_w": 2_000, "drawn_w": 2_100}] * 2}]}, "cars[0].losses[1].given_w"),
        ({"cars": [ADA | {"losses": [{"given_w": 20_000, "drawn_w": 21_000}]}]}, "cars[0].losses[0].drawn_w"),
        (
            {"cars": [ADA | {"min_power_w": 5_000, "battery": BATTERY | {"charge_w": 3_000}}]},
            "cars[0].battery.charge_w",
        ),
        ({"cars": [ADA | {"in_one_go": True}], "generation_w": 1_000}, "cars[0].in_one_go"),
        ({"storage": BATTERY | {"stored_wh": 90_000}}, "storage.stored_wh"),
        ({"cars": [ADA | {"battery": BATTERY | {"charge_efficiency": 2}}]}, "cars[0].battery.charge_efficiency"),
        ({"storage": BATTERY | {"least_at_end_wh": 90_000}}, "storage.least_at_end_wh"),
        ({"cars": [ADA | {"battery": BATTERY | {"least_at_end_wh": 1_000}}]}, "cars[0].battery.least_at_end_wh"),
        ({"storage": BATTERY, "prices_per_kwh": [0.1] * 192, "cars": MANY}, "cars"),
        ({"generation_w": 1, "cars": [ADA | {"id": f"{i}", "priority": i} for i in range(31)]}, "cars"),
        ({"plan_before": "plan-none"}, "plan_before"),
        ({"plan_before": ""}, "plan_before"),
        ({"hysteresis": -0.1}, "hysteresis"),
        ({"load_w": []}, "load_w"),
        ({"export_prices_per_kwh": []}, "export_prices_per_kwh"),
        ({"co2_g_per_kwh": []}, "co2_g_per_kwh"),
        ({"circuits_w": {"garage": [1e9, 2e9]}}, "circuits_w"),
        ({"circuits_w": {"garage": "much"}}, "circuits_w"),
        ({"circuits_w": {f"c{number}": 1 for number in range(5_000)}, "prices_per_kwh": [0.1] * 101}, "circuits_w"),
        ({"circuits_w": {"garage": []}}, "circuits_w.garage"),
        ({"circuits_w": {"site": 5_000}}, "circuits_w.site"),
        ({"circuits_w": {"garage": 5_000, "car": 5_000}}, "circuits_w.car"),
    ],
)
async def test_what_cannot_be_planned_is_refused_with_its_field(tmp_path: Path, more: dict[str, Any], field: str):
    async with a_bench(tmp_path) as client:
        assert await refused(client, **more) == (422, field)
