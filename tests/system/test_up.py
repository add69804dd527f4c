"""`voltbench up` as people run it: a process in an empty directory, talked to over HTTP, stopped, killed, restarted."""

from __future__ import annotations

import json
import math
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.apis import Up, up
from tests.waiting import eventually
from voltbench.apps.up import up as start_up
from voltbench.errors import InvalidInput

VOLTBENCH = str(Path(sys.executable).with_name("voltbench"))
CAR = {"chargerId": "CP001", "connectorId": 1, "vehicleMaxPower": 150}
MANY = {
    "stationId": "MANY",
    "gridCapacity": 400,
    "chargers": [{"id": f"C{n}", "maxPower": 400, "connectors": 100} for n in range(10)],
}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty directory."""
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


def client_of(running: Up, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=running.address, headers=headers, timeout=30)


def test_an_empty_directory_becomes_a_bench_that_goes_on_after_a_restart(empty: Path) -> None:
    with up(empty) as running, client_of(running) as client:
        assert client.get("/health").json()["status"] == "ok"
        assert {site["id"]: site["speed"] for site in client.get("/sites").json()["sites"]} == {
            "default": 1,
            "demo": 60,
        }
        started = client.post("/sessions", json=CAR).json()
        assert started["allocatedPower"] == 150
        assert running.ends(signal.SIGTERM) == 0, running.said
        assert "Traceback" not in running.said
    assert sorted(path.name for path in empty.iterdir()) == ["data"]
    with up(empty) as running, client_of(running) as client:
        told = client.get(f"/sessions/{started['sessionId']}").json()
        assert told.items() >= started.items()
        assert client.post("/sessions", json=CAR).status_code == 409
        assert client.post(f"/sessions/{started['sessionId']}/stop").status_code == 204
        assert running.ends(signal.SIGINT) == 0, running.said


def test_its_csms_meets_strangers_as_it_is_told(empty: Path) -> None:
    options = ("--no-demo", "--unknown", "rejected", "--unknown-tokens", "accepted")
    with up(empty, *options) as running, client_of(running) as client:
        assert client.get("/csms/stations").status_code == 200
        port = eventually(lambda: re.search(r"ws://127.0.0.1:(\d+)", running.said))[1]
        with connect(f"ws://127.0.0.1:{port}/CP1", subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as station:
            station.send('[2,"b","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"One"}]')
            assert json.loads(station.recv())[2]["status"] == "Rejected"
            assert client.put("/csms/stations/CP1", json={"registration": "Accepted"}).is_success
            station.send('[2,"a","Authorize",{"idTag":"ADA"}]')
            assert json.loads(station.recv())[2] == {"idTagInfo": {"status": "Accepted"}}


def test_streams_end_when_the_bench_does(empty: Path) -> None:
    with up(empty, "--no-demo") as running, client_of(running) as client:
        with client.stream("GET", "/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "event: Site"
            client.post("/sessions", json=CAR)
            assert any(line == "event: SessionStarted" for line in lines)
            assert any(line == "event: LimitSet" for line in lines)
            running.process.send_signal(signal.SIGTERM)
            list(lines)
        assert running.ends() == 0, running.said


HALF_REQUESTS = [
    b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Le",
    b'POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"charg',
    b"POST /station/config HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
]


def test_who_stops_in_the_middle_of_a_request_does_not_hold_the_bench_up(empty: Path) -> None:
    patience = {"voltbench.apps.serving:PATIENCE_S": 0.5}
    with up(empty, "--no-demo", constants=patience) as running, ExitStack() as connections:
        url = httpx.URL(running.address)
        clients = [connections.enter_context(socket.create_connection((url.host, url.port or 0))) for _ in range(3)]
        for client, half in zip(clients, HALF_REQUESTS, strict=True):
            client.sendall(half)
        with client_of(running) as other:
            assert other.get("/health").status_code == 200
        assert running.ends(signal.SIGTERM) == 0, running.said
        assert "Traceback" not in running.said
        assert running.said.rstrip().endswith("stopped")
        answers = [client.makefile("rb").read() for client in clients]
        assert [answer[:12] for answer in answers] == [b"", b"HTTP/1.1 503", b"HTTP/1.1 503"]


def test_a_request_whose_head_has_no_end_is_not_read(empty: Path) -> None:
    endless = b"x" * 300_000
    heads = [
        b"GET /" + endless,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + endless,
        b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: " + endless,
    ]
    with up(empty, "--no-demo") as running, client_of(running) as other:
        url = httpx.URL(running.address)
        for head in heads:
            with socket.create_connection((url.host, url.port or 0)) as client, suppress(ConnectionError):
                client.sendall(head)
                assert client.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 422")
                client.settimeout(10)
                while client.recv(65_536):
                    pass
        assert other.post("/station/config", content=b" " * 500_000).status_code == 400
        assert running.ends(signal.SIGTERM) == 0, running.said
        assert "Traceback" not in running.said


def test_a_head_that_is_too_long_is_refused_also_when_it_comes_at_once(empty: Path) -> None:
    long = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n"
    with up(empty, "--no-demo") as running, client_of(running) as other:
        url = httpx.URL(running.address)
        with socket.create_connection((url.host, url.port or 0)) as client, suppress(ConnectionError):
            client.sendall(long)
            assert client.recv(12) == b"HTTP/1.1 400"
        assert other.get("/health").status_code == 200
        assert "Traceback" not in running.said


def test_the_demo_lives_at_its_speed(empty: Path) -> None:
    with up(empty, "--speed", "3600") as running, client_of(running) as client:

        def at(site: str) -> int:
            told: int = client.get(f"/sites/{site}").json()["at"]
            return told

        demo, default = at("demo"), at("default")
        eventually(lambda: at("demo") > demo + 3_600_000 or None)
        assert at("default") < default + 3_600_000


def test_with_a_token_strangers_are_refused(empty: Path) -> None:
    with up(empty, "--no-demo", "--host", "0.0.0.0", "--token", "s3cret") as running:
        port = httpx.URL(running.address).port
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/health").status_code == 200
            assert client.get("/station/status").status_code == 401
            answer = client.get("/station/status", headers={"Authorization": "Bearer s3cret"})
            assert answer.status_code == 200
        assert "s3cret" not in running.said


def refused(empty: Path, *arguments: str) -> str:
    """What it says when it does not start: one line, exit code 2, and nothing is written."""
    with up(empty, *arguments) as running:
        assert running.ends() == 2, running.said
        assert running.said.startswith("voltbench: ")
        assert running.said.count("\n") == 1
        assert list(empty.iterdir()) == []
        return running.said


def test_an_open_door_without_a_token_stays_shut(empty: Path) -> None:
    assert "--token" in refused(empty, "--host", "0.0.0.0")


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ({"speed": 0.0}, "speed"),
        ({"speed": math.nan}, "speed"),
        ({"store": "mysql://x"}, "store"),
        ({"host": "nowhere.invalid"}, "host"),
        ({"retention": math.nan}, "retention"),
        ({"port": 65_536}, "port"),
        ({"host": "::"}, "--token"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(
    empty: Path, monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any], word: str
) -> None:
    monkeypatch.chdir(empty)
    with pytest.raises(InvalidInput, match=word):
        start_up(**{"port": 0} | choice)
    assert list(empty.iterdir()) == []


def test_a_port_in_use_is_told_before_anything_is_written(empty: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(empty, "--port", port)
    assert port in said
    assert "in use" in said


def test_one_directory_is_for_one_process(empty: Path) -> None:
    with up(empty, "--no-demo") as running:
        assert running.address
        command = [VOLTBENCH, "up", "--port", "0", "--csms-port", "0", "--no-demo"]
        second = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False, timeout=120)
        assert second.returncode == 2
        assert "another voltbench process" in second.stderr
        assert second.stderr.count("\n") == 1


# --- kill -9 ---------------------------------------------------------------------------------------------------------


class Drivers:
    """Clients that plug in and unplug as fast as they can, and note what they were told."""

    def __init__(self, address: str, first_connector: int) -> None:
        self.started: set[str] = set()
        self.stopped: set[str] = set()
        self.in_doubt: set[str] = set()
        self._address = address
        self._threads = [
            threading.Thread(target=self._drive, args=(range(first_connector + n, first_connector + 250, 4),))
            for n in range(4)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def have_started(self, count: int) -> None:
        """Return when so many sessions have been started."""
        eventually(lambda: len(self.started) >= count or None)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _drive(self, connectors: range) -> None:
        with httpx.Client(base_url=self._address) as client:
            try:
                for connector in connectors:
                    self._charge(client, connector, stops=connector % 3 == 0)
            except httpx.TransportError:
                return  # killed

    def _charge(self, client: httpx.Client, connector: int, *, stops: bool) -> None:
        place = {"chargerId": f"C{connector // 100}", "connectorId": 1 + connector % 100}
        answer = client.post("/sessions", json=place | {"vehicleMaxPower": 11})
        assert answer.status_code == 201, answer.text
        session = answer.json()["sessionId"]
        self.started.add(session)
        if stops:
            self.in_doubt.add(session)
            assert client.post(f"/sessions/{session}/stop").status_code == 204
            self.stopped.add(session)
            self.in_doubt.remove(session)


def running_sessions(client: httpx.Client) -> list[str]:
    chargers = client.get("/station/status").json()["chargers"]
    connectors: list[dict[str, Any]] = [connector for charger in chargers for connector in charger["connectors"]]
    return [connector["session"]["sessionId"] for connector in connectors if connector["session"]]


def ended_sessions(client: httpx.Client) -> list[str]:
    page = client.get("/sites/default/history", params={"limit": 1_000}).json()
    return [session["id"] for session in page["sessions"]]


class Told:
    """What clients were told in all lives together."""

    def __init__(self) -> None:
        self.started: set[str] = set()
        self.stopped: set[str] = set()
        self.in_doubt: set[str] = set()
        self.lives = 0

    def add(self, drivers: Drivers) -> None:
        self.started |= drivers.started
        self.stopped |= drivers.stopped
        self.in_doubt |= drivers.in_doubt
        self.lives += 1

    def is_true_of(self, client: httpx.Client) -> None:
        here, gone = running_sessions(client), ended_sessions(client)
        assert len(set(here + gone)) == len(here + gone), "somebody is there twice"
        assert self.started <= set(here + gone)
        assert self.stopped <= set(gone)
        assert self.started - self.stopped - self.in_doubt <= set(here)
        assert len(here + gone) <= len(self.started) + 4 * self.lives, "somebody is invented"


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_session_that_a_client_was_told_about_is_lost_by_kill_9(
    empty: Path, store: str, request: pytest.FixtureRequest
) -> None:
    arguments = ["--no-demo"] + (["--store", request.getfixturevalue("postgresql_url")] if store != "sqlite" else [])
    chance = random.Random(f"kill -9 on {store}")
    told = Told()
    for life in range(3):
        with up(empty, *arguments) as running, client_of(running) as client:
            if life == 0:
                assert client.post("/station/config", json=MANY).status_code == 200
            told.is_true_of(client)
            drivers = Drivers(running.address, first_connector=250 * life)
            drivers.start()
            drivers.have_started(chance.randint(1, 60))
            assert running.ends(signal.SIGKILL) == -signal.SIGKILL
            drivers.join()
            told.add(drivers)
    with up(empty, *arguments) as running, client_of(running) as client:
        told.is_true_of(client)
        assert running.ends(signal.SIGTERM) == 0
