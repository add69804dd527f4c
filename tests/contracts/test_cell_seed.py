"""The seed's four services: what was posted to them, and what they answered."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pybamm
import pytest
from sqlalchemy import event

from tests.cell_face import Listener, Service, cell_service, listener
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.jobs_dbos.client import DbosJobs
from voltbench.adapters.rabbitmq import Brought
from voltbench.apps.api.trust import trust_for
from voltbench.apps.cells.facing import FaceChoices
from voltbench.apps.cells.messages import Messages, new_message_id
from voltbench.apps.cells.seed_models import MOST_NUMBER
from voltbench.apps.seed_ports import PORTS, seed_app, seed_ports_listening
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput

README: dict[str, Any] = {
    "simulationType": "cell",
    "time": 1.0,
    "upperVoltage": 4.2,
    "lowerVoltage": 2.5,
    "nominalCell": 8.0,
    "controlCurrent": 4.0,
}


@pytest.fixture(scope="module")
async def job_manager() -> AsyncIterator[Listener]:
    async with listener() as heard:
        yield heard


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, job_manager: Listener) -> AsyncIterator[Service]:
    choices = FaceChoices(callback=f"http://127.0.0.1:{job_manager.port}/")
    async with cell_service(tmp_path_factory.mktemp("seed"), choices) as running:
        yield running


async def simulated(service: Service, path: str, asked: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await service.client.post(path, json=asked)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def published(service: Service, asked: dict[str, Any]) -> int:
    answer = await service.client.post("/queue/publish", json=asked)
    words, _, number = answer.text.rpartition(" ")
    assert answer.status_code == 200, answer.text
    assert words == "Simulation Data sent to Rabbit MQ. \nYour simulation ID is:"
    return int(number)


async def called_back(job_manager: Listener, id: int | str) -> dict[str, Any]:
    posted = await job_manager.until(lambda them: any(json.loads(one.body)["id"] == id for one in them))
    found = next(one for one in posted if json.loads(one.body)["id"] == id)
    return {"path": found.path, **json.loads(found.body)}


def by_pybamm(current_a: float) -> Any:
    """The seed's own way, with the solver that PyBaMM has today."""
    values = pybamm.ParameterValues("Chen2020")
    values["Current function [A]"] = current_a
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN(), parameter_values=values, solver=pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-6)
    )
    return simulation.solve([0, 3600], t_interp=np.linspace(0, 3600, 100))


async def test_the_readme_example_is_answered_as_pybamm_answers_it(service: Service):
    told = await simulated(service, "/cell/simulate", README)
    assert list(told) == ["jobStarted", "simulationType", "simulationResults", "warning"]
    rows = told["simulationResults"]
    assert (told["jobStarted"], told["simulationType"], len(rows)) == (True, "cell", 100)
    assert list(rows[0]) == ["time", "voltage", "current", "dcap"]
    assert rows[-1]["voltage"] == pytest.approx(3.308, abs=5e-4)
    assert rows[-1]["dcap"] == pytest.approx(4.0)
    assert "nominalCell (8 Ah) changes nothing" in told["warning"]
    direct = by_pybamm(4.0)
    assert [row["time"] for row in rows] == pytest.approx(list(direct["Time [s]"].entries))
    assert [row["voltage"] for row in rows] == pytest.approx(list(direct["Voltage [V]"].entries), abs=5e-4)
    assert {row["current"] for row in rows} == {4.0}


async def test_without_figures_the_defaults_hold_and_the_cell_is_empty_before_the_hour(service: Service):
    told = await simulated(service, "/cell/simulate", {})
    last = told["simulationResults"][-1]
    assert "warning" not in told
    assert len(told["simulationResults"]) == 99
    assert (last["current"], last["voltage"]) == (5.0, pytest.approx(2.5, abs=1e-3))
    assert last["dcap"] == pytest.approx(4.938, abs=2e-3)
    assert last["time"] == pytest.approx(3555.5, abs=0.3)


