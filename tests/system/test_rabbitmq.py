"""Simulations are asked for through a real broker as the seed's services did, and their results are published."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue

from tests import brokers
from tests.brokers import START_S, RabbitMQ, a_rabbitmq
from tests.cell_face import Service, cell_service
from voltbench.adapters import rabbitmq
from voltbench.adapters.cell_hooks import CellHooks, Hook
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.rabbitmq import ASKED_KEY, AT_ONCE, DEAD_LETTERS, EXCHANGE, RESULTS, TEXTS, Broker, Brought
from voltbench.apps.cells.facing import FaceChoices
from voltbench.apps.cells.hooks import Hooks
from voltbench.apps.cells.messages import Messages, new_message_id
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput, Unavailable
from voltbench.quantities import Instant

ASKED = {"simulationType": "cell", "time": 0.1, "upperVoltage": 4.2, "lowerVoltage": 2.5, "nominalCell": 5.0}


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with a_rabbitmq() as running:
        yield running


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, broker: RabbitMQ) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rabbitmq, "RETRY_S", 0.05)
        async with cell_service(tmp_path_factory.mktemp("broker"), FaceChoices(rabbitmq=broker.url)) as running:
            yield running


class Client:
    """Another program at the broker: asks as the seed's queue service does, and listens to results."""

    def __init__(self, channel: AbstractChannel, exchange: AbstractExchange) -> None:
        self._channel, self._exchange = channel, exchange
        self._results: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._letters: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def listen(self) -> None:
        results = await self._channel.declare_queue(exclusive=True)
        await results.bind(self._exchange, RESULTS)
        await results.consume(self._results.put, no_ack=True)
        letters = await self._channel.get_queue(DEAD_LETTERS)
        await letters.consume(self._letters.put, no_ack=True)

    async def ask(self, body: bytes, id: str | None = None) -> None:
        message = aio_pika.Message(body, content_type="application/json", message_id=id)
        await self._exchange.publish(message, ASKED_KEY)

    async def result(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((await _next(self._results)).body)
        return told

    async def text(self) -> bytes:
        """The next of the texts, which the seed's own services do not read."""
        texts: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await (await self._channel.get_queue(TEXTS)).consume(texts.put, no_ack=True)
        return (await _next(texts)).body

    async def full_queue_of_letters(self) -> AbstractQueue:
        """A queue that refuses dead letters, whereupon the broker says that it did not take them."""
        queue = await self._channel.declare_queue(
            exclusive=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
        )
        await queue.bind(DEAD_LETTERS)
        return queue

    async def dead_letter(self, beginning: bytes) -> AbstractIncomingMessage:
        """The next that begins so: one that the broker did not take comes again, and then nobody may wait for it."""
        async with asyncio.timeout(60):
            while not (letter := await self._letters.get()).body.startswith(beginning):
                continue
        return letter


async def _next(inbox: asyncio.Queue[AbstractIncomingMessage]) -> AbstractIncomingMessage:
    async with asyncio.timeout(60):
        return await inbox.get()


@asynccontextmanager
async def a_client(url: str) -> AsyncIterator[Client]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        client = Client(channel, await channel.get_exchange(EXCHANGE))
        await client.listen()
        yield client


@pytest.fixture
async def client(service: Service, broker: RabbitMQ) -> AsyncIterator[Client]:
    assert service.face.broker is not None
    async with asyncio.timeout(60):
        await service.face.broker.is_connected.wait()
    async with a_client(broker.url) as connected:
        yield connected


async def jobs(service: Service) -> int:
    return len((await service.client.get("/simulations")).json()["simulations"])


async def test_a_message_becomes_a_result_that_is_published_and_found(client: Client, service: Service):
    await client.ask(json.dumps({**ASKED, "controlCurrent": 4.0}).encode())
    told = await client.result()
    assert list(told) == ["id", "jobStarted", "simulationType", "simulationResults", "warning"]
    assert told["simulationResults"][-1]["dcap"] == pytest.approx(0.4)
    stored = (await service.client.get(f"/getSimulation/{told['id']}")).json()
    assert [row["voltage"] for row in stored["simulationResults"]] == [
        row["voltage"] for row in told["simulationResults"]
    ]


async def test_an_id_in_a_message_is_that_of_its_result(client: Client, service: Service):
    for id, current in ((501, 3.0), (502, 2.0), ("lorry", 1.0)):
        await client.ask(json.dumps({**ASKED, "id": id, "controlCurrent": current}).encode())
    told = {one["id"]: one for one in [await client.result() for _ in range(3)]}
    assert {id: one["simulationResults"][0]["current"] for id, one in told.items()} == {501: 3, 502: 2, "lorry": 1}
    stored = (await service.client.get("/getSimulation/502")).json()
    assert stored["simulationResults"][0]["current"] == 2.0


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"\xac\xed\x00\x05", "not UTF-8"), (b"[]", "body"), (b'{"controlCurrent": 50}', "controlCurrent: is 10.00C")],
)
async def test_poison_is_put_aside_and_the_next_message_is_served(
    client: Client, service: Service, body: bytes, problem: str
):
    before = await jobs(service)
    await client.ask(body)
    letter = await client.dead_letter(body)
    assert letter.body == body
    assert problem in str(letter.headers["x-problem"])
    await client.ask(json.dumps(ASKED).encode())
    assert (await client.result())["jobStarted"]
    assert await jobs(service) == before + 1


