"""Whoever wants to know of a simulation's end is told: signed, at least once, and nobody but those allowed."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

import pytest

from tests.cell_face import Listener, Service, cell_service, listener
from tests.waiting import DEADLINE_S
from voltbench.adapters.cell_hooks import FARTHEST_MS, CellHooks, Hook
from voltbench.adapters.cell_results import CellResults
from voltbench.adapters.webhooks import AllowedHost, Webhooks, key_of, post, signature
from voltbench.apps.cells.facing import FaceChoices
from voltbench.apps.cells.hooks import MOST_AT_ONCE, MOST_LOOKED_AT, RETRY_S, TAKEN_S, Hooks
from voltbench.apps.cells.meanwhile import meanwhile
from voltbench.apps.cells.told import SimulationTold
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.jobs import Job, JobId, JobStatus
from voltbench.quantities import Instant

Found = TypeVar("Found")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ASKED: dict[str, Any] = {"model": "SPM", "load": {"kind": "current", "current_a": -5.0, "duration_s": 60.0}}


# --- who may be told, and the signature -------------------------------------------------------------------------------


def test_the_signature_is_that_of_standard_webhooks():
    signed = signature(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_any_text_or_base64():
    assert key_of("open sesame") == b"open sesame"
    with pytest.raises(InvalidInput, match="is not base64"):
        key_of("whsec_?")


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/x",
        "https://hooks.example.org:8443/x",
        "http://hooks.example.org/x",
        "https://hooks.example.org@elsewhere.example/",
        "https://elsewhere.example/#hooks.example.org",
        "ftp://hooks.example.org/x",
        "https://hooks.example.org.elsewhere.example/",
        "//hooks.example.org/x",
        "https://[::1",
        "https://hooks.example.org/a b",
    ],
)
def test_only_hosts_that_were_allowed_are_told(url: str):
    webhooks = Webhooks([AllowedHost.named("hooks.example.org:443"), AllowedHost.named("127.0.0.1:9000")], SECRET)
    webhooks.check("https://Hooks.Example.org/x?y=1")
    webhooks.check("http://127.0.0.1:9000/")
    with pytest.raises(InvalidInput) as refused:
        webhooks.check(url)
    assert refused.value.field == "notify"


@pytest.mark.parametrize("host", ["", "a b", "https://a", "a/b", "*.example.org", "me@a", "a:b"])
def test_a_host_is_written_as_host_and_port(host: str):
    with pytest.raises(InvalidInput, match="webhook-host"):
        AllowedHost.named(host)


def test_hosts_need_a_secret():
    with pytest.raises(InvalidInput, match="VOLTBENCH_WEBHOOK_SECRET"):
        FaceChoices(webhook_hosts=(AllowedHost("a"),))


async def test_a_public_name_does_not_lead_into_a_private_network():
    async def rebound(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with listener() as heard:
        public = AllowedHost("hooks.example.org", heard.port)
        url = f"http://hooks.example.org:{heard.port}/x"
        with pytest.raises(InvalidInput, match="private address"):
            await Webhooks([public], SECRET, rebound).send("msg", url, b"{}", 0)
        assert heard.posted == []
        await Webhooks([public, AllowedHost("127.0.0.1")], SECRET, rebound).send("msg", url, b"{}", 0)
        (posted,) = await heard.until(bool)
        assert posted.headers["host"] == f"hooks.example.org:{heard.port}"
        own = AllowedHost("localhost", heard.port)
        await Webhooks([own], SECRET).send("msg", f"http://localhost:{heard.port}/", b"{}", 0)


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "fec0::1", "ff0e::1", "224.0.1.1", "::ffff:10.0.0.1"],
)
async def test_no_private_address_is_called_in_the_disguise_of_a_public_one(address: str):
    async def disguised(host: str, port: int) -> list[str]:
        return [address]

    with pytest.raises(InvalidInput, match="private address"):
        await Webhooks([AllowedHost("example.org")], SECRET, disguised).send("msg", "https://example.org/", b"{}", 0)


async def test_a_name_that_is_looked_up_for_ever_is_waited_for_no_longer_than_an_answer():
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    webhooks = Webhooks([AllowedHost("example.org")], SECRET, never, patience_s=0.01)
    with pytest.raises(Unavailable, match="no answer within"):
        await webhooks.send("msg", "https://example.org/", b"{}", 0)


async def test_names_that_are_looked_up_for_ever_keep_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch):
    is_over = Event()

    def never(*_: object, **__: object) -> list[Any]:
        is_over.wait()
        return []

    webhooks = Webhooks([AllowedHost("example.org")], SECRET, patience_s=0.01)
    more_than_threads = range(40)
    with monkeypatch.context() as there:
        there.setattr(socket, "getaddrinfo", never)
        tries = [webhooks.send("msg", "https://example.org/", b"{}", 0) for _ in more_than_threads]
        tries += [post("http://job-manager/", b"{}", patience_s=0.01) for _ in more_than_threads]
        try:
            refused = await asyncio.gather(*tries, return_exceptions=True)
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(lambda: "others have their turn")
        finally:
            is_over.set()
    assert {type(one) for one in refused} == {Unavailable}


@pytest.mark.parametrize("name", ["a..b", 70 * "a" + ".org"])
async def test_a_name_that_nobody_can_have_is_one_that_cannot_be_looked_up(name: str):
    with pytest.raises(Unavailable, match="cannot be looked up"):
        await post(f"http://{name}:1/", b"{}")


async def test_of_the_addresses_of_a_name_the_first_is_called_that_answers():
    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.9", "127.0.0.1"]

    async with listener() as heard:
        await post(f"http://job-manager:{heard.port}/", b"{}", resolve=two)
        own = AllowedHost("job-manager", heard.port)
        await Webhooks([own], SECRET, two).send("msg", f"http://job-manager:{heard.port}/", b"{}", 0)
        posted = await heard.until(lambda posted: len(posted) == 2)
    assert {one.headers["host"] for one in posted} == {f"job-manager:{heard.port}"}


async def test_a_redirect_is_not_followed():
    async with listener() as elsewhere, listener(307) as heard:
        heard.location = f"http://127.0.0.1:{elsewhere.port}/"
        with pytest.raises(Unavailable, match="status 307"):
            await post(f"http://127.0.0.1:{heard.port}/", b"{}")
        assert elsewhere.posted == []


async def test_who_is_gone_is_not_asked_again():
    async with listener(410) as heard:
        with pytest.raises(NotFound):
            await post(f"http://127.0.0.1:{heard.port}/", b"{}")


# --- telling at least once --------------------------------------------------------------------------------------------


def a_job(id: str, status: JobStatus) -> Job:
    return Job(
        id=JobId(id),
        kind="simulation",
        status=status,
        priority=0,
        submitted_at=0,
        started_at=1,
        ended_at=2,
        done=1,
        total=1,
        attempts=1,
    )


@dataclass
class Form:
    """Tells nobody, in as many ways as there are troubles; then all is well."""

    troubles: list[Exception] = field(default_factory=list)
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    holds: asyncio.Event | None = None

    async def tell(self, hook: Hook, job: SimulationTold, now: int) -> None:
        self.told.put_nowait(hook.id)
        if self.holds is not None:
            await self.holds.wait()
        if self.troubles:
            raise self.troubles.pop(0)


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms

    def later(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1_000)


TROUBLE = "a fault of voltbench: ZeroDivisionError()"


class Ends:
    """Jobs that end when told to. One is unknown, and of one nobody can say how it stands."""

    def __init__(self, *ended: str) -> None:
        self.ended = set(ended)
        self.asked: list[Collection[JobId]] = []

    async def those(self, ids: Collection[JobId]) -> list[Job]:
        self.asked.append(ids)
        if "broken" in ids:
            raise ZeroDivisionError
        standing = {True: JobStatus.SUCCEEDED, False: JobStatus.RUNNING}
        return [a_job(id, standing[id in self.ended]) for id in ids if id != "unknown"]

    def end(self, id: str) -> None:
        self.ended.add(id)


@pytest.fixture
async def store(url: str) -> AsyncIterator[CellHooks]:
    results = await CellResults.open(url)
    yield CellHooks(results.database)
    await results.close()


@asynccontextmanager
async def telling(hooks: Hooks) -> AsyncIterator[None]:
    task = asyncio.create_task(hooks.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def soon(news: asyncio.Queue[Found]) -> Found:
    """The next of them; a story whose news never come fails."""
    async with asyncio.timeout(30):
        return await news.get()


async def until_it_stands(store: CellHooks, id: str, attempts: int, problem: str | None = None) -> Hook:
    """The hook once it was tried so often, and what came of that was noted."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            hook = await store.hook(id)
            assert hook is not None
            if hook.attempts >= attempts and (
                hook.ended_at is not None if problem is None else hook.problem == problem
            ):
                return hook


