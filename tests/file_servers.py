"""Servers of files for stations: by FTP, and how any of them runs."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FIRMWARE = bytes(range(256)) * 1_000


@contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at(server: Any, path: str, scheme: str = "http", user: str = "", host: str = "127.0.0.1") -> str:
    return f"{scheme}://{user}{host}:{server.server_address[1]}{path}"


class Ftp(socketserver.ThreadingTCPServer):
    """A file server as small as can be, for those who know the password."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FtpSession)
        self.files = {"/pub/firmware.bin": FIRMWARE}
        self.folders = {"/", "/pub", "/pub/logs"}
        self.users = {"anonymous": "anonymous@", "me": "se/cret"}


class FtpSession(socketserver.StreamRequestHandler):
    server: Ftp

    def handle(self) -> None:
        self.folder, self.user, self.data = "/", "", socket.create_server(("127.0.0.1", 0))
        self.say("220 hello")
        with self.data:
            while line := self.rfile.readline().decode().strip():
                verb, _, argument = line.partition(" ")
                getattr(self, f"on_{verb.lower()}", self.on_unknown)(argument)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def path(self, name: str) -> str:
        return os.path.normpath(f"{self.folder}/{name}").replace("//", "/")

    def on_unknown(self, _: str) -> None:
        self.say("502 what?")

    def on_user(self, name: str) -> None:
        self.user = name
        self.say("331 and the password?")

    def on_pass(self, password: str) -> None:
        self.say("230 come in" if self.server.users.get(self.user) == password else "530 go away")

    def on_type(self, _: str) -> None:
        self.say("200 as you like")

    def on_cwd(self, name: str) -> None:
        found = self.path(name) in self.server.folders
        self.folder = self.path(name) if found else self.folder
        self.say("250 here" if found else "550 no such folder")

    def on_pasv(self, _: str) -> None:
        port = self.data.getsockname()[1]
        self.say(f"227 at (10,0,0,1,{port // 256},{port % 256})")  # nobody is there: clients must not believe it

    def on_retr(self, name: str) -> None:
        content = self.server.files.get(self.path(name))
        self.say("150 now" if content is not None else "550 no such file")
        if content is not None:
            with self.data.accept()[0] as connection:
                connection.sendall(content)
            self.say("226 done" if name != "cut.bin" else "426 broken off")

    def on_stor(self, name: str) -> None:
        self.say("150 now")
        with self.data.accept()[0] as connection, connection.makefile("rb") as file:
            self.server.files[self.path(name)] = file.read()
        self.say("226 done")
