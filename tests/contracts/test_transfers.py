"""Files that stations fetch and deliver, from and to real servers."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.file_servers import FIRMWARE, Ftp, at, running
from voltbench.adapters.ocpp_station.transfers import Transfers
from voltbench.ocpp.orders import Deliver, Fetch

TRANSFERS = "voltbench.adapters.ocpp_station.transfers"
DEADLINE_S = 60.0


@pytest.fixture
async def transfers() -> AsyncIterator[Transfers]:
    async with made() as made_without_a_folder:
        yield made_without_a_folder


@asynccontextmanager
async def made(*arguments: Any, **choices: Any) -> AsyncIterator[Transfers]:
    transfers = Transfers(*arguments, **choices)
    try:
        yield transfers
    finally:
        await transfers.close()


def a_log(location: str, name: str = "CP001.log") -> Deliver:
    return Deliver(1, location, name, b"plugged in\n")


# --- http -----------------------------------------------------------------------------------------------------------


class Web(ThreadingHTTPServer):
    """A web server that keeps what is put, and sends its visitors around."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.files = {"/firmware.bin": FIRMWARE}
        self.redirects: dict[str, str] = {}
        self.status_of_a_redirect = 307
        self.takes_put = True
        self.asked: list[tuple[str, str]] = []
        self.authorization: str | None = None


class Page(BaseHTTPRequestHandler):
    server: Web

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def note(self) -> bool:
        """Whether the visitor may stay."""
        self.server.asked.append((self.command, self.path))
        self.server.authorization = self.headers["Authorization"]
        self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        elsewhere = self.server.redirects.get(self.path)
        if elsewhere is not None:
            self.answer(self.server.status_of_a_redirect, Location=elsewhere)
        return elsewhere is None

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, header in {"Content_Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), header)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if not self.note():
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.answer(404)
        elif self.path == "/cut.bin":
            self.answer(200, content, Content_Length=str(len(content) + 1))
        else:
            self.answer(200, content)

    def do_PUT(self) -> None:
        if not self.server.takes_put and self.command == "PUT":
            self.note()
            self.answer(405)
        elif self.note():
            self.server.files[self.path] = self.content
            self.answer(201)

    do_POST = do_PUT  # noqa: N815


@pytest.fixture
def web() -> Iterator[Web]:
    with running(Web()) as server:
        yield server


async def test_a_file_is_fetched_as_it_is(transfers: Transfers, web: Web):
    assert await transfers.carry_out(Fetch(1, at(web, "/firmware.bin"))) == FIRMWARE


async def test_what_is_not_there_is_not_fetched_and_the_log_says_why(transfers: Transfers, web: Web, caplog):
    assert await transfers.carry_out(Fetch(1, at(web, "/other.bin", user="me:secret@"))) is None
    assert "404" in caplog.text
    assert "secret" not in caplog.text


async def test_a_file_that_breaks_off_is_not_fetched(transfers: Transfers, web: Web, caplog):
    web.files["/cut.bin"] = FIRMWARE
    assert await transfers.carry_out(Fetch(1, at(web, "/cut.bin"))) is None
    assert "1 bytes before the end" in caplog.text


async def test_a_file_without_measure_is_not_fetched(web: Web, caplog):
    async with made(largest=len(FIRMWARE)) as transfers:
        assert await transfers.carry_out(Fetch(1, at(web, "/firmware.bin"))) == FIRMWARE
        web.files["/firmware.bin"] += b"!"
        assert await transfers.carry_out(Fetch(1, at(web, "/firmware.bin"))) is None
    assert "too large" in caplog.text


async def test_a_file_is_put_where_the_url_says(transfers: Transfers, web: Web):
    assert await transfers.carry_out(a_log(at(web, "/logs/today.txt"))) == b""
    assert await transfers.carry_out(a_log(at(web, "/logs/?key=1"), "CP 1/2.log")) == b""
    assert await transfers.carry_out(a_log(at(web, ""))) == b""
    assert {path for path, content in web.files.items() if content == b"plugged in\n"} == {
        "/logs/today.txt",
        "/logs/CP%201_2.log?key=1",
        "/CP001.log",
    }


async def test_who_takes_no_put_is_sent_a_post(transfers: Transfers, web: Web):
    web.takes_put = False
    assert await transfers.carry_out(a_log(at(web, "/logs/"))) == b""
    assert web.asked == [("PUT", "/logs/CP001.log"), ("POST", "/logs/CP001.log")]


async def test_who_takes_nothing_at_all_is_told_as_a_failure(transfers: Transfers, web: Web):
    web.redirects["/logs/CP001.log"] = "/elsewhere"
    web.status_of_a_redirect = 303
    assert await transfers.carry_out(a_log(at(web, "/logs/"))) is None


async def test_a_redirect_is_followed_with_the_same_credentials_to_the_same_server_only(transfers: Transfers, web: Web):
    web.redirects = {"/old.bin": "/firmware.bin", "/away.bin": at(web, "/firmware.bin", host="localhost")}
    assert await transfers.carry_out(Fetch(1, at(web, "/old.bin", user="me:secret@"))) == FIRMWARE
    assert web.authorization == f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert await transfers.carry_out(Fetch(1, at(web, "/away.bin", user="me:secret@"))) == FIRMWARE
    assert web.authorization is None


@pytest.mark.parametrize(
    "elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/x", "https://127.0.0.1/x", "/round", ""]
)
async def test_a_redirect_to_another_scheme_or_in_a_circle_is_not_followed(transfers: Transfers, web: Web, elsewhere):
    web.redirects["/round"] = elsewhere
    assert await transfers.carry_out(Fetch(1, at(web, "/round"))) is None
    assert len(web.asked) <= 6


