"""Whoever wants to know of a simulation's end is told: signed, and nobody but those allowed."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import pytest

from tests.cell_face import Listener, Service, cell_service, listener
from voltbench.adapters.webhooks import AllowedHost, Webhooks, key_of, post, signature
from voltbench.apps.cells.facing import FaceChoices
from voltbench.errors import InvalidInput, NotFound, Unavailable

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
