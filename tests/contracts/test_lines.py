"""What a line promises, whichever library keeps it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol
from websockets.utils import accept_key

from voltbench.adapters.ocpp_station.line import Address, Dialler, NotLetIn, NotTrusted
from voltbench.adapters.ocpp_station.notary import StationNotary
from voltbench.adapters.ocpp_station.picows_line import PicowsDialler
from voltbench.adapters.ocpp_station.websockets_line import WebSocketsDialler
from voltbench.errors import Unavailable

OCPP = Subprotocol("ocpp1.6")
TOO_LARGE = b"x" * (600 * 1024)
DEADLINE_S = 20.0
FAR_FUTURE = 4_000_000_000_000

Serve = Callable[[ServerConnection], Awaitable[None]]


class Heard:
    """A listener that notes what it hears; None stands for the end."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()

    def on_frame(self, frame: bytes) -> None:
        self._heard.put_nowait(frame)
        if frame == b"stumble":
            raise RuntimeError("over a stone")

    def on_closed(self) -> None:
        self._heard.put_nowait(None)

    async def next(self, count: int = 1) -> list[bytes | None]:
        async with asyncio.timeout(DEADLINE_S):
            return [await self._heard.get() for _ in range(count)]

    @property
    def is_all(self) -> bool:
        return self._heard.empty()


@pytest.fixture(params=[WebSocketsDialler, PicowsDialler])
def dialler(request: pytest.FixtureRequest) -> Dialler:
    made: Dialler = request.param()
    return made