async def test_a_text_waits_at_the_broker_for_whoever_reads_it(client: Client, service: Service):
    answer = await service.client.get("/string/publish", params={"message": "hello"})
    assert answer.text == "Message sent to RabbitMQ ..."
    assert await client.text() == b"hello"


async def test_a_simulation_that_fails_says_so_in_its_result(client: Client):
    await client.ask(json.dumps({**ASKED, "id": 9, "controlCurrent": -4.0}).encode())
    told = await client.result()
    assert (told["id"], told["jobStarted"], told["simulationResults"]) == (9, False, None)
    assert "meets a limit" in told["error"]


async def test_a_message_that_is_sent_twice_by_its_id_is_one_simulation(client: Client, service: Service):
    before = await jobs(service)
    for _ in range(3):
        await client.ask(json.dumps(ASKED).encode(), "order-17")
    other = json.dumps({**ASKED, "time": 0.2}).encode()
    await client.ask(other, "order-17")
    letter = await client.dead_letter(other)
    assert "the same idempotency key was used for another request" in str(letter.headers["x-problem"])
    await client.result()
    assert await jobs(service) == before + 1


async def test_letters_that_are_not_taken_hold_up_nobody_once_they_are(client: Client, service: Service):
    full = await client.full_queue_of_letters()
    for number in range(AT_ONCE + 1):
        await client.ask(f"poison {number}".encode())
    refused = set[bytes]()
    while len(refused) < AT_ONCE:
        refused.add((await client.dead_letter(b"poison")).body)
    await full.delete(if_empty=False)
    await client.ask(json.dumps(ASKED).encode())
    assert (await client.result())["jobStarted"]


# --- messages that are brought again, and what they count for ---------------------------------------------------------


class Faltering(CellHooks):
    """A store that is out of reach at the end of the first things it does."""

    def __init__(self, service: Service, *troubles: str) -> None:
        super().__init__(service.cells.results.database)
        self._troubles = [*troubles]

    async def note(self, hook: Hook, now: Instant) -> None:
        await super().note(hook, now)
        self._falter("note")

    async def wait_for(self, id: str, job_id: str, said: bytes, url: str) -> None:
        await super().wait_for(id, job_id, said, url)
        self._falter("wait_for")

    def _falter(self, what: str) -> None:
        if what in self._troubles:
            self._troubles.remove(what)
            raise Unavailable("the store is out of reach")