async def until_it_is_put_off(store: CellHooks, id: str, until: Instant) -> None:
    """Return once it is due at an instant: whoever is at it still, has put it off by other times."""
    async with asyncio.timeout(DEADLINE_S):
        while (hook := await store.hook(id)) is None or hook.due_at != until:
            pass


async def test_a_hook_waits_for_its_job_and_is_told_once(store: CellHooks):
    form, jobs = Form(), Ends()
    hooks = Hooks(jobs.those, store, {"webhook": form}, Clock())
    async with telling(hooks):
        first, again = [await hooks.ask("job", "webhook", "https://a") for _ in range(2)]
        other = await hooks.ask("job", "webhook", "https://b")
        assert form.told.empty()
        jobs.end("job")
        assert {await soon(form.told), await soon(form.told)} == {first, other}
        assert first == again
        await until_it_stands(store, first, 1)
    assert form.told.empty()


async def test_it_is_tried_again_later_and_later_and_then_given_up(store: CellHooks):
    clock, jobs = Clock(), Ends()
    form = Form([Unavailable(f"trouble {i}") for i in range(20)])
    hooks = Hooks(jobs.those, store, {"webhook": form}, clock)
    jobs.end("job")
    async with telling(hooks):
        id = await hooks.ask("job", "webhook", "https://a")
        for number, pause_s in enumerate(RETRY_S):
            await soon(form.told)
            await until_it_stands(store, id, number + 1, f"trouble {number}")
            clock.later(pause_s - 1)
            assert await store.due(clock(), 10) == []
            clock.later(1)
            hooks.look()
        await soon(form.told)
        hook = await until_it_stands(store, id, len(RETRY_S) + 1)
    assert (hook.problem, hook.ended_at) == (f"trouble {len(RETRY_S)}", clock())