@asynccontextmanager
async def a_csms(
    answer: Serve,
    *,
    tls: ssl.SSLContext | None = None,
    speaks: Subprotocol | None = OCPP,
    guard: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> AsyncIterator[Address]:
    """A server on loopback, until it has said goodbye to everybody: where it is."""
    subprotocols = [speaks] if speaks is not None else None
    async with serve(
        answer, "127.0.0.1", 0, ssl=tls, subprotocols=subprotocols, process_request=guard, close_timeout=1.0
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Address(f"{'wss' if tls else 'ws'}://localhost:{port}/CP%20001", OCPP)


async def echo(connection: ServerConnection) -> None:
    async for frame in connection:
        await connection.send(frame)


# --- frames ---------------------------------------------------------------------------------------------------------


async def test_frames_go_both_ways_in_their_order(dialler: Dialler):
    said = [f"[2,{i},{'ü' * i}]".encode() for i in range(500)]
    heard = Heard()
    async with a_csms(echo) as address:
        line = await dialler.connect(address, heard)
        for frame in said:
            line.send(frame)
        assert await heard.next(len(said)) == said


async def test_what_is_sent_is_text(dialler: Dialler):
    kinds: asyncio.Queue[type] = asyncio.Queue()

    async def note(connection: ServerConnection) -> None:
        kinds.put_nowait(type(await connection.recv()))

    async with a_csms(note) as address:
        line = await dialler.connect(address, Heard())
        line.send(b"[]")
        assert await kinds.get() is str


async def test_what_was_said_before_anybody_could_listen_is_heard(dialler: Dialler):
    async def speak_first(connection: ServerConnection) -> None:
        for frame in ("one", "two"):
            await connection.send(frame)
        await connection.wait_closed()

    heard = Heard()
    async with a_csms(speak_first) as address:
        await dialler.connect(address, heard)
        assert await heard.next(2) == [b"one", b"two"]


async def test_fragments_are_put_together(dialler: Dialler):
    async def speak_in_pieces(connection: ServerConnection) -> None:
        await connection.send(["[2,", "", "17", "]"])
        await connection.send(["", "[3]"])
        await connection.send("whole")
        await connection.wait_closed()

    heard = Heard()
    async with a_csms(speak_in_pieces) as address:
        await dialler.connect(address, heard)
        assert await heard.next(3) == [b"[2,17]", b"[3]", b"whole"]


@pytest.mark.parametrize("frame", [TOO_LARGE * 2, [TOO_LARGE, TOO_LARGE]], ids=["at once", "in pieces"])
async def test_a_message_without_measure_ends_the_line(dialler: Dialler, frame):
    async def speak_without_measure(connection: ServerConnection) -> None:
        await connection.send(frame, text=True)
        await connection.wait_closed()

    heard = Heard()
    async with a_csms(speak_without_measure) as address:
        await dialler.connect(address, heard)
        assert await heard.next() == [None]


async def test_who_stumbles_over_a_frame_hears_the_next(dialler: Dialler, caplog: pytest.LogCaptureFixture):
    heard = Heard()
    async with a_csms(echo) as address:
        line = await dialler.connect(address, heard)
        for frame in (b"stumble", b"go on"):
            line.send(frame)
        assert await heard.next(2) == [b"stumble", b"go on"]
    assert "over a stone" in caplog.text


# --- the end --------------------------------------------------------------------------------------------------------


async def test_a_close_by_the_csms_is_told_once(dialler: Dialler):
    async def say_goodbye(connection: ServerConnection) -> None:
        await connection.send("goodbye")
        await connection.close(1001, "going away")

    heard = Heard()
    async with a_csms(say_goodbye) as address:
        line = await dialler.connect(address, heard)
        assert await heard.next(2) == [b"goodbye", None]
        line.send(b"is anybody there?")
        line.close()
    assert heard.is_all


async def test_a_close_of_ours_comes_after_what_was_to_be_sent_and_is_told_once(dialler: Dialler):
    arrived: list[str | bytes] = []
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def listen(connection: ServerConnection) -> None:
        arrived.extend([frame async for frame in connection])
        codes.put_nowait(connection.close_code)

    heard = Heard()
    async with a_csms(listen) as address:
        line = await dialler.connect(address, heard)
        for frame in (TOO_LARGE, b"last words"):
            line.send(frame)
        line.close()
        line.close()
        line.send(b"too late")
        assert await heard.next() == [None]
        assert await codes.get() == 1000
    assert arrived == [TOO_LARGE.decode(), "last words"]
    assert heard.is_all


async def test_a_connection_that_breaks_is_told_once(dialler: Dialler):
    async def vanish(connection: ServerConnection) -> None:
        connection.transport.abort()

    heard = Heard()
    async with a_csms(vanish) as address:
        line = await dialler.connect(address, heard)
        assert await heard.next() == [None]
        line.send(b"is anybody there?")
    assert heard.is_all


async def test_a_close_does_not_wait_for_ever_for_one_who_does_not_answer(dialler: Dialler, monkeypatch):
    monkeypatch.setattr("voltbench.adapters.ocpp_station.line.GOODBYE_S", 0.05)

    async def take_nothing(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    heard = Heard()
    async with a_csms(take_nothing) as address:
        line = await dialler.connect(address, heard)
        for _ in range(100):
            line.send(TOO_LARGE)
        line.close()
        assert await heard.next() == [None]


async def test_a_line_ends_where_nobody_answers_a_ping(dialler: Dialler, monkeypatch):
    monkeypatch.setattr("voltbench.adapters.ocpp_station.line.PONG_S", 0.2)
    monkeypatch.setattr("voltbench.adapters.ocpp_station.line.GOODBYE_S", 0.05)

    async def fall_silent(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    heard = Heard()
    async with a_csms(fall_silent) as address:
        await dialler.connect(replace(address, ping_s=0.05), heard)
        assert await heard.next() == [None]


# --- no line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaks", [Subprotocol("ocpp2.0.1"), None])
async def test_who_does_not_speak_our_protocol_is_unavailable(dialler: Dialler, speaks):
    heard = Heard()
    async with a_csms(echo, speaks=speaks) as address:
        with pytest.raises(Unavailable):
            await dialler.connect(address, heard)
    assert heard.is_all


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:1/CP001",
        "ws://127.0.0.1:99999/CP001",
        "ws://nowhere.invalid/CP001",
        "ws://a..b/CP001",
        "ws:///CP001",
        "http://127.0.0.1/CP001",
        "CP001",
        "",
    ],
)
async def test_a_url_that_leads_nowhere_is_unavailable(dialler: Dialler, url):
    with pytest.raises(Unavailable):
        await dialler.connect(Address(url, OCPP), Heard())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (HTTPStatus.UNAUTHORIZED, NotLetIn),
        (HTTPStatus.FORBIDDEN, NotLetIn),
        (HTTPStatus.FOUND, Unavailable),
        (HTTPStatus.SERVICE_UNAVAILABLE, Unavailable),
    ],
)
async def test_who_answers_anything_but_yes_is_unavailable_and_nobody_is_sent_on(dialler: Dialler, status, error):
    asked: list[str] = []

    def refuse(_: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        return Response(status, "no", Headers({"Location": "/elsewhere", "Content-Length": "0"}))

    async with a_csms(echo, guard=refuse) as address:
        with pytest.raises(Unavailable) as caught:
            await dialler.connect(address, Heard())
    assert type(caught.value) is error
    assert asked == ["/CP%20001"]


async def test_who_hangs_up_without_an_answer_is_unavailable(dialler: Dialler):
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable):
            await dialler.connect(Address(f"ws://127.0.0.1:{port}/CP001", OCPP), Heard())


