"""Files that stations fetch and deliver. A URL comes from a peer: it leads to a server, or below one folder."""

from __future__ import annotations

import asyncio
import base64
import ftplib
import http.client
import logging
import os
import re
import socket
import ssl
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from voltbench.adapters.aside import aside
from voltbench.errors import InvalidInput, Unavailable, VoltbenchError
from voltbench.ocpp.orders import Deliver, Fetch

LARGEST_FILE = 64 << 20
PATIENCE_S = 30.0
"""How long a server may take for its next word."""

LONGEST_S = 600.0
"""How long a transfer may take."""

AT_ONCE = 16
MOST_REDIRECTS = 5
CHUNK = 64 << 10

OK = 200
REDIRECTS = {"GET": (301, 302, 303, 307, 308), "PUT": (307, 308), "POST": (307, 308)}
"""Those after which the same is asked for elsewhere. RFC 9110, section 15.4."""

NO_SUCH_METHOD = (405, 501)

TROUBLE = (VoltbenchError, OSError, http.client.HTTPException, ftplib.Error, EOFError, ValueError)

_log = logging.getLogger(__name__)


class Transfers:
    """Carries out what stations order, each transfer in a thread that the process does not wait for at its end.

    `folder` is what `file:` URLs may lead to; without one they lead nowhere. It should hold nothing else.
    """

    def __init__(self, folder: Path | None = None, *, largest: int = LARGEST_FILE) -> None:
        self._folder = folder.resolve() if folder is not None else None
        self._largest = largest
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._errands: set[_Errand] = set()
        self._is_closed = False

    async def carry_out(self, order: Fetch | Deliver, tls: ssl.SSLContext | None = None) -> bytes | None:
        """What the file holds, b"" where one was delivered, None where that failed; the log says why.

        `tls` says whom to trust for `https`; the system's authorities where it is None.
        """
        async with self._slots:
            errand = _Errand(self._folder, self._largest, tls, self._is_closed)
            self._errands.add(errand)
            try:
                async with asyncio.timeout(LONGEST_S):
                    return await aside(lambda: errand.run(order))
            except TROUBLE as error:
                _log.warning("%r: %s", _without_password(order.location), str(error) or type(error).__name__)
                return None
            finally:
                self._errands.discard(errand)
                errand.give_up()

    async def close(self) -> None:
        """Give up what is under way, and what begins from now on."""
        self._is_closed = True
        for errand in self._errands:
            errand.give_up()


@dataclass(eq=False)
class _Errand:
    """One transfer. It runs in a thread; whoever is tired of waiting takes its sockets away."""

    folder: Path | None
    largest: int
    tls: ssl.SSLContext | None
    is_given_up: bool = False
    sockets: list[socket.socket] = field(default_factory=list)

    def run(self, order: Fetch | Deliver) -> bytes:
        """What is fetched, or nothing. Raises any of TROUBLE."""
        self.watch()
        url = urlsplit(order.location)
        if url.scheme not in SCHEMES:
            raise InvalidInput("location", "is of no kind that is served", allowed=", ".join(SCHEMES))
        fetch, deliver = SCHEMES[url.scheme]
        if isinstance(order, Fetch):
            return fetch(self, url)
        deliver(self, url, _file_name(order.name), order.content)
        return b""

    def watch(self, *connections: socket.socket) -> None:
        """Sockets that this errand waits for from now on. Raises Unavailable where nobody waits for it."""
        self.sockets += connections
        if self.is_given_up:
            raise Unavailable("given up")

    def give_up(self) -> None:
        """Nobody waits any more."""
        self.is_given_up = True
        for connection in self.sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def whole(self, read: Callable[[int], bytes]) -> bytes:
        """All that can be read."""
        content = bytearray()
        while chunk := read(CHUNK):
            content += chunk
            if len(content) > self.largest:
                raise InvalidInput("file", "is too large", allowed=f"{self.largest} bytes")
        return bytes(content)


# --- http and https -------------------------------------------------------------------------------------------------


def _get(errand: _Errand, url: SplitResult) -> bytes:
    status, content = _ask(errand, "GET", url, None)
    _require(status == OK, status)
    return content