@pytest.mark.parametrize("trouble", [InvalidInput("notify", "is not allowed any more"), NotFound("webhook", "gone")])
async def test_what_will_never_do_is_given_up_at_once(store: CellHooks, trouble: Exception):
    jobs = Ends()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"webhook": Form([trouble])}, Clock())
    async with telling(hooks):
        hook = await until_it_stands(store, await hooks.ask("job", "webhook", "https://a"), 1)
        assert hook.problem == str(trouble)
        lost = await until_it_stands(store, await hooks.ask("unknown", "webhook", "https://a"), 0)
        assert lost.problem == "there is no job 'unknown'"


async def test_a_bug_in_one_form_leaves_the_others_alone(store: CellHooks):
    jobs, good = Ends(), Form()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"seed": Form([ZeroDivisionError()]), "webhook": good}, Clock())
    async with telling(hooks):
        await hooks.ask("job", "seed", "https://a")
        id = await hooks.ask("job", "webhook", "https://b")
        assert await soon(good.told) == id


async def test_a_bug_is_met_again_no_more_often_than_any_other_trouble(store: CellHooks):
    clock, jobs = Clock(), Ends()
    jobs.end("job")
    hooks = Hooks(jobs.those, store, {"webhook": Form([ZeroDivisionError(i) for i in range(20)])}, clock)
    async with telling(hooks):
        id = await hooks.ask("job", "webhook", "https://a")
        for number, pause_s in enumerate(RETRY_S):
            await until_it_stands(store, id, number + 1, f"a fault of voltbench: ZeroDivisionError({number})")
            assert await store.due(clock() + pause_s * 1_000 - 1, 10) == []
            clock.later(pause_s)
            hooks.look()
        hook = await until_it_stands(store, id, len(RETRY_S) + 1)
    assert hook.ended_at == clock()


async def test_a_job_that_cannot_be_seen_is_given_up_in_the_end_and_holds_up_no_other(store: CellHooks):
    clock, form = Clock(), Form()
    hooks = Hooks(Ends("good").those, store, {"webhook": form}, clock)
    broken = await hooks.ask("broken", "webhook", "https://a")
    good = await hooks.ask("good", "webhook", "https://b")
    await hooks.ask("running", "webhook", "https://c")
    async with telling(hooks):
        assert await soon(form.told) == good
        for number, pause_s in enumerate(RETRY_S):
            await until_it_is_put_off(store, broken, clock() + pause_s * 1_000)
            assert (await until_it_stands(store, broken, number + 1, TROUBLE)).ended_at is None
            clock.later(pause_s)
            hooks.look()
        assert (await until_it_stands(store, broken, len(RETRY_S) + 1)).ended_at == clock()
    assert form.told.empty()