async def test_who_does_not_wait_for_the_line_does_not_leave_one_behind(dialler: Dialler):
    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        is_asked.set()
        await may_answer.wait()
        writer.write(accepting(head))
        while await reader.read(100):
            pass
        writer.close()
        ended.put_nowait(None)

    async with await asyncio.start_server(answer_late, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = Heard()
        dialling = asyncio.create_task(dialler.connect(Address(f"ws://127.0.0.1:{port}/CP001", OCPP), heard))
        await is_asked.wait()
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        may_answer.set()
        async with asyncio.timeout(DEADLINE_S):
            await ended.get()
    assert heard.is_all


def accepting(head: str) -> bytes:
    """The answer to a handshake. RFC 6455, section 4.2.2."""
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    key = next(value for name, value in headers.items() if name.lower() == "sec-websocket-key")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\nSec-WebSocket-Protocol: {OCPP}\r\n\r\n"
    ).encode()


# --- who is who -----------------------------------------------------------------------------------------------------


async def test_the_station_says_who_it_is(dialler: Dialler):
    asked: asyncio.Queue[Request] = asyncio.Queue()

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.put_nowait(connection.request)

    async with a_csms(note) as address:
        await dialler.connect(replace(address, headers={"Authorization": "Basic Q1AwMDE6c2VjcmV0"}), Heard())
        request = await asked.get()
    assert request.path == "/CP%20001"
    assert request.headers["Authorization"] == "Basic Q1AwMDE6c2VjcmV0"
    assert "Sec-WebSocket-Extensions" not in request.headers


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def of_the_csms(authority: trustme.CA, *, asks_for_certificates: bool = False) -> ssl.SSLContext:
    """The CSMS's end of a secure line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if asks_for_certificates else ssl.CERT_NONE
    return context


def a_notary(authority: trustme.CA, directory: Path | None = None) -> StationNotary:
    notary = StationNotary(directory)
    notary.trust("CentralSystemRootCertificate", [authority.cert_pem.bytes().decode()])
    return notary


async def test_a_secure_line_carries_frames(dialler: Dialler, authority: trustme.CA):
    heard = Heard()
    async with a_csms(echo, tls=of_the_csms(authority)) as address:
        line = await dialler.connect(replace(address, tls=a_notary(authority).tls(2)), heard)
        for frame in (b"secret", TOO_LARGE):
            line.send(frame)
        assert await heard.next(2) == [b"secret", TOO_LARGE]
        line.close()
        assert await heard.next() == [None]


async def test_a_csms_that_another_authority_vouches_for_is_unavailable(dialler: Dialler, authority: trustme.CA):
    async with a_csms(echo, tls=of_the_csms(trustme.CA())) as address:
        with pytest.raises(NotTrusted, match="certificate"):
            await dialler.connect(replace(address, tls=a_notary(authority).tls(2)), Heard())
        with pytest.raises(NotTrusted, match="certificate"):
            await dialler.connect(address, Heard())


async def test_who_wants_a_secure_line_gets_no_plain_one(dialler: Dialler, authority: trustme.CA):
    async with a_csms(echo) as address:
        with pytest.raises(Unavailable):
            await dialler.connect(replace(address, tls=a_notary(authority).tls(2)), Heard())


@pytest.mark.parametrize("keeps", ["in memory", "in a directory"])
async def test_a_station_shows_the_certificate_that_it_was_given(
    dialler: Dialler, authority: trustme.CA, keeps: str, tmp_path: Path
):
    subjects: asyncio.Queue[object] = asyncio.Queue()

    async def note(connection: ServerConnection) -> None:
        subjects.put_nowait(connection.transport.get_extra_info("peercert")["subject"])

    notary = a_notary(authority, tmp_path if keeps == "in a directory" else None)
    assert notary.take_own(FAR_FUTURE, signed(authority, notary.request("CP001", "Gridtown")), "CP001", [])
    async with a_csms(note, tls=of_the_csms(authority, asks_for_certificates=True)) as address:
        await dialler.connect(replace(address, tls=notary.tls(3)), Heard())
        assert (("commonName", "CP001"),) in await subjects.get()  # type: ignore[operator]


async def test_a_station_that_shows_nothing_gets_nowhere(dialler: Dialler, authority: trustme.CA):
    heard = Heard()
    async with a_csms(echo, tls=of_the_csms(authority, asks_for_certificates=True)) as address:
        with pytest.raises(Unavailable):
            await dialler.connect(replace(address, tls=a_notary(authority).tls(2)), heard)
    assert heard.is_all


def signed(authority: trustme.CA, request: str) -> str:
    """The certificate that a station asked for; good for ever, since TLS asks the wall clock."""
    asked = x509.load_pem_x509_csr(request.encode())
    root = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    made = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(root.subject).serial_number(7)
    made = made.public_key(asked.public_key()).not_valid_before(root.not_valid_before_utc)
    made = made.not_valid_after(root.not_valid_after_utc)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]