def _put(errand: _Errand, url: SplitResult, name: str, content: bytes) -> None:
    if url.path.endswith("/") or not url.path:
        url = url._replace(path=f"{url.path or '/'}{quote(name)}")
    status, _ = _ask(errand, "PUT", url, content)
    if status in NO_SUCH_METHOD:
        status, _ = _ask(errand, "POST", url, content)
    _require(status // 100 == OK // 100, status)


def _require(accepted: bool, status: int) -> None:
    if not accepted:
        raise Unavailable(f"the server answers {status} {http.client.responses.get(status, '')}")


def _ask(errand: _Errand, method: str, url: SplitResult, content: bytes | None) -> tuple[int, bytes]:
    """The answer's status, and what it holds if it is a file; redirects are followed to the same scheme only."""
    for _ in range(MOST_REDIRECTS + 1):
        with closing(_connection(errand, url)) as connection:
            connection.connect()
            errand.watch(connection.sock)
            connection.request(method, _target(url), content, _credentials(url))
            with connection.getresponse() as answer:
                if answer.status not in REDIRECTS[method]:
                    return answer.status, _held(errand, answer) if method == "GET" and answer.status == OK else b""
                url = _elsewhere(url, answer.getheader("Location", ""))
    raise Unavailable(f"more than {MOST_REDIRECTS} redirects")


def _connection(errand: _Errand, url: SplitResult) -> http.client.HTTPConnection:
    if url.scheme == "https":
        return http.client.HTTPSConnection(_host(url), url.port, timeout=PATIENCE_S, context=errand.tls)
    return http.client.HTTPConnection(_host(url), url.port, timeout=PATIENCE_S)


def _host(url: SplitResult) -> str:
    if not url.hostname:
        raise InvalidInput("location", "names no server")
    return url.hostname


def _target(url: SplitResult) -> str:
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~")
    return f"{path}?{quote(url.query, safe='/?%:@!$&()*+,;=~')}" if url.query else path


def _credentials(url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    who = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(who.encode()).decode()}"}


def _held(errand: _Errand, answer: http.client.HTTPResponse) -> bytes:
    content = errand.whole(answer.read)
    if answer.length:  # http.client does not mind
        raise Unavailable(f"the connection broke {answer.length} bytes before the end")
    return content


def _elsewhere(url: SplitResult, location: str) -> SplitResult:
    server = url.netloc.rpartition("@")[2]
    found = urlsplit(urljoin(url._replace(netloc=server).geturl(), location))
    if found.scheme != url.scheme or not location:
        raise InvalidInput("redirect", "leads to another scheme, or nowhere", found=_without_password(location))
    return found._replace(netloc=url.netloc) if found.netloc == server else found


# --- ftp ------------------------------------------------------------------------------------------------------------


def _retrieve(errand: _Errand, url: SplitResult) -> bytes:
    with closing(_logged_in(errand, url)) as ftp:
        *folders, name = _segments(url)
        for folder in folders:
            ftp.cwd(folder)
        with ftp.transfercmd(f"RETR {name}") as connection:
            errand.watch(connection)
            content = errand.whole(connection.recv)
        ftp.voidresp()
        return content


def _store(errand: _Errand, url: SplitResult, name: str, content: bytes) -> None:
    with closing(_logged_in(errand, url)) as ftp:
        *folders, last = _segments(url)
        for folder in folders:
            ftp.cwd(folder)
        if not last or _is_folder(ftp, last):
            last = name
        with ftp.transfercmd(f"STOR {last}") as connection:
            errand.watch(connection)
            connection.sendall(content)
        ftp.voidresp()


def _logged_in(errand: _Errand, url: SplitResult) -> ftplib.FTP:
    ftp = ftplib.FTP(timeout=PATIENCE_S)
    try:
        ftp.connect(_host(url), url.port or ftplib.FTP_PORT)
        errand.watch(*([ftp.sock] if ftp.sock is not None else []))
        ftp.login(unquote(url.username or "anonymous"), unquote(url.password or "anonymous@"))
        ftp.voidcmd("TYPE I")
    except BaseException:
        ftp.close()
        raise
    return ftp


def _segments(url: SplitResult) -> list[str]:
    """The folders to go through, and the file. RFC 1738, section 3.2.2."""
    return [unquote(segment) for segment in url.path.removeprefix("/").split("/")]


def _is_folder(ftp: ftplib.FTP, name: str) -> bool:
    try:
        ftp.cwd(name)
    except ftplib.error_perm:
        return False
    return True


# --- files ----------------------------------------------------------------------------------------------------------


def _read(errand: _Errand, url: SplitResult) -> bytes:
    path = _below(errand.folder, url)
    if not path.is_file():
        raise Unavailable("there is no such file")
    with path.open("rb") as file:
        return errand.whole(file.read)


def _write(errand: _Errand, url: SplitResult, name: str, content: bytes) -> None:
    path = _below(errand.folder, url)
    if url.path.endswith("/") or path.is_dir() or path == errand.folder:
        path /= name
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as unfinished:
        (Path(unfinished) / "file").write_bytes(content)
        os.replace(Path(unfinished) / "file", path)


def _below(folder: Path | None, url: SplitResult) -> Path:
    """Where a URL leads when all links are followed, if that is below the folder."""
    path = Path(os.path.realpath(unquote(url.path)))
    if folder is None or url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise InvalidInput("location", "is not served here")
    if not path.is_relative_to(folder.resolve()):
        raise InvalidInput("location", "is not below the folder that is served")
    return path


def _file_name(name: str) -> str:
    """A name for one file in a folder, whatever the station is called."""
    return re.sub(r"[/\\\x00-\x1f]", "_", name).lstrip(".") or "_"


def _without_password(location: str) -> str:
    return re.sub(r"//[^/?#]*@", "//", location)


_Fetching = Callable[[_Errand, SplitResult], bytes]
_Delivering = Callable[[_Errand, SplitResult, str, bytes], None]

SCHEMES: dict[str, tuple[_Fetching, _Delivering]] = {
    "http": (_get, _put),
    "https": (_get, _put),
    "ftp": (_retrieve, _store),
    "file": (_read, _write),
}
"""How a file is fetched and delivered, by the scheme of its URL."""