def messages_of(service: Service, store: CellHooks | None = None) -> Messages:
    face = service.face
    hooks = face.hooks if store is None else Hooks(service.cells.jobs.those, store, {}, wall_instant)
    return Messages(face.seed, CellNumbers(service.cells.results.database), hooks, wall_instant, new_message_id)


@pytest.fixture(scope="module")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """Without a broker, and nobody solves."""
    async with cell_service(tmp_path_factory.mktemp("alone"), FaceChoices(), processes=0) as running:
        yield running


@pytest.mark.parametrize("trouble", ["note", "wait_for"])
async def test_a_message_without_an_id_that_waited_for_the_store_is_one_simulation(alone: Service, trouble: str):
    before = await jobs(alone)
    messages = messages_of(alone, Faltering(alone, trouble))
    body = json.dumps({**ASKED, "id": trouble}).encode()
    with pytest.raises(Unavailable):
        await messages.take(Brought(body, None, False))
    id = await messages.take(Brought(body, None, True))
    assert await alone.face.hooks.store.unsettled(sha256(body).hexdigest()) == [id]
    assert await jobs(alone) == before + 1


async def test_a_wrong_message_takes_nothing_from_the_one_before_with_its_id(alone: Service):
    messages, store = messages_of(alone), alone.face.hooks.store
    id = await messages.take(Brought(json.dumps({**ASKED, "id": 1}).encode(), "order-18", False))
    with pytest.raises(InvalidInput):
        await messages.take(Brought(b'{"controlCurrent": 50}', "order-18", False))
    waiting = await store.hook(id)
    assert waiting is not None
    assert (waiting.ended_at, waiting.problem) == (None, "")


async def test_a_message_that_was_wrong_at_first_is_told_of_once_it_is_right(alone: Service):
    messages, store = messages_of(alone), alone.face.hooks.store
    with pytest.raises(InvalidInput):
        await messages.take(Brought(b'{"controlCurrent": 50}', "order-19", False))
    id = await messages.take(Brought(json.dumps({**ASKED, "id": 2}).encode(), "order-19", False))
    assert id in {hook.id for hook in await store.due(wall_instant(), 100)}


async def test_messages_that_are_brought_again_are_counted_once_each(alone: Service):
    before = await jobs(alone)
    messages = messages_of(alone)
    body = json.dumps({**ASKED, "id": "twin"}).encode()
    first, second = [await messages.take(Brought(body, None, False)) for _ in range(2)]
    messages.begin()  # a new connection: neither was acknowledged, nor was a third, which was not seen yet
    again = await asyncio.gather(*[messages.take(Brought(body, None, True)) for _ in range(3)])
    assert {first, second} < set(again)
    assert await jobs(alone) == before + 3
    for id in again:
        await messages.settle(id)
    assert await messages.take(Brought(body, None, True)) not in again


async def test_a_broker_that_comes_back_is_found_again(service: Service, broker: RabbitMQ):
    ours = service.face.broker
    assert ours is not None
    async with asyncio.timeout(2 * START_S):
        await ours.is_connected.wait()
        await asyncio.to_thread(broker.stop)
        await ours.is_lost.wait()
        await asyncio.to_thread(broker.start)
        await ours.is_connected.wait()
    async with a_client(broker.url) as client:
        await client.ask(json.dumps({**ASKED, "id": 77}).encode())
        while (await client.result())["id"] != 77:
            continue  # what the story before asked for is told now, where the broker went before it could be


@pytest.mark.parametrize(("ci", "ends"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_where_no_broker_is_installed_ci_fails_and_others_skip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, ends: type[BaseException]
):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(brokers, "SERVER", tmp_path / "none")
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="no RabbitMQ") as ended, a_rabbitmq():
        pass
    assert ended.type is ends


@pytest.mark.parametrize(
    "url", ["http://localhost", "amqp://host:notaport/", "amqp://[::1/", "amqp://", "amqp:///vhost", "amqp://host:0/"]
)
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(InvalidInput, match="amqp://"):
        Broker(url)