async def test_https_is_for_those_who_are_vouched_for(transfers: Transfers, web: Web):
    authority, context, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trusting)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    assert await transfers.carry_out(Fetch(1, at(web, "/firmware.bin", "https")), trusting) == FIRMWARE
    assert await transfers.carry_out(Fetch(1, at(web, "/firmware.bin", "https"))) is None


# --- patience -------------------------------------------------------------------------------------------------------


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that always has one more word."""
    try:
        while not reader.at_eof():
            writer.write(b"X")
            await writer.drain()
            await asyncio.sleep(0.005)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(100):
        pass
    writer.close()


@pytest.mark.parametrize("scheme", ["http", "ftp"])
@pytest.mark.parametrize(("server", "limit"), [(drip, "LONGEST_S"), (keep_silent, "PATIENCE_S")])
async def test_nobody_waits_for_ever(transfers: Transfers, monkeypatch, server, limit, scheme):
    monkeypatch.setattr(f"{TRANSFERS}.{limit}", 0.1)
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening, asyncio.timeout(DEADLINE_S):
        port = listening.sockets[0].getsockname()[1]
        assert await transfers.carry_out(Fetch(1, f"{scheme}://127.0.0.1:{port}/firmware.bin")) is None


async def test_what_is_under_way_is_given_up_at_the_end(transfers: Transfers):
    is_asked = asyncio.Event()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_asked.set()
        await keep_silent(reader, writer)

    async with await asyncio.start_server(note, "127.0.0.1", 0) as listening, asyncio.timeout(DEADLINE_S):
        port = listening.sockets[0].getsockname()[1]
        under_way = asyncio.create_task(transfers.carry_out(Fetch(1, f"http://127.0.0.1:{port}/firmware.bin")))
        await is_asked.wait()
        await transfers.close()
        assert await under_way is None


@contextmanager
def a_crowd() -> Iterator[int]:
    """A port before which so many stand already that who comes now gets no answer at all."""
    with ExitStack() as crowd:
        door = crowd.enter_context(socket.socket())
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for _ in range(4):
            visitor = crowd.enter_context(socket.socket())
            visitor.setblocking(False)
            visitor.connect_ex(door.getsockname())
        yield door.getsockname()[1]


TO_A_CROWD = """
import asyncio, sys, psutil
from voltbench.adapters.ocpp_station import transfers
from voltbench.ocpp.orders import Fetch
transfers.PATIENCE_S = 3_600.0

def is_connecting():
    return any(one.status == psutil.CONN_SYN_SENT for one in psutil.Process().net_connections("tcp"))

async def main(url):
    made = transfers.Transfers()
    under_way = asyncio.create_task(made.carry_out(Fetch(1, url)))
    while not is_connecting():
        await asyncio.sleep(0.01)
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    await made.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
def test_a_process_ends_though_nobody_has_answered_a_transfer_of_its_yet(scheme: str):
    with a_crowd() as port:
        asked = [sys.executable, "-c", TO_A_CROWD, f"{scheme}://127.0.0.1:{port}/firmware.bin"]
        subprocess.run(asked, check=True, timeout=DEADLINE_S)


# --- ftp ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ftp() -> Iterator[Ftp]:
    with running(Ftp()) as server:
        yield server


async def test_a_file_is_retrieved(transfers: Transfers, ftp: Ftp):
    assert await transfers.carry_out(Fetch(1, at(ftp, "/pub/firmware.bin", "ftp"))) == FIRMWARE
    assert await transfers.carry_out(Fetch(1, at(ftp, "/pub/firmware.bin", "ftp", "me:se%2Fcret@"))) == FIRMWARE


