"""`voltbench charge` as people run it: a process, at our home station and at one written from the course's sheet."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.ports import HeldPort
from tests.programs import Program, voltbench
from tests.waiting import DEADLINE_S, eventually

VOLTBENCH = str(Path(sys.executable).with_name("voltbench"))
AT_ONCE = ("--mode", "now", "--fuse-w", "30000", "--json")
"""In every hour, so that no test waits for one that fits."""

SHEET = [sys.executable, "-m", "tests.home_sheet"]
STANDS = [*SHEET, "0.4", "stands"]
"""Hours are short, and begin to pass once the story has come so far."""

ENDS_WITHIN_S = 120.0

IN_A_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Become a session's first process, whose terminal is at stdin, and go on as another command."""


INTERRUPTED_AT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a shell in the background has said
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{library}":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
from voltbench.apps.cli import main
main()
"""
"""`voltbench`, to which a signal is sent when it is about to import a library."""


class Server(NamedTuple):
    process: subprocess.Popen[bytes] | Program
    url: str

    def info(self) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.url}//info").json()
        return told

    @property
    def charges(self) -> bool:
        return bool(self.info()["ev_battery_charge_start_stopp"])

    def books(self) -> dict[str, float]:
        told: dict[str, float] = httpx.get(f"{self.url}/books").json()
        return told

    def go(self) -> None:
        httpx.post(f"{self.url}/go")

    def trouble(self, answers: int, kind: str) -> None:
        httpx.post(f"{self.url}/trouble", json={"answers": answers, "kind": kind})


@contextmanager
def serving(directory: Path, *command: str) -> Iterator[Server]:
    """A server that is gone afterwards."""
    log = directory / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=said, stderr=said)
    with gone_afterwards(process, log) as server:
        yield server


@contextmanager
def at_home(directory: Path, speed: float, *arguments: str, port: int = 0) -> Iterator[Server]:
    """A home of ours that is gone afterwards."""
    log = directory / "home.log"
    log.write_bytes(b"")
    options = ("--port", str(port), "--speed", str(speed), *arguments)
    with gone_afterwards(voltbench("home", *options, directory=directory, log=log), log) as server:
        yield server


@contextmanager
def gone_afterwards(process: subprocess.Popen[bytes] | Program, log: Path) -> Iterator[Server]:
    try:
        yield Server(process, eventually(lambda: listening(process, log)))
    finally:
        process.kill()
        process.wait()


def listening(process: subprocess.Popen[bytes] | Program, log: Path) -> str | None:
    assert process.poll() is None, log.read_text()
    found = re.search(r"listening on (http://\S+)", log.read_text())
    return found.group(1) if found else None


@contextmanager
def charging(directory: Path, url: str, *arguments: str) -> Iterator[Client]:
    """The client at work; its progress goes to a file."""
    told, log = directory / "told", directory / "client.log"
    log.touch()
    program = voltbench("charge", "--url", url, *arguments, directory=directory, log=told, errors=log)
    try:
        yield Client(program, told)
    finally:
        program.kill()
        program.wait()


class Client(NamedTuple):
    process: Program
    told: Path

    def ended(self, code: int) -> dict[str, Any]:
        """Wait for its end, and read its report."""
        assert self.process.wait(ENDS_WITHIN_S) == code, self.told.read_text()
        report: dict[str, Any] = json.loads(self.told.read_text())
        return report


def client_said(directory: Path, words: str) -> bool | None:
    return True if words in (directory / "client.log").read_text() else None


def test_the_course_day_at_a_server_written_from_its_sheet(tmp_path: Path):
    with (
        serving(tmp_path, *SHEET, "1.0") as server,
        charging(tmp_path, f"{server.url}/", "--reset", "--json", "--out", "report") as client,
    ):
        report = client.ended(0)
        books = server.books()
        assert not server.charges
    assert (report["ended"], report["left_off"], report["soc_end"]) == ("target reached", True, 0.7994)
    assert books["portions"] == 15
    assert books["cost_ore"] / 100 <= 13.74
    assert books["highest_kw"] <= 11.0
    assert report["cost_ore"] == pytest.approx(books["cost_ore"], abs=0.05)
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == report
    assert "target reached" in (tmp_path / "report" / "report.txt").read_text()
    assert "plotly" in (tmp_path / "report" / "report.html").read_text()
    lines = (tmp_path / "client.log").read_text().splitlines()
    hours = {line[:5] for line in lines if "öre/kWh" in line}
    assert len(hours) in (23, 24)  # a reset may be in the last quarter of an hour


@pytest.mark.parametrize("kind", ["500", "html", "error", "hang up"])
def test_a_server_that_stumbles_is_asked_again(tmp_path: Path, kind: str):
    with serving(tmp_path, *STANDS) as server:
        server.trouble(3, kind)
        with charging(tmp_path, server.url, *AT_ONCE, "--reset") as client:
            eventually(lambda: server.books()["charging"] or None)
            server.trouble(2, kind)
            server.go()
            report = client.ended(0)
        assert not server.books()["charging"]
    assert (report["ended"], report["left_off"]) == ("target reached", True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_interrupted_it_leaves_the_charger_off(tmp_path: Path, number: signal.Signals):
    with (
        at_home(tmp_path, 900.0) as server,
        charging(tmp_path, server.url, *AT_ONCE) as client,
    ):
        eventually(lambda: server.charges or None)
        client.process.send_signal(number)
        report = client.ended(128 + number)
        assert not server.charges
    assert (report["ended"], report["left_off"]) == ("interrupted", True)
    assert "Traceback" not in (tmp_path / "client.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("library", ["rich", "_ssl", "msgspec", "httpx"])
def test_interrupted_while_it_is_read_it_says_so_and_ends(tmp_path: Path, number: signal.Signals, library: str):
    """It is interrupted by itself, once it comes to a library: sooner or later in the second that all of them take."""
    log, at_library = tmp_path / "client.log", tmp_path / "at_library.py"
    at_library.write_text(INTERRUPTED_AT.format(library=library, number=int(number)))
    with log.open("wb") as said:
        command = [sys.executable, str(at_library), "charge", "--url", "http://127.0.0.1:9"]
        client = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            assert client.wait(DEADLINE_S) == 128 + number
        finally:
            client.kill()
            client.wait()
    assert log.read_text() == "voltbench: interrupted\n"


def test_it_is_not_suspended_for_nobody_would_switch_off(tmp_path: Path):
    with serving(tmp_path, *STANDS) as server, charging(tmp_path, server.url, *AT_ONCE) as client:
        eventually(lambda: server.books()["charging"] or None)
        client.process.send_signal(signal.SIGTSTP)
        server.go()
        report = client.ended(0)
        assert not server.books()["charging"]
    assert report["ended"] == "target reached"
    assert client_said(tmp_path, "not suspended")


def test_a_terminal_that_is_closed_leaves_the_charger_off(tmp_path: Path):
    """The kernel says it and so may a shell; nothing can be written any more, and the server stumbles as well."""
    terminal, end = pty.openpty()
    with serving(tmp_path, *SHEET, "4") as server:
        command = [sys.executable, "-c", IN_A_TERMINAL, VOLTBENCH, "charge", "--url", server.url, *AT_ONCE]
        client = subprocess.Popen(command, cwd=tmp_path, stdin=end, stdout=end, stderr=end, start_new_session=True)
        os.close(end)
        try:
            eventually(lambda: server.books()["charging"] or None)
            server.trouble(5, "500")
            os.close(terminal)
            client.send_signal(signal.SIGHUP)
            client.wait(DEADLINE_S)
        finally:
            client.kill()
            client.wait()
        assert not server.books()["charging"]


def test_without_a_terminal_from_the_start_a_closed_one_does_not_matter(tmp_path: Path):
    with serving(tmp_path, *STANDS) as server:
        as_nohup = ["nohup", VOLTBENCH, "charge", "--url", server.url, *AT_ONCE, "--out", "report"]
        nothing = subprocess.DEVNULL
        client = subprocess.Popen(as_nohup, cwd=tmp_path, stdin=nothing, stdout=nothing, stderr=nothing)
        try:
            eventually(lambda: server.books()["charging"] or None)
            client.send_signal(signal.SIGHUP)
            server.go()
            assert client.wait(ENDS_WITHIN_S) == 0
        finally:
            client.kill()
            client.wait()
    assert json.loads((tmp_path / "report" / "report.json").read_text())["ended"] == "target reached"


def test_interrupted_while_the_server_stumbles_it_goes_on_until_the_charger_is_off(tmp_path: Path):
    with serving(tmp_path, *SHEET, "4") as server, charging(tmp_path, server.url, *AT_ONCE) as client:
        eventually(lambda: server.books()["charging"] or None)
        server.trouble(20, "500")
        client.process.send_signal(signal.SIGTERM)
        report = client.ended(128 + signal.SIGTERM)
        assert not server.books()["charging"]
    assert report["left_off"]
    assert client_said(tmp_path, "switching off")


def test_a_server_that_is_killed_and_comes_again_is_charged_at_again(tmp_path: Path):
    with (
        at_home(tmp_path, 1_800.0) as server,
        charging(tmp_path, server.url, *AT_ONCE) as client,
    ):
        eventually(lambda: server.info()["battery_capacity_kWh"] > 12 or None)
        server.process.kill()
        server.process.wait()
        with HeldPort(int(server.url.rpartition(":")[2])) as port:
            eventually(lambda: client_said(tmp_path, "trying again"))
            with at_home(tmp_path, 9_000.0, port=port.number) as again:
                report = client.ended(0)
                assert not again.charges
                assert again.info()["battery_capacity_kWh"] >= 37.01
    assert report["ended"] == "target reached"
    assert client_said(tmp_path, "answers again")


def test_a_server_that_is_lost_for_good_is_told(tmp_path: Path):
    with at_home(tmp_path, 900.0) as server:
        arguments = (*AT_ONCE, "--patience-s", "0.4")
        with charging(tmp_path, server.url, *arguments) as client:
            eventually(lambda: server.charges or None)
            server.process.kill()
            server.process.wait()
            report = client.ended(3)
    assert not report["left_off"]
    assert report["ended"].startswith("failed: ")
    assert client_said(tmp_path, "nobody knows whether the charger is off")


def test_a_home_of_many_behind_a_token(tmp_path: Path):
    with at_home(tmp_path, 9_000.0, "--token", "secret") as server:
        as_owner = {"authorization": "Bearer secret"}
        villa = f"{server.url}/homes/villa"
        httpx.put(villa, json={"speed": 9_000, "cap_soc": 0.8, "start_soc": 0.7}, headers=as_owner)
        with charging(tmp_path, villa, *AT_ONCE, "--token", "secret") as client:
            report = client.ended(0)
        assert not httpx.get(f"{villa}/info", headers=as_owner).json()["ev_battery_charge_start_stopp"]
    assert report["soc_end"] == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "ftp://home"), "url"),
        (("--departure", "25"), "departure"),
        (("--until-soc", "80"), "until-soc"),
        (("--mode", "cheap"), "mode"),
        (("--url", "http://127.0.0.1:9", "--patience-s", "0"), "cannot be asked"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(tmp_path: Path, arguments: tuple[str, ...], words: str):
    log = tmp_path / "client.log"
    assert voltbench("charge", *arguments, directory=tmp_path, log=log).wait(DEADLINE_S) == 2
    assert words in log.read_text().splitlines()[-1]
    assert "Traceback" not in log.read_text()
