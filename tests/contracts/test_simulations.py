"""`/simulations`: cells are simulated as jobs, and told in columns."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import httpx
import pyarrow.ipc
import pyarrow.parquet
import pytest
from sqlalchemy import Connection, Engine, event

from tests.cell_service import DISCHARGE, a_cell_service, ended, simulated
from tests.unit.test_cell_documents import DOCUMENT
from tests.waiting import DEADLINE_S, eventually_async
from voltbench.apps.api.simulations import LAST_MS
from voltbench.apps.api.streams import Listening
from voltbench.apps.cells import asked
from voltbench.apps.cells.asked import MOST_NUMBERS
from voltbench.apps.cells.opening import CellChoices, cells_opened
from voltbench.apps.cells.service import MOST_READ_AT_ONCE
from voltbench.apps.worker import choices_of
from voltbench.battery.sweep import Batch

SWEEP = {
    "base": DISCHARGE,
    "sweep": {"kind": "grid", "over": {"load.current_a": [-5.0, -2.5], "ambient_degc": [10.0, 25.0]}},
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    async with a_cell_service(tmp_path_factory.mktemp("cells")) as client:
        yield client


async def test_a_simulation_is_accepted_followed_and_told(client: httpx.AsyncClient):
    asked = await client.post("/simulations", json=DISCHARGE)
    assert asked.status_code == 202
    assert asked.headers["location"] == asked.json()["links"]["self"]
    told = await ended(client, asked.json())
    assert (told["status"], told["progress"], told["error"]) == ("succeeded", 1.0, None)
    record = (await client.get(told["links"]["results"])).json()
    assert record["ending"]["reason"] == "time_over"
    assert record["columns"]["charge_ah"][-1] == pytest.approx(-2.5)
    assert record["made_with"]["model"] == "SPM"


async def test_the_same_input_is_answered_from_what_is_kept(client: httpx.AsyncClient):
    body = DISCHARGE | {"ambient_degc": 31.0}
    first, second = await simulated(client, body), await simulated(client, body)
    assert first["id"] != second["id"]
    texts = [(await client.get(told["links"]["results"])).text for told in (first, second)]
    assert texts[0] == texts[1]  # the time that it took to solve is in it


async def test_a_record_comes_in_every_form_and_as_few_columns_and_rows_as_are_wanted(client: httpx.AsyncClient):
    told = await simulated(client, DISCHARGE | {"outputs": ["temperature_degc"]})
    results = told["links"]["results"]
    whole = (await client.get(results)).json()["columns"]
    arrow = (await client.get(results, params={"format": "arrow", "columns": "time_s,temperature_degc"})).content
    assert pyarrow.ipc.open_stream(arrow).read_all().to_pydict() == {
        name: whole[name] for name in ("time_s", "temperature_degc")
    }
    parquet = (await client.get(results, params={"format": "parquet"})).content
    assert pyarrow.parquet.read_table(io.BytesIO(parquet)).column("voltage_v").to_pylist() == whole["voltage_v"]
    rows = (await client.get(results, params={"format": "csv", "points": 5})).text.splitlines()
    assert len(rows) <= 2 + 5
    unknown = await client.get(results, params={"columns": "time_s,colour"})
    assert (unknown.status_code, unknown.json()["found"]) == (422, "colour")


async def test_a_sweep_is_one_job_with_figures_for_each_point(client: httpx.AsyncClient):
    told = await simulated(client, SWEEP, "/simulations:batch")
    assert (told["status"], told["total"], told["done"]) == ("succeeded", 4, 4.0)
    table = (await client.get(f"{told['links']['self']}/points")).json()
    assert (table["total"], table["solved"], table["failed"]) == (4, 4, 0)
    assert [row["figures"]["discharged_ah"] for row in table["points"]] == pytest.approx([2.5, 2.5, 1.25, 1.25])
    third = (await client.get(f"{told['links']['self']}/points/2/results")).json()
    assert third["columns"]["current_a"][0] == pytest.approx(-2.5)
    assert (await client.get(f"{told['links']['self']}/points/4/results")).status_code == 404


async def test_a_point_that_cannot_be_solved_costs_the_others_nothing(client: httpx.AsyncClient):
    full_at_once = [{}, {"load.current_a": 5.0, "upper_voltage_v": 4.2}]
    sweep = {"kind": "list", "points": [{"ambient_degc": 14.0} | one for one in full_at_once]}
    told = await simulated(client, {"base": DISCHARGE, "sweep": sweep}, "/simulations:batch")
    assert told["status"] == "succeeded"
    rows = (await client.get(f"{told['links']['self']}/points")).json()["points"]
    assert rows[0]["figures"]["discharged_ah"] == pytest.approx(2.5)
    assert rows[1]["figures"] is None
    assert rows[1]["error"]["message"]
    failed = await client.get(f"{told['links']['self']}/points/1/results")
    assert (failed.status_code, failed.json()["failure"]) == (409, "invalid_input")


async def test_records_are_compared_with_the_first(client: httpx.AsyncClient):
    ids = [(await simulated(client, DISCHARGE | {"model": model}))["id"] for model in ("SPMe", "SPM")]
    compared = (await client.get("/simulations:compare", params={"id": ids})).json()["compared"]
    assert compared[0]["difference"]["rms_mv"] == 0.0
    assert 5.0 < compared[1]["difference"]["rms_mv"] < 100.0


async def test_a_key_makes_a_request_that_comes_twice_one_simulation(client: httpx.AsyncClient):
    key = {"Idempotency-Key": "monday-1"}
    first = (await client.post("/simulations", json=DISCHARGE, headers=key)).json()
    again = (await client.post("/simulations", json=DISCHARGE, headers=key)).json()
    other = await client.post("/simulations", json=DISCHARGE | {"ambient_degc": 5.0}, headers=key)
    assert again["id"] == first["id"]
    assert other.status_code == 409
    await ended(client, first)


async def test_a_simulation_is_cancelled_while_it_runs_and_the_next_one_is_solved(client: httpx.AsyncClient):
    cycles = {"step": "repeat", "times": 500, "steps": [
        {"step": "constant_current", "c_rate": -1.0, "until_voltage_v": 2.5},
        {"step": "constant_current", "c_rate": 0.5, "until_voltage_v": 4.2}]}  # fmt: skip
    long = {"model": "DFN", "load": {"kind": "protocol", "steps": [cycles]}}
    asked = (await client.post("/simulations", json=long)).json()

    async def is_running() -> bool | None:
        return (await client.get(asked["links"]["self"])).json()["status"] == "running" or None

    await eventually_async(is_running)
    cancelled = await client.delete(asked["links"]["self"])
    assert cancelled.json()["status"] == "cancelled"
    assert (await simulated(client, DISCHARGE | {"ambient_degc": 11.0}))["status"] == "succeeded"
    refused = await client.get(asked["links"]["results"])
    assert refused.status_code == 409


async def test_what_takes_longer_than_it_may_is_timed_out(client: httpx.AsyncClient):
    steps = [{"step": "constant_current", "c_rate": -1.0, "until_voltage_v": 2.5},
             {"step": "constant_current", "c_rate": 0.5, "until_voltage_v": 4.2}]  # fmt: skip
    cycles = {"kind": "protocol", "steps": [{"step": "repeat", "times": 500, "steps": steps}]}
    told = await simulated(client, {"model": "DFN", "load": cycles}, "/simulations?timeout_s=0.5")
    assert told["status"] == "timed_out"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"load": {"kind": "current", "current_a": 5.0, "duration_s": 60.0}}, "load.current_a"),
        ({"load": {"kind": "current", "current_a": -50.0, "duration_s": 60.0}}, "load.current_a"),
        (DISCHARGE | {"upper_voltage_v": 3.0}, "initial_soc"),
        (DISCHARGE | {"cell": "Chen2021"}, "cell"),
        (DISCHARGE | {"cell": "Sulzer2019"}, "model"),
        (DISCHARGE | {"colour": "blue"}, "colour"),
        (DISCHARGE | {"ambient_degc": 1e9}, "ambient_degc"),
        (DISCHARGE | {"outputs": ["colour"]}, "outputs[0]"),
        (DISCHARGE | {"load": {"kind": "drive_cycle", "name": "US07"}}, "load.name"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anybody_works(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
):
    answer = await client.post("/simulations", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    asked = await client.post("/simulations:validate", json=body)
    assert asked.json() == answer.json()


async def test_a_few_bytes_do_not_ask_for_more_numbers_than_are_kept(client: httpx.AsyncClient):
    week = {"load": {"kind": "protocol", "steps": [{"step": "rest", "until_s": 604_800.0}]}, "every_s": 6.1}
    spread = {"kind": "latin_hypercube", "count": 1_000, "over": {"initial_soc": {"least": 0.2, "most": 0.8}}}
    answer = await client.post("/simulations:batch", json={"base": week, "sweep": spread})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, "sweep"), problem
    assert problem["found"] == pytest.approx(1_000 * 604_800.0 / 6.1 * 4, rel=0.01)
    assert problem["allowed"].startswith(f"about {MOST_NUMBERS}")


async def test_few_sweeps_are_read_at_once_and_all_are_answered(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    points = [{"load.current_a": -5.0 + number * 1e-3} for number in range(2_000)] + [{"initial_soc": 2.0}]
    sweep = {"base": DISCHARGE, "sweep": {"kind": "list", "points": points}}
    read, reading, most = asked.batch_in, Counter[str](), 0
    together, lock = Barrier(MOST_READ_AT_ONCE), Lock()

    def read_and_count(body: bytes) -> Batch:
        nonlocal most
        with lock:
            reading["now"] += 1
            most = max(most, reading["now"])
        try:
            together.wait(DEADLINE_S)
            return read(body)
        finally:
            with lock:
                reading["now"] -= 1

    monkeypatch.setattr(asked, "batch_in", read_and_count)
    sweeps = (client.post("/simulations:batch", json=sweep) for _ in range(3 * MOST_READ_AT_ONCE))
    assert {answer.json()["field"] for answer in await asyncio.gather(*sweeps)} == {"initial_soc"}
    assert most == MOST_READ_AT_ONCE


@pytest.mark.parametrize("path", ["/simulations", "/simulations:batch", "/simulations:validate"])
async def test_no_body_may_say_a_key_twice(client: httpx.AsyncClient, path: str):
    answer = await client.post(path, content='{"model": "SPM", "model": "DFN"}')
    assert (answer.status_code, "'model'" in answer.json()["detail"]) == (400, True)


async def test_a_sweep_names_the_point_that_makes_no_sense(client: httpx.AsyncClient):
    sweep = {"base": DISCHARGE, "sweep": {"kind": "list", "points": [{"initial_soc": 1.0}, {"initial_soc": 2.0}]}}
    answer = await client.post("/simulations:batch", json=sweep)
    assert answer.status_code == 422
    problem = answer.json()
    assert "point 1" in problem["detail"]
    assert (problem["field"], problem["found"], problem["allowed"]) == ("initial_soc", 2.0, "a number, at most 1")


@pytest.mark.parametrize(
    ("load", "field", "allowed"),
    [
        ({"kind": "curent"}, "load.kind", "current, power, experiment, protocol, profile, drive_cycle"),
        ({"kind": "current", "current_a": -5.0, "c_rate": 1.0}, "load.c_rate", "current_a, duration_s"),
    ],
)
async def test_of_several_kinds_a_refusal_speaks_of_the_one_that_was_meant(
    client: httpx.AsyncClient, load: dict[str, Any], field: str, allowed: str
):
    problem = (await client.post("/simulations", json={"load": load})).json()
    assert (problem["field"], problem["allowed"]) == (field, allowed)


async def test_there_are_cells_models_and_drive_cycles(client: httpx.AsyncClient):
    cells = {cell["name"]: cell for cell in (await client.get("/cells")).json()["cells"]}
    assert cells["Chen2020"]["models"] == ["SPM", "SPMe", "DFN"]
    assert cells["Sulzer2019"]["models"] == []
    models = (await client.get("/models")).json()["models"]
    assert {"Chen2020", "OKane2022"} < set(next(one for one in models if one["name"] == "DFN")["cells"])
    us06 = (await client.get("/drive-cycles/US06")).json()
    assert len(us06["time_s"]) == 601
    assert min(us06["current_a"]) == pytest.approx(-8.1)  # positive is charging
    assert (await client.get("/drive-cycles/US07")).status_code == 404


async def test_simulations_are_listed_newest_first(client: httpx.AsyncClient):
    told = await simulated(client, DISCHARGE | {"ambient_degc": 12.0})
    listed = (await client.get("/simulations", params={"limit": 1})).json()
    assert [one["id"] for one in listed["simulations"]] == [told["id"]]
    assert (await client.get("/simulations/nobody")).status_code == 404


@pytest.mark.parametrize("before_ms", [10**15, -(10**15), -1])
async def test_there_is_no_time_before_all_times_nor_after_them(client: httpx.AsyncClient, before_ms: int):
    answer = await client.get("/simulations", params={"before_ms": before_ms})
    assert answer.status_code == 422
    assert (await client.get("/simulations", params={"before_ms": LAST_MS})).status_code == 200


@pytest.mark.parametrize(
    ("path", "asked", "field", "allowed"),
    [
        ("/simulations", {"status": "asleep"}, "status", "'queued', 'running'"),
        ("/simulations/nobody/results", {"format": "xls"}, "format", "'json'"),
        ("/simulations:compare", {"id": ["a b", "c"]}, "id[0]", "ID, or ID/NUMBER"),
        ("/simulations:compare", {"id": ["a"]}, "id", "2 or more"),
    ],
)
async def test_what_is_wrong_with_a_question_is_told_in_words(
    client: httpx.AsyncClient, path: str, asked: dict[str, Any], field: str, allowed: str
):
    answer = await client.get(path, params=asked)
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, field), problem
    assert problem["allowed"].startswith(allowed)
    assert "pattern" not in problem["detail"]


async def test_what_is_no_address_is_told_in_words(client: httpx.AsyncClient):
    answer = await client.post("/simulations", json=DISCHARGE, params={"notify": "ftp://here"})
    problem = answer.json()
    assert (answer.status_code, problem["field"], problem["found"]) == (422, "notify", "ftp://here")
    assert problem["detail"].startswith("notify: is no address")


async def test_what_is_validated_is_the_cell_that_is_described(client: httpx.AsyncClient):
    load = {"kind": "current", "current_a": -4.8, "duration_s": 60.0}
    answer = await client.post("/simulations:validate", json={"model": "SPM", "bpx": DOCUMENT, "load": load})
    assert answer.json()["cell"] == "A cell of the tests"


async def test_whoever_is_slow_hears_the_last_that_was_told():
    told: asyncio.Queue[int] = asyncio.Queue()

    async def source() -> AsyncIterator[int]:
        while (number := await told.get()) >= 0:
            yield number
            told.task_done()

    listening = Listening(source())
    for number in (1, 2, 3):
        told.put_nowait(number)
    await told.join()
    assert await anext(listening) == 3
    for number in (4, -1):
        told.put_nowait(number)
    assert [number async for number in listening] == [4]


def test_a_worker_leaves_it_to_others_to_forget():
    assert choices_of("postgresql://host/name", 1, None).retention_days is None


async def test_as_many_single_simulations_are_under_way_as_there_are_processes_and_more(tmp_path: Path):
    assert CellChoices(tmp_path, processes=64).at_once == {"simulation": 66, "sweep": 4}


async def test_what_is_kept_of_cells_lies_beside_the_file_of_the_store(tmp_path: Path):
    store = f"sqlite:///{tmp_path / 'kept' / 'mine.db'}"
    async with cells_opened(CellChoices(tmp_path / "data", store, processes=0)):
        assert {file.name for file in (tmp_path / "kept").glob("*.db")} == {"mine-cells.db", "mine-jobs.db"}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("full_sync", "waits_for_the_disk"), [(False, 1), (True, 2)])
async def test_full_sync_reaches_the_jobs_and_the_results_of_cells(
    tmp_path: Path, full_sync: bool, waits_for_the_disk: int
):
    found: dict[str, int] = {}

    def note(connection: Connection, *_: Any) -> None:
        if connection.dialect.name != "sqlite":
            return
        cursor = connection.connection.cursor()
        (_, _, file), *_ = cursor.execute("PRAGMA database_list")
        ((how,),) = cursor.execute("PRAGMA synchronous")
        if Path(file).parent == tmp_path:  # others of this process are none of its business
            found[Path(file).name] = how

    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with cells_opened(CellChoices(tmp_path, processes=0, full_sync=full_sync)) as cells:
            assert await cells.results.result("none") is None
            assert await cells.jobs.jobs() == []
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert found == dict.fromkeys(("cells.db", "jobs.db"), waits_for_the_disk)


async def test_without_what_cells_need_the_api_says_so(tmp_path: Path):
    from tests.apis import a_bench  # noqa: PLC0415  # the only story without cells

    async with a_bench(tmp_path) as bare:
        answer = await bare.get("/simulations")
        assert answer.status_code == 503
        assert "voltbench[cells]" in answer.json()["detail"]
