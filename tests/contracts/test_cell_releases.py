"""What was asked of one release is told by the next: results belong to their job, whoever has solved them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.cell_face import Service, cell_service
from tests.cell_service import DISCHARGE, ended
from voltbench.adapters.cell_results import Result
from voltbench.apps.cells import asked
from voltbench.apps.cells.asked import SIMULATION, SWEEP
from voltbench.apps.cells.facing import FaceChoices
from voltbench.apps.cells.told import told
from voltbench.jobs import Jobs

OLDER = msgspec.json.encode({"pybamm": "26.1.0", "pybammsolvers": "0.1", "bpx": "1.0", "voltbench": "0.0.1"}).decode()
SWEPT = {"base": DISCHARGE, "sweep": {"kind": "grid", "over": {"ambient_degc": [10.0, 20.0, 30.0]}}}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with cell_service(tmp_path_factory.mktemp("releases"), FaceChoices()) as service:
        yield service


async def asked_of(release: str, jobs: Jobs, kind: str, request: bytes) -> dict[str, object]:
    job = await jobs.submit(kind, request, total=asked.count(kind, request), stamp=release)
    return msgspec.to_builtins(told(job))  # type: ignore[no-any-return]


@pytest.mark.parametrize("release", [OLDER, ""])
async def test_a_simulation_that_another_release_was_asked_for_is_told(service: Service, release: str):
    request = msgspec.json.encode(DISCHARGE | {"ambient_degc": 21.0})
    last = await ended(service.client, await asked_of(release, service.cells.jobs, SIMULATION, request))
    assert last["status"] == "succeeded"
    record = await service.client.get(last["links"]["results"])
    assert record.status_code == 200
    assert record.json()["columns"]["charge_ah"][-1] == pytest.approx(-2.5)


async def test_the_rest_of_a_sweep_is_solved_by_another_release_and_its_beginning_stays(service: Service):
    request = asked.request_of(asked.batch_in(msgspec.json.encode(SWEPT)))
    results, hashes = service.cells.results, asked.hashes(SWEEP, request, OLDER)
    await results.keep([Result(hashes[0], True, b"of the older release", b"{}")], now=1)
    last = await ended(service.client, await asked_of(OLDER, service.cells.jobs, SWEEP, request))
    kept = await results.figures(hashes)
    assert (last["status"], last["done"], len(kept), kept[hashes[0]]) == ("succeeded", 3.0, 3, b"{}")


async def test_the_same_input_is_solved_anew_by_another_release(service: Service):
    request = msgspec.json.encode(DISCHARGE | {"ambient_degc": 22.0})
    jobs = service.cells.jobs
    times = []
    for release in (OLDER, OLDER, ""):
        last = await ended(service.client, await asked_of(release, jobs, SIMULATION, request))
        record = (await service.client.get(last["links"]["results"])).json()
        times.append(record["made_with"]["solve_s"])
    assert times[0] == times[1] != times[2]


async def test_a_record_says_what_has_made_it_also_under_the_stamp_of_another_release(service: Service):
    request = msgspec.json.encode(DISCHARGE | {"ambient_degc": 23.0})
    last = await ended(service.client, await asked_of(OLDER, service.cells.jobs, SIMULATION, request))
    made_with = (await service.client.get(last["links"]["results"])).json()["made_with"]
    assert made_with["version"] != "26.1.0"
    assert made_with["input_hash"] == asked.hash_of(SIMULATION, request, 0, "")