async def test_the_drive_cycle_stops_at_the_cut_off_and_says_so(service: Service):
    told = await simulated(service, "/drivecycle/simulate", {"time": 0.0, "controlCurrent": -4e4})  # neither counts
    rows = told["simulationResults"]
    assert told["simulationType"] == "driveCycle"
    assert "stopped at 25.4 s, at the upper cut-off" in told["warning"]
    assert rows[-1]["time"] == pytest.approx(25.4, abs=0.1)
    assert max(row["voltage"] for row in rows) <= 4.2011
    with_room = await simulated(service, "/drivecycle/simulate", {"upperVoltage": 4.4})
    assert len(with_room["simulationResults"]) == 601
    assert with_room["simulationResults"][-1]["voltage"] == pytest.approx(4.12355, abs=1e-3)
    assert "warning" not in with_room


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"controlCurrent": 50}, "controlCurrent: is 10.00C"),
        ({"upperVoltage": 3.0}, "upperVoltage: "),
        ({"upperVoltage": 4.1}, "upperVoltage: the full cell is 4.181 V"),
        ({"lowerVoltage": 4.3, "upperVoltage": 4.2}, "lowerVoltage: "),
        ({"time": 0}, "time: "),
        ({"time": "abc"}, "time: is not allowed, found 'abc', allowed: a number"),
        ({"controlCurent": 4}, "controlCurent: is unknown, allowed: controlCurrent"),
        ({"simulationType": "driveCycle"}, "simulationType: is asked for elsewhere"),
        ({"id": 1.5}, "id: "),
        ({"id": MOST_NUMBER + 1}, "id: is not allowed, found 4294967296"),
        ({"controlCurrent": -5}, "controlCurrent: meets a limit as it begins"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_seeds_keys(service: Service, wrong: dict[str, Any], named: str):
    told = await simulated(service, "/cell/simulate", wrong, 422)
    assert list(told) == ["jobStarted", "simulationType", "simulationResults", "error"]
    assert (told["jobStarted"], told["simulationType"], told["simulationResults"]) == (False, "cell", None)
    assert told["error"].startswith(named)


async def test_a_body_that_is_no_json_is_an_error(service: Service):
    answer = await service.client.post("/cell/simulate", content=b"{time: 1}")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    answer = await service.client.post("/queue/publish", json=[1])
    assert (answer.status_code, answer.json()["simulationType"]) == (422, None)


async def test_a_published_simulation_is_found_by_its_number_and_called_back(service: Service, job_manager: Listener):
    number = await published(service, README)
    told = await called_back(job_manager, number)
    assert (told["path"], list(told["result"][0])) == ("/simulateCell", ["time", "voltage", "current", "dcap"])
    answer = await service.client.get(f"/getSimulation/{number}")
    stored = answer.json()
    assert list(stored) == ["id", "simulationType", "simulationResults", "jobStarted"]
    assert (stored["id"], stored["simulationType"], stored["jobStarted"]) == (number, "cell", "true")
    assert list(stored["simulationResults"][0]) == ["simResultsId", "current", "dcap", "time", "voltage"]
    assert len({row["simResultsId"] for row in stored["simulationResults"]}) == 100
    latest = await service.client.get("/getSimulation")
    assert latest.headers["content-type"].startswith("text/plain")
    assert json.loads(latest.text)["simulationResults"] == told["result"]


async def test_ids_stay_with_what_they_were_given_to_when_others_fail_or_are_faster(
    service: Service, job_manager: Listener
):
    asked = [{**README, "controlCurrent": 3.0 + 0.1 * i} for i in range(6)]
    asked[2]["controlCurrent"] = -5.0
    numbers = await asyncio.gather(*[published(service, one) for one in asked])
    assert len(set(numbers)) == 6
    for number, one in zip(numbers, asked, strict=True):
        told = await called_back(job_manager, number)
        stored = (await service.client.get(f"/getSimulation/{number}")).json()
        if one["controlCurrent"] < 0:
            assert (told["result"], stored["jobStarted"], stored["simulationResults"]) == (None, "false", [])
            assert "meets a limit" in told["error"]
            assert told["error"] == stored["error"]
        else:
            assert told["result"][0]["current"] == pytest.approx(one["controlCurrent"])
            assert stored["simulationResults"][0]["current"] == pytest.approx(one["controlCurrent"])


async def test_an_id_of_ones_own_is_kept_and_called_back(service: Service, job_manager: Listener):
    await simulated(service, "/cell/simulate", {**README, "id": 4_711})
    await simulated(service, "/drivecycle/simulate", {"id": "lorry"})
    assert (await called_back(job_manager, 4_711))["path"] == "/simulateCell"
    assert (await called_back(job_manager, "lorry"))["path"] == "/simulateDriveCycle"
    assert (await service.client.get("/getSimulation/4711")).json()["id"] == 4_711
    assert await published(service, README) < 4_711


@pytest.mark.parametrize("id", [0, MOST_NUMBER])
async def test_every_number_that_is_accepted_as_an_id_can_be_asked_for(service: Service, id: int):
    await simulated(service, "/cell/simulate", {**README, "id": id})
    assert (await service.client.get(f"/getSimulation/{id}")).json()["id"] == id


async def test_what_is_published_has_the_number_that_it_is_given_and_no_id_of_its_own(
    service: Service, job_manager: Listener
):
    number = await published(service, {**README, "time": 0.2, "id": 815})
    assert (await called_back(job_manager, number))["id"] == number != 815
    assert (await service.client.get("/getSimulation/815")).status_code == 404


async def test_a_long_body_is_read_beside_the_loop_that_everybody_waits_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    loads, read_by = json.loads, list[threading.Thread]()

    def noting(text: Any, **more: Any) -> Any:
        if len(text) > 100_000:
            read_by.append(threading.current_thread())
        return loads(text, **more)

    monkeypatch.setattr(json, "loads", noting)
    body = json.dumps({"simulationResults": [{"time": 0.0}] * 10_000}).encode()
    for route in ("/queue/publish", "/cell/simulate", "/drivecycle/simulate", "/createSimulation"):
        assert (await service.client.post(route, content=body)).status_code == 422
    messages = Messages(
        service.face.seed, CellNumbers(service.cells.results.database), service.face.hooks, wall_instant, new_message_id
    )
    with pytest.raises(InvalidInput):
        await messages.take(Brought(body, None, False))
    assert len(read_by) >= 5
    assert threading.current_thread() not in read_by


async def test_many_at_once_are_each_answered_with_their_own(service: Service):
    asked = [{**README, "time": 0.1, "controlCurrent": 1.0 + 0.05 * i} for i in range(40)]
    told = await asyncio.gather(*[simulated(service, "/cell/simulate", one) for one in asked])
    for one, answer in zip(asked, told, strict=True):
        assert answer["simulationResults"][-1]["dcap"] == pytest.approx(0.1 * one["controlCurrent"])


async def test_an_answer_of_the_simulator_is_kept_under_the_next_number(service: Service):
    before = await published(service, README)
    reply = (await service.client.post("/cell/simulate", json={"time": 0.1})).text
    created = await service.client.post("/createSimulation", content=reply, headers={"Content-Type": "text/plain"})
    failed = {"jobStarted": False, "simulationType": "cell", "simulationResults": None}
    assert (created.status_code, created.text) == (200, "Simulation created successfully")
    assert (await service.client.post("/createSimulation", json=failed)).status_code == 200
    stored = (await service.client.get(f"/getSimulation/{before + 1}")).json()
    assert [row["voltage"] for row in stored["simulationResults"]] == [
        row["voltage"] for row in json.loads(reply)["simulationResults"]
    ]
    assert (await service.client.get(f"/getSimulation/{before + 2}")).json()["jobStarted"] == "false"
    wrong = await service.client.post("/createSimulation", content="Voltages must be positive")
    assert wrong.status_code == 422
    assert wrong.text.startswith("Error while parsing Simulation Results: ")


async def test_what_is_not_there_is_404_and_what_is_no_number_422(service: Service):
    assert (await service.client.get("/getSimulation/99999")).status_code == 404
    assert (await service.client.get("/getSimulation/abc")).status_code == 422


async def test_the_latest_result_is_looked_for_with_a_question_for_hundreds(tmp_path: Path):
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    async with cell_service(tmp_path, FaceChoices(), processes=0) as service:
        for number in range(250):
            assert await CellNumbers(service.cells.results.database).give(number, f"forgotten-{number}", now=1)
        assert isinstance(service.cells.jobs, DbosJobs)
        event.listen(service.cells.jobs._engine, "before_cursor_execute", note)  # other services have other engines
        assert await service.face.seed.latest() is None
    assert sum("workflow_status" in one for one in asked) == 2  # for 250 numbers; where nobody solves, nobody else asks


async def test_a_text_is_taken(service: Service):
    answer = await service.client.get("/string/publish", params={"message": "hello"})
    assert (answer.status_code, answer.text) == (200, "Message sent to RabbitMQ ...")


async def test_each_port_has_the_routes_of_its_service(service: Service):
    routes = {
        8081: {"/queue/publish", "/string/publish"},
        8082: {"/createSimulation", "/getSimulation/{id}"},
        8083: {"/getSimulation"},
        8084: {"/cell/simulate", "/drivecycle/simulate"},
    }
    trust = trust_for("127.0.0.1", None)
    assert {port: set(seed_app(port, service.face, trust).openapi()["paths"]) for port in PORTS} == routes


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setitem(PORTS, port, PORTS[8081])
        for usual in (8081, 8082, 8083, 8084):
            monkeypatch.delitem(PORTS, usual)
        with pytest.raises(InvalidInput, match="seed-ports") as refused, seed_ports_listening("127.0.0.1", True):
            pass
        assert refused.value.found == port
