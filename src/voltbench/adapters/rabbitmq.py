"""The seed's broker: simulations are asked for through its queues, and results are published to its exchange.

Exchange and queues are declared as the seed's services declare them, so that both can be there at once. For that
reason the queue names no dead letter exchange (RabbitMQ refuses a queue that is there with other arguments), and what
nobody can use is published there by us.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from voltbench.errors import Conflict, InvalidInput, Unavailable

if TYPE_CHECKING:
    from aio_pika.abc import (
        AbstractChannel,
        AbstractConnection,
        AbstractExchange,
        AbstractIncomingMessage,
        AbstractQueue,
    )

_log = logging.getLogger(__name__)

EXCHANGE, DEAD_LETTERS = "message_exchange", "message_dead_letters"
TEXTS, TEXTS_KEY = "message_queue", "message_routingKey"
ASKED, ASKED_KEY = "message_queue_json", "message_routingKey_json"
RESULTS = "simulation_results"
"""The key of results, at the same exchange."""

AT_ONCE = 16
"""Messages that are not acknowledged yet."""

PATIENCE_S, RETRY_S = 10.0, 2.0
LONGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True)
class Brought:
    """A message: what it says, its id if it has one, and whether it may have been brought before."""

    body: bytes
    id: str | None
    is_again: bool


class Taker(Protocol):
    """Who takes what is asked for."""

    def begin(self) -> None:
        """A new connection: what was not settled is brought again."""

    async def take(self, brought: Brought) -> str:
        """See to it that a message is not lost; what to settle it by.

        Raises InvalidInput or Conflict for one that will never do, Unavailable for one that is to be brought again.
        """

    async def settle(self, id: str) -> None:
        """The broker knows that the message was taken."""


class Broker:
    """A connection that is made again whenever it is lost. Needs the extra `rabbitmq`.

    Raises InvalidInput where the URL is none, Unavailable without the extra.
    """

    def __init__(self, url: str) -> None:
        if not _is_address(url):
            raise InvalidInput("rabbitmq", "is no address of a broker", allowed="amqp://USER:PASSWORD@HOST:PORT/")
        try:
            import aio_pika  # noqa: F401, PLC0415  # an extra of its own
        except ModuleNotFoundError as error:
            raise Unavailable("a broker needs: pip install 'voltbench[rabbitmq]'") from error
        self._url = url
        self._exchange: AbstractExchange | None = None
        self.is_connected, self.is_lost = asyncio.Event(), asyncio.Event()

    async def run(self, taker: Taker) -> None:
        """Take what is asked for, until cancelled."""
        from aio_pika import connect  # noqa: PLC0415  # an extra of its own
        from aio_pika.exceptions import AMQPError  # noqa: PLC0415

        while True:
            try:
                async with await connect(self._url, timeout=PATIENCE_S) as connection:
                    await self._serve(connection, taker)
                _log.warning("the broker has closed the connection")
            except (AMQPError, OSError, TimeoutError) as error:
                _log.warning("the broker is out of reach: %s", str(error) or type(error).__name__)
            finally:
                self._exchange = None
                self.is_connected.clear()
                self.is_lost.set()
            await asyncio.sleep(RETRY_S)

    async def publish_result(self, id: str, body: bytes) -> None:
        """Publish a result; on return the broker has it. Raises Unavailable."""
        await self._publish(body, RESULTS, id, "application/json")

    async def publish_text(self, text: str) -> None:
        """Publish a text as the seed's queue service does. Raises Unavailable."""
        await self._publish(text.encode(), TEXTS_KEY, None, "text/plain")

    async def _publish(self, body: bytes, key: str, id: str | None, content_type: str) -> None:
        from aio_pika import DeliveryMode, Message  # noqa: PLC0415  # an extra of its own
        from aio_pika.exceptions import AMQPError  # noqa: PLC0415

        if self._exchange is None:
            raise Unavailable("the broker is out of reach")
        message = Message(body, content_type=content_type, message_id=id, delivery_mode=DeliveryMode.PERSISTENT)
        try:
            await self._exchange.publish(message, key, mandatory=False, timeout=PATIENCE_S)
        except (AMQPError, OSError, TimeoutError, RuntimeError) as error:  # the last: the channel was closed meanwhile
            raise Unavailable(f"the broker did not take it: {error}") from error

    async def _serve(self, connection: AbstractConnection, taker: Taker) -> None:
        lost = asyncio.Event()
        channel = await connection.channel()
        for one in (connection, channel):
            one.close_callbacks.add(lambda *_: lost.set())
        await channel.set_qos(prefetch_count=AT_ONCE)
        exchange, asked = await _declared(channel)
        dead_letters = await channel.get_exchange(DEAD_LETTERS, ensure=False)
        taker.begin()
        self._exchange = exchange
        self.is_lost.clear()
        self.is_connected.set()
        session = _Session(taker, dead_letters)
        await asked.consume(_handled(session.take))
        _log.info("simulations are taken from the broker's %s", ASKED)
        await lost.wait()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def _declared(channel: AbstractChannel) -> tuple[AbstractExchange, AbstractQueue]:
    from aio_pika import ExchangeType  # noqa: PLC0415  # an extra of its own

    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
    texts = await channel.declare_queue(TEXTS, durable=True)
    await texts.bind(exchange, TEXTS_KEY)
    asked = await channel.declare_queue(ASKED, durable=True)
    await asked.bind(exchange, ASKED_KEY)
    dead_letters = await channel.declare_exchange(DEAD_LETTERS, ExchangeType.FANOUT, durable=True)
    dead = await channel.declare_queue(DEAD_LETTERS, durable=True)
    await dead.bind(dead_letters)
    return exchange, asked


