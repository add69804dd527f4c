"""Plans by the API: asked for with prices and limits, told with cost and reasons, there again after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.apis import a_bench
from voltbench.adapters.store import Store
from voltbench.adapters.store import store as stores

START = 1_772_474_400_000
HOUR = 3_600_000
ADA = {"id": "ada", "arrives_at_ms": START, "departs_at_ms": START + 4 * HOUR, "needed_wh": 15_000,
       "max_power_w": 10_000}  # fmt: skip
ASKED = {"starts_at_ms": START, "slot_minutes": 60, "prices_per_kwh": [0.5, 0.2, 0.1, 0.5], "currency": "EUR",
         "cars": [ADA]}  # fmt: skip


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


async def test_a_place_tells_what_is_lacking_and_why(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        load = [9_000, 0, 0, 0]
        plan = await planned(client, cars=[ADA], site_limit_w=3_000, load_w=load, generation_w=[0, 1_000, 0, 0])
        assert plan["place"]["unserved_load_wh"] == pytest.approx(6_000.0)
        assert plan["shortfall_wh"] == pytest.approx(5_000.0)
        assert plan["cars"][0]["hindrances"] == [
            {"limit": "site", "begins_at_ms": START, "ends_at_ms": START + 4 * HOUR}
        ]


async def test_no_generation_at_all_leaves_a_car_to_the_quick_planner(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client, cars=[ADA | {"in_one_go": True}], generation_w=[0, 0])
        assert plan["planner"] == "car"


async def test_a_cars_part_of_a_plan_is_a_charging_profile(tmp_path: Path):
    async with a_bench(tmp_path) as client:
        plan = await planned(client)
        at = f"/plans/{plan['id']}/cars/ada/profile"
        profile = (await client.get(at)).json()
        assert (profile["chargingProfilePurpose"], "transactionId" in profile) == ("TxDefaultProfile", False)
        assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 0.0},
            {"startPeriod": 5_400, "limit": 10_000.0},
            {"startPeriod": 10_800, "limit": 0.0},
        ]
        in_a = (await client.get(at, params={"unit": "A", "phases": 1, "transaction_id": 7})).json()
        assert (in_a["chargingProfilePurpose"], in_a["transactionId"]) == ("TxProfile", 7)
        assert in_a["chargingSchedule"]["chargingSchedulePeriod"][1]["limit"] == 43.4
        assert (await client.get(at.replace("ada", "bob"))).status_code == 404


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prices_per_kwh": None}, "prices_per_kwh"),
        ({"source": "awattar:de"}, "prices_per_kwh"),
        ({"prices_per_kwh": []}, "prices_per_kwh"),
        ({"fees_per_kwh": 0.1}, "fees_per_kwh"),
        ({"slot_minutes": 7}, "slot_minutes"),
        ({"cars": [ADA | {"needed_wh": -1}]}, "cars[0].needed_wh"),
        ({"cars": [ADA | {"colour": "blue"}]}, "cars[0].colour"),
        ({"cars": [ADA | {"departs_at_ms": START - 1}]}, "cars.ada.departs_at"),
        ({"cars": [ADA, ADA]}, "cars"),
        ({"cars": [ADA | {"departs_at_ms": START + 9 * 24 * HOUR}]}, "cars"),
        ({"cars": [ADA | {"circuit": "cellar"}]}, "cars.ada.circuit"),
        ({"prices_per_kwh": None, "source": "file:/etc/passwd"}, "source"),
        ({"prices_per_kwh": None, "source": "awattar:de?url=http://localhost"}, "source"),
        ({"load_w": []}, "load_w"),
        ({"circuits_w": {"garage": [1e9, 2e9]}}, "circuits_w"),
        ({"circuits_w": {"garage": "much"}}, "circuits_w"),
        ({"circuits_w": {"garage": []}}, "circuits_w.garage"),
    ],
)
async def test_what_cannot_be_planned_is_refused_with_its_field(tmp_path: Path, more: dict[str, Any], field: str):
    async with a_bench(tmp_path) as client:
        assert await refused(client, **more) == (422, field)