class Gated(CellHooks):
    """A store that answers what is due, and lets somebody take it, when it is let."""

    def __init__(self, store: CellHooks) -> None:
        super().__init__(store._database)
        self.read: asyncio.Queue[int] = asyncio.Queue()
        self.may_read, self.may_take = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def due(self, now: Instant, limit: int, after: Hook | None = None) -> list[Hook]:
        found = await super().due(now, limit, after)
        self.read.put_nowait(len(found))
        await self.may_read.acquire()
        return found

    async def take(self, id: str, now: Instant, until: Instant) -> bool:
        await self.may_take.acquire()
        return await super().take(id, now, until)


async def test_what_was_read_before_a_try_came_to_its_end_begins_no_other(store: CellHooks):
    jobs, gated = Ends("job"), Gated(store)
    hooks = Hooks(jobs.those, gated, {"webhook": Form([Unavailable("trouble")])}, Clock())
    id = await hooks.ask("job", "webhook", "https://a")
    async with telling(hooks):
        assert await soon(gated.read) == 1
        gated.may_read.release()
        hooks.look()
        assert await soon(gated.read) == 1  # it is still due, and somebody is at it
        gated.may_take.release()
        await until_it_stands(store, id, 1, "trouble")
        gated.may_read.release()
        assert await soon(gated.read) == 0
    assert sum("job" in ids for ids in jobs.asked) == 1


async def test_what_has_ended_is_told_though_many_wait_for_jobs_that_run(store: CellHooks):
    jobs, form, many = Ends("quick"), Form(), MOST_LOOKED_AT + 1
    hooks = Hooks(jobs.those, store, {"webhook": form}, Clock())
    for number in range(many):
        await store.note(Hook(f"{number:03}", f"job-{number}", "webhook", "https://a"), now=number)
    await store.note(Hook("last", "quick", "webhook", "https://a"), now=many)
    async with telling(hooks):
        assert await soon(form.told) == "last"
        jobs.end("job-7")
        assert await soon(form.told) == "007"
        jobs.end(f"job-{many - 1}")
        assert await soon(form.told) == f"{many - 1:03}"
    assert max(map(len, jobs.asked)) == MOST_LOOKED_AT


async def test_no_more_than_some_notices_are_on_their_way_and_each_is_told_once(store: CellHooks):
    go, clock, ids = asyncio.Event(), Clock(), [f"hook-{number}" for number in range(3 * MOST_AT_ONCE)]
    form = Form(holds=go)
    hooks = Hooks(Ends("job").those, store, {"webhook": form}, clock)
    for id in ids:
        await store.note(Hook(id, "job", "webhook", "https://a"), now=1)
    async with telling(hooks):
        first = [await soon(form.told) for _ in range(MOST_AT_ONCE)]
        hooks.look()
        assert len(await store.due(clock(), len(ids))) == 2 * MOST_AT_ONCE
        go.set()
        rest = [await soon(form.told) for _ in range(2 * MOST_AT_ONCE)]
        for id in ids:
            await until_it_stands(store, id, 1)
    assert sorted(first + rest) == sorted(ids)
    assert form.told.empty()


async def test_what_never_came_to_a_job_is_forgotten_as_well(store: CellHooks):
    await store.note(Hook("jobless", None, "webhook", "https://a"), now=1)
    await store.note(Hook("waiting", "job", "webhook", "https://a"), now=1)
    assert await store.forget(before=2) == 1
    assert await store.hook("waiting") is not None


async def test_what_goes_wrong_beside_everything_else_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture):
    rounds: asyncio.Queue[int] = asyncio.Queue()
    troubles = [ZeroDivisionError("a bug"), Unavailable("the store is away")]

    async def work() -> None:
        rounds.put_nowait(len(troubles))
        if troubles:
            raise troubles.pop(0)

    async with asyncio.timeout(30), meanwhile("counting", work, pause_s=0.0):
        assert [await rounds.get() for _ in range(4)] == [2, 1, 0, 0]
    assert "counting: went wrong" in caplog.text
    assert "counting: waits: the store is away" in caplog.text


async def test_who_was_killed_while_telling_tells_again_and_nobody_else_meanwhile(store: CellHooks):
    clock, jobs = Clock(), Ends()
    jobs.end("job")
    killed, others = Form(holds=asyncio.Event()), Form()
    first = Hooks(jobs.those, store, {"webhook": killed}, clock)
    async with telling(first):
        id = await first.ask("job", "webhook", "https://a")
        assert await soon(killed.told) == id
        second = Hooks(jobs.those, store, {"webhook": others}, clock)
        assert await store.due(clock(), 10) == []
    async with telling(second):
        clock.later(TAKEN_S)
        second.look()
        assert await soon(others.told) == id
        hook = await until_it_stands(store, id, 2)
    assert hook.problem == ""
    assert await store.forget(clock() + 1) == 1