class _Session:
    """What is done with messages while a connection lasts."""

    def __init__(self, taker: Taker, dead_letters: AbstractExchange) -> None:
        self._taker = taker
        self._dead_letters = dead_letters

    async def take(self, message: AbstractIncomingMessage) -> None:
        """A simulation that is asked for: acknowledged once it cannot be lost."""
        brought = Brought(message.body, message.message_id, bool(message.redelivered))
        try:
            if len(brought.body) > LONGEST_BODY:
                raise InvalidInput("message", "is too long", found=len(brought.body), allowed=f"{LONGEST_BODY} bytes")
            id = await self._taker.take(brought)
        except (InvalidInput, Conflict) as error:
            await self._bury(message, str(error))
        except Unavailable:
            raise
        except Exception as error:  # a bug of ours: brought again, it would be met again
            _log.exception("taking a message went wrong")
            await self._bury(message, f"a fault of voltbench: {error!r}")
        else:
            await message.ack()
            await self._taker.settle(id)

    async def _bury(self, message: AbstractIncomingMessage, problem: str) -> None:
        from aio_pika import DeliveryMode, Message  # noqa: PLC0415  # an extra of its own

        _log.warning("a message cannot be used, and goes to %s: %s", DEAD_LETTERS, problem)
        letter = Message(
            message.body,
            headers={"x-problem": problem[:1_000]},
            content_type=message.content_type,
            message_id=message.message_id,
            delivery_mode=DeliveryMode.PERSISTENT,
        )
        await self._dead_letters.publish(letter, ASKED_KEY, mandatory=False, timeout=PATIENCE_S)
        await message.reject(requeue=False)


def _handled(
    handle: Callable[[AbstractIncomingMessage], Awaitable[None]],
) -> Callable[[AbstractIncomingMessage], Awaitable[None]]:
    """The same, where of what goes wrong the message is handed back after a while: the broker brings it again."""
    from aio_pika.exceptions import AMQPError  # noqa: PLC0415  # an extra of its own

    async def handled(message: AbstractIncomingMessage) -> None:
        try:
            await handle(message)
        except Exception as error:
            is_bug = not isinstance(error, AMQPError | OSError | RuntimeError | Unavailable)
            _log.warning("a message waits: %s", str(error) or type(error).__name__, exc_info=is_bug)
            await asyncio.sleep(RETRY_S)
            with suppress(AMQPError, OSError, RuntimeError):  # settled already, or lost with its channel
                await message.nack(requeue=True)

    return handled
