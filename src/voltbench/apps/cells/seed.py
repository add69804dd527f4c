"""The seed's four services as one face of ours: what they were asked is a job, and what they told is made of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import UNSET

from voltbench.adapters.aside import aside
from voltbench.adapters.cell_hooks import Hook
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.rabbitmq import Broker
from voltbench.adapters.webhooks import post
from voltbench.apps.cells import seed_models as contract
from voltbench.apps.cells.hooks import Hooks
from voltbench.apps.cells.seed_models import (
    CELL,
    DRIVE_CYCLE,
    Kind,
    SeedAnswer,
    SeedAsked,
    SeedCallback,
    SeedResult,
    SeedStored,
)
from voltbench.apps.cells.service import Cells, Terms
from voltbench.apps.cells.told import SimulationTold, told
from voltbench.battery.simulation import DriveCycleLoad, Simulation
from voltbench.errors import Failed, InvalidInput, NotFound, Unavailable
from voltbench.jobs import JobError, JobId, JobStatus
from voltbench.quantities import Instant

_log = logging.getLogger(__name__)

CALLBACK, BROKER = "seed", "broker"
"""The forms of telling: a POST to the seed's job manager, a message to its broker."""

_PATHS = {CELL: "/simulateCell", DRIVE_CYCLE: "/simulateDriveCycle"}

LOOKED_AT, MOST_LOOKED_AT = 200, 2_000
"""Numbers, newest first, among which the latest result is looked for."""


class Answers:
    """What jobs came to, as the seed would have answered."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    async def of(self, job: SimulationTold, asked: SeedAsked | None = None) -> SeedAnswer:
        """The answer of a job that has ended, which was `asked` for so. Raises NotFound if it is no longer kept."""
        kind = await self._kind(job.id) if asked is None else asked.kind
        if job.status is not JobStatus.SUCCEEDED:
            error = job.error or JobError(kind=job.status, message=f"the simulation was {job.status}")
            return _no_answer(kind, contract.failure(error))
        try:
            record = await self._cells.record(job.id)
        except Failed as error:
            return _no_answer(kind, str(error))
        warning = contract.warning_of(asked, kind, record)
        rows = contract.rows_of(record)
        return SeedAnswer(job_started=True, simulation_type=kind, simulation_results=rows, warning=warning)

    async def _kind(self, job_id: str) -> Kind:
        request = await self._cells.jobs.request(JobId(job_id))
        load = msgspec.json.decode(request, type=Simulation).load
        return DRIVE_CYCLE if isinstance(load, DriveCycleLoad) else CELL


class CallbackForm:
    """As the Flask service called the job manager, with the right id."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def tell(self, hook: Hook, job: SimulationTold, now: Instant) -> None:
        """Post it."""
        asked = msgspec.json.decode(hook.said, type=SeedAsked)
        answer = await self._answers.of(job, asked)
        said = SeedCallback(id=asked.id, result=answer.simulation_results, error=answer.error)
        await post(hook.url, msgspec.json.encode(said))


class BrokerForm:
    """As a message of the broker."""

    def __init__(self, answers: Answers, broker: Broker) -> None:
        self._answers = answers
        self._broker = broker

    async def tell(self, hook: Hook, job: SimulationTold, now: Instant) -> None:
        """Publish it."""
        asked = msgspec.json.decode(hook.said, type=SeedAsked)
        answer = await self._answers.of(job, asked)
        result = SeedResult(id=asked.id, **msgspec.structs.asdict(answer))
        await self._broker.publish_result(hook.id, msgspec.json.encode(result))