async def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_what_was_never_tried(store: CellHooks):
    clock, jobs, form = Clock(), Ends("job"), Form()
    await store.note(Hook("a", "job", "webhook", "https://a"), clock())
    clock.later(-3_600)
    async with telling(Hooks(jobs.those, store, {"webhook": form}, clock)):
        assert await soon(form.told) == "a"
        assert (await until_it_stands(store, "a", 1)).ended_at == clock()


async def test_what_waits_until_later_than_it_was_ever_put_off_is_due(store: CellHooks):
    await store.note(Hook("a", "job", "webhook", "https://a"), 0)
    assert max(*RETRY_S, TAKEN_S) * 1_000 < FARTHEST_MS
    assert await store.take("a", 0, until=FARTHEST_MS)  # by a clock that was far ahead
    assert not await store.take("a", 0, until=TAKEN_S * 1_000)
    assert await store.due(-1, 10) != []
    assert await store.take("a", -1, until=TAKEN_S * 1_000)
    assert await store.due(-1, 10) == []


async def test_of_two_tellers_only_one_takes_a_hook(store: CellHooks):
    await store.note(Hook("a", "job", "webhook", "https://a"), now=1)
    taken = await asyncio.gather(*[store.take("a", 2, 100) for _ in range(8)])
    assert sorted(taken) == [False] * 7 + [True]


# --- the whole of it --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def heard() -> AsyncIterator[Listener]:
    async with listener() as listening:
        yield listening


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, heard: Listener) -> AsyncIterator[Service]:
    choices = FaceChoices(webhook_hosts=(AllowedHost("127.0.0.1", heard.port),), webhook_secret=SECRET)
    async with cell_service(tmp_path_factory.mktemp("hooks"), choices) as running:
        yield running


def are_for(path: str) -> Any:
    return lambda posted: any(one.path == path for one in posted)


async def test_a_simulation_and_a_sweep_tell_of_their_end(service: Service, heard: Listener):
    sweep = {"base": ASKED, "sweep": {"kind": "list", "points": [{"load.current_a": -4.0}]}}
    for route, asked in (("/simulations", ASKED), ("/simulations:batch", sweep)):
        path = f"/ended{route.partition(':')[2]}?x=1"
        notify = f"http://127.0.0.1:{heard.port}{path}"
        answer = await service.client.post(route, json=asked, params={"notify": notify})
        assert answer.status_code == 202, answer.text
        posted = next(one for one in await heard.until(are_for(path)) if one.path == path)
        assert posted.headers["content-type"] == "application/json"
        content = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
        mac = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), content, "sha256")
        assert posted.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
        said = json.loads(posted.body)
        assert (said["id"], said["status"]) == (answer.json()["id"], "succeeded")
        assert said == (await service.client.get(f"/simulations/{said['id']}")).json()


async def test_a_failed_simulation_tells_too_and_keeps_its_reason(service: Service, heard: Listener):
    asked = {**ASKED, "load": {**ASKED["load"], "current_a": 5.0}, "upper_voltage_v": 4.2}
    notify = f"http://127.0.0.1:{heard.port}/failed"
    answer = await service.client.post("/simulations", json=asked, params={"notify": notify})
    posted = next(one for one in await heard.until(are_for("/failed")) if one.path == "/failed")
    said = json.loads(posted.body)
    assert (said["id"], said["status"]) == (answer.json()["id"], "failed")
    assert said["error"]["kind"] == "invalid_input"


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "http://127.0.0.1/", "no address"])
async def test_a_host_that_is_not_allowed_is_refused_before_anything_is_asked(service: Service, url: str):
    before = (await service.client.get("/simulations")).json()
    answer = await service.client.post("/simulations", json=ASKED, params={"notify": url})
    assert (answer.status_code, answer.json()["field"]) == (422, "notify")
    assert (await service.client.get("/simulations")).json() == before


async def test_nobody_who_listens_changes_nothing_of_the_simulation(service: Service, heard: Listener):
    heard.statuses[:] = [500]
    notify = f"http://127.0.0.1:{heard.port}/broken"
    answer = await service.client.post("/simulations", json=ASKED, params={"notify": notify})
    await heard.until(are_for("/broken"))
    id = answer.json()["id"]
    assert (await service.client.get(f"/simulations/{id}")).json()["status"] == "succeeded"
    assert (await service.client.get(f"/simulations/{id}/results")).status_code == 200