async def test_what_cannot_be_retrieved_is_told_as_a_failure(transfers: Transfers, ftp: Ftp):
    ftp.files["/pub/cut.bin"] = FIRMWARE
    for path, user in (("/pub/other.bin", ""), ("/pub/cut.bin", ""), ("/no/firmware.bin", ""), ("/pub/", "")):
        assert await transfers.carry_out(Fetch(1, at(ftp, path, "ftp", user))) is None
    assert await transfers.carry_out(Fetch(1, at(ftp, "/pub/firmware.bin", "ftp", "me:wrong@"))) is None
    assert await transfers.carry_out(Fetch(1, at(ftp, "/pub/x%0D%0ADELE%20firmware.bin", "ftp"))) is None


async def test_a_file_without_measure_is_not_retrieved(ftp: Ftp):
    async with made(largest=len(FIRMWARE) - 1) as transfers:
        assert await transfers.carry_out(Fetch(1, at(ftp, "/pub/firmware.bin", "ftp"))) is None


async def test_a_file_is_stored_in_the_folder_that_the_url_leads_to_or_under_its_name(transfers: Transfers, ftp: Ftp):
    for path in ("/pub/logs/", "/pub", "/pub/today.txt", ""):
        assert await transfers.carry_out(a_log(at(ftp, path, "ftp"))) == b""
    stored = {path for path, content in ftp.files.items() if content == b"plugged in\n"}
    assert stored == {"/pub/logs/CP001.log", "/pub/CP001.log", "/pub/today.txt", "/CP001.log"}
    assert await transfers.carry_out(a_log(at(ftp, "/no/such/folder/", "ftp"))) is None


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    served = tmp_path / "served"
    (served / "logs").mkdir(parents=True)
    (served / "new firmware.bin").write_bytes(FIRMWARE)
    (served / "way-out").symlink_to(tmp_path)
    (served / "secret").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(served / "pipe")
    return served


async def test_a_file_below_the_folder_is_read(folder: Path):
    async with made(folder) as transfers:
        assert await transfers.carry_out(Fetch(1, f"file://{folder}/new%20firmware.bin")) == FIRMWARE
        assert await transfers.carry_out(Fetch(1, f"file://localhost{folder}/logs/../new%20firmware.bin")) == FIRMWARE


async def test_a_file_is_written_below_the_folder_whole_and_alone(folder: Path):
    before = everything_around(folder)
    async with made(folder) as transfers:
        for path in ("", "/logs", "/new/", "/today.txt"):
            assert await transfers.carry_out(a_log(f"file://{folder}{path}", "../CP001.log")) == b""
    written = everything_around(folder) - before
    names = ("_CP001.log", "logs/_CP001.log", "new", "new/_CP001.log", "today.txt")
    assert written == {folder / name for name in names}
    assert (folder / "today.txt").read_bytes() == b"plugged in\n"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/logs/..%2f../secret.txt",
        "/way-out/secret.txt",
        "/secret",
        "/logs",
        "/pipe",
        "/nothing",
        "-not/secret.txt",
        "/logs%00",
    ],
)
async def test_nothing_else_is_read(folder: Path, path: str):
    async with made(folder) as transfers:
        assert await transfers.carry_out(Fetch(1, f"file://{folder}{path}")) is None


@pytest.mark.parametrize("path", ["/../", "/../new.txt", "/way-out/", "/way-out/new.txt", "/secret", "-not/", "/pipe/"])
async def test_nothing_else_is_written(folder: Path, path: str):
    before = everything_around(folder)
    async with made(folder) as transfers:
        assert await transfers.carry_out(a_log(f"file://{folder}{path}")) is None
    assert everything_around(folder) == before
    assert (folder.parent / "secret.txt").read_text() == "secret"


def everything_around(folder: Path) -> set[Path]:
    return {Path(place) / name for place, folders, files in os.walk(folder.parent) for name in (*folders, *files)}


@pytest.mark.parametrize(
    "location",
    [
        "{served}/new%20firmware.bin",
        "file://otherhost{served}/new%20firmware.bin",
        "file:new%20firmware.bin",
        "sftp://127.0.0.1/x",
        "data:,x",
        "http://",
        "ftp://",
        "ftp:///x",
        "http://127.0.0.1:99999/",
        "http://[/",
        "http://a..b/",
        "",
    ],
)
async def test_a_url_that_leads_nowhere_is_told_as_a_failure(folder: Path, location: str):
    async with made(folder) as transfers:
        for order in (Fetch(1, location.format(served=folder)), a_log(location.format(served=folder))):
            assert await transfers.carry_out(order) is None


async def test_without_a_folder_no_file_is_read(transfers: Transfers, folder: Path):
    assert await transfers.carry_out(Fetch(1, f"file://{folder}/new%20firmware.bin")) is None
