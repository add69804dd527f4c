"""Jobs being done in a process that is to be killed, or to be frozen.

Apart from its test, so that the process need not import pytest. What comes of a part is a file, by the part's name:
so it is there once, whoever did it and however often.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from tests.waiting import eventually
from voltbench.adapters.jobs_dbos import open_jobs
from voltbench.jobs import JobId, Run, Stopped

LEASE_S = 3.0
A_WHILE_S = 0.03
CONFIRMED = "confirmed"

WORK, GATED, DEADLY = "work", "gated", "deadly"


def parts_of(request: bytes) -> int:
    """Every fifth number is done in two parts."""
    return 2 if int(request) % 5 == 0 else 1


class Working:
    """Its parts take a while each. Every line of the log says what was done to which part."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._log = os.open(kept.with_suffix(".log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def parts(self, request: bytes) -> Sequence[range]:
        return [range(index, index + 1) for index in range(parts_of(request))]

    def do(self, job_id: JobId, request: bytes, part: range, run: Run) -> None:
        name = f"{job_id}.{part.start}"
        self.say("begun", name)
        try:
            self.take_its_time(part)
            run.check()
        except Stopped:
            self.say("stopped", name)
            raise
        self.say("kept", name)
        beside = self._kept / f".{name}.{os.getpid()}"
        beside.write_bytes(request)
        beside.rename(self._kept / name)

    def say(self, what: str, name: str) -> None:
        os.write(self._log, f"{what} {name} {os.getpid()}\n".encode())

    def take_its_time(self, part: range) -> None:
        Event().wait(A_WHILE_S)


class Gated(Working):
    """Its second part waits until a gate is open."""

    def take_its_time(self, part: range) -> None:
        if part.start == 1:
            gate = self._kept / "gate"
            eventually(lambda: gate.exists() or None)


class Deadly(Working):
    """Its second part kills the process, as long as there is no cure."""

    def take_its_time(self, part: range) -> None:
        if part.start == 1 and not (self._kept / "cure").exists():
            os.kill(os.getpid(), signal.SIGKILL)


def works(kept: Path) -> dict[str, Working]:
    return {WORK: Working(kept), GATED: Gated(kept), DEADLY: Deadly(kept)}


async def work(url: str, kept: Path) -> None:
    async with open_jobs(url, works(kept), lease_s=LEASE_S, poll_s=0.05):
        print("at work", flush=True)
        await asyncio.Event().wait()


async def serve(url: str, kept: Path, jobs: int) -> None:
    """Ask for jobs, confirming each, and do them at the same time."""
    async with open_jobs(url, works(kept), lease_s=LEASE_S, poll_s=0.05) as asking:
        for number in range(jobs):
            job = await asking.submit(WORK, b"%d" % number, idempotency_key=str(number))
            print(CONFIRMED, job.id, flush=True)
        await asyncio.Event().wait()


def run_worker(url: str, kept: Path) -> None:
    """What a worker process does."""
    asyncio.run(work(url, kept))


def run_server(url: str, kept: Path, jobs: int) -> None:
    """What the process of a server does that does its jobs itself."""
    asyncio.run(serve(url, kept, jobs))