class Seed:
    """The seed's services. `callback` is where its job manager listens, if it does."""

    def __init__(
        self,
        cells: Cells,
        numbers: CellNumbers,
        answers: Answers,
        hooks: Hooks,
        callback: str | None,
        now: Callable[[], Instant],
    ) -> None:
        self._cells = cells
        self._numbers = numbers
        self._answers = answers
        self._hooks = hooks
        self._callback = callback
        self._now = now

    async def publish(self, asked: SeedAsked) -> int:
        """Ask for a simulation; the number that it is found by. Raises InvalidInput in the seed's words.

        As ever, that number replaces an id in the request.
        """
        job = await self.submit(asked)
        number = await self._numbers.number_for(job.id, self._now())
        await self.call_back(job, msgspec.structs.replace(asked, id=number))
        return number

    async def simulate(self, asked: SeedAsked) -> tuple[SimulationTold, SeedAnswer]:
        """Ask for a simulation and wait for it. Raises InvalidInput in the seed's words."""
        job = await self.submit(asked)
        if asked.number is not None:
            await self.give(asked.number, job)
        if asked.id is not None:
            await self.call_back(job, asked)
        async for latest in self._cells.follow(job.id):
            job = latest
        if not job.status.is_ended:
            raise Unavailable(f"voltbench stops; simulation {job.id} goes on when it is started again")
        return job, await self._answers.of(job, asked)

    async def submit(self, asked: SeedAsked, key: str | None = None) -> SimulationTold:
        """Ask for a simulation."""
        request = msgspec.json.encode(contract.simulation_of(asked))
        try:
            return await self._cells.simulate(request, Terms(idempotency_key=key))
        except InvalidInput as error:
            raise contract.refused(error) from error

    async def give(self, number: int, job: SimulationTold) -> None:
        """Let a job be found by the number that it was asked for with."""
        if not await self._numbers.give(number, job.id, self._now()):
            _log.warning("number %d is that of another simulation: %s is not found by it", number, job.id)

    async def call_back(self, job: SimulationTold, asked: SeedAsked) -> None:
        """Have the job manager called when it has ended."""
        if self._callback is not None:
            url = self._callback.rstrip("/") + _PATHS[asked.kind]
            await self._hooks.ask(job.id, CALLBACK, url, msgspec.json.encode(asked))

    # --- what there is --------------------------------------------------------------------------------------------

    async def bring(self, body: bytes) -> int:
        """Keep an answer from elsewhere; its number. Raises InvalidInput."""
        answer = await aside(lambda: msgspec.json.encode(contract.brought_in(body)))
        return await self._numbers.keep_answer(answer, self._now())

    async def stored(self, number: int) -> SeedStored:
        """A simulation that has ended. Raises NotFound."""
        found = await self._numbers.numbered(number)
        if found is None:
            raise NotFound("simulation", str(number))
        if found.answer is not None:
            brought = msgspec.json.decode(found.answer, type=contract.SeedBrought)
            return SeedStored(
                id=number,
                simulation_type=brought.simulation_type,
                simulation_results=contract.stored_rows(number, brought.simulation_results or []),
                job_started="true" if brought.job_started else "false",
            )
        assert found.job_id is not None
        job = await self._cells.simulation(found.job_id)
        if not job.status.is_ended:
            raise NotFound("result of simulation", f"{number}; it is {job.status}")
        answer = await self._answers.of(job)
        return SeedStored(
            id=number,
            simulation_type=answer.simulation_type,
            simulation_results=contract.stored_rows(number, answer.simulation_results or []),
            job_started="true" if answer.job_started else "false",
            error=answer.error,
        )

    async def latest(self) -> SeedAnswer | None:
        """The result that came last, of those asked for last."""
        for skipped in range(0, MOST_LOOKED_AT, LOOKED_AT):
            page = await self._numbers.last(LOOKED_AT, skipped)
            jobs = await self._cells.jobs.those([JobId(one.job_id) for one in page if one.job_id is not None])
            there = [job for job in jobs if job.status is JobStatus.SUCCEEDED]
            if there:
                with suppress(NotFound):  # it was kept for long enough
                    return await self._answers.of(told(max(there, key=lambda job: job.ended_at or 0)))
            if len(page) < LOOKED_AT:
                return None
        return None


def _no_answer(kind: Kind, error: str) -> SeedAnswer:
    return SeedAnswer(job_started=False, simulation_type=kind, simulation_results=None, warning=UNSET, error=error)
