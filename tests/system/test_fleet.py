"""`voltbench fleet` and `voltbench station` at `voltbench csms`: programs of their own, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.csms_live import CsmsProcess, a_csms_process
from tests.programs import Program, voltbench
from tests.waiting import eventually
from voltbench.adapters.catalog import Catalog
from voltbench.apps.station_choices import StationChoices, Stations, tags_of
from voltbench.running.comings import PROFILES

VOLTBENCH = str(Path(sys.executable).with_name("voltbench"))


class Csms:
    """A CSMS in a process of its own."""

    def __init__(self, program: CsmsProcess, client: httpx.Client) -> None:
        self.process = program.process
        self.url = program.url
        self.client = client

    def transactions(self, state: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before: dict[str, int] = {}
        while True:
            page = self.client.get("/csms/transactions", params={"state": state, "limit": 500, **before}).json()
            found += page["transactions"]
            if page["next"] is None:
                return found
            before = {"before": page["next"]}

    def has_said(self, station: str, word: str) -> bool:
        """Whether a word is in what goes to and fro between it and a station."""
        return word in self.client.get(f"/csms/stations/{station}/wire").text

    def of(self, prefix: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of a fleet."""
        return [one for one in found if one["station_id"].startswith(prefix)]


@pytest.fixture
def csms(tmp_path: Path) -> Iterator[Csms]:
    with a_csms_process(tmp_path, "--unknown-tokens", "accepted") as running:
        with httpx.Client(base_url=running.api, timeout=30) as client:
            yield Csms(running, client)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
        assert "Traceback" not in running.said


def fleet(csms: Csms, directory: Path, *options: str) -> Program:
    arguments = ["fleet", "--csms", csms.url, "--speed", "20", "--ramp", "200/s", *options]
    return voltbench(*arguments, directory=directory, log=directory / "fleet.log")


def some(found: list[dict[str, Any]], count: int) -> list[dict[str, Any]] | None:
    return found if len(found) >= count else None


def test_a_fleet_that_is_not_let_in_says_why(csms: Csms, tmp_path: Path) -> None:
    csms.client.put("/csms/stations/VB-00001", json={"password": "a long password"})
    options = ("--stations", "1", "--duration", "1s", "--out", "report")
    assert fleet(csms, tmp_path, *options).wait(60) == 0
    said = " ".join((tmp_path / "fleet.log").read_text().split())
    assert "connections failed" in said
    assert "the last: ws://" in said
    assert "401" in said
    assert "401" in json.loads((tmp_path / "report" / "report.json").read_text())["figures"]["errors"]


def test_a_fleet_charges_and_reports(csms: Csms, tmp_path: Path) -> None:
    options = ("--stations", "20", "--speed", "60", "--duration", "10m", "--out", "report")
    running = fleet(csms, tmp_path, *options)
    eventually(lambda: some(csms.transactions("open") + csms.transactions("closed"), 10))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0, (tmp_path / "fleet.log").read_text()
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["errors_received"] == report["errors_sent"] == report["connections_failed"] == 0
    assert report["transactions"] >= 10
    assert report["energy_wh"] > 0.0
    assert 0.0 < report["latency_s"]["0.5"] <= report["latency_s"]["0.99"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "20 stations" in page
    assert "answers overdue" in page
    assert 'src="http' not in page


def test_a_fleet_in_the_greatest_hurry_ends_and_says_things_once(csms: Csms, tmp_path: Path) -> None:
    options = ("--stations", "100", "--speed", "6000", "--duration", "2s")
    assert fleet(csms, tmp_path, *options).wait(60) == 0
    said = (tmp_path / "fleet.log").read_text()
    assert len(said.splitlines()) < 20, said
    assert "0 about transactions wait" in said


def test_a_fleet_whose_csms_answers_no_more_ends_when_it_is_told_to(csms: Csms, tmp_path: Path) -> None:
    """Each of two fleets, by a signal of its own."""
    signals = {"T": signal.SIGTERM, "I": signal.SIGINT}
    options = ("--stations", "20", "--speed", "6000", "--duration", "10m")
    for name in signals:
        (tmp_path / name).mkdir()
    running = {name: fleet(csms, tmp_path / name, "--prefix", name, *options) for name in signals}
    for name in signals:
        eventually(lambda name=name: some(csms.of(name, csms.transactions("open")), 1))  # type: ignore[misc]
    csms.process.send_signal(signal.SIGSTOP)
    try:
        for name, number in signals.items():
            running[name].send_signal(number)
        assert [one.wait(60) for one in running.values()] == [0, 0]
    finally:
        csms.process.send_signal(signal.SIGCONT)
    assert all(len((tmp_path / name / "fleet.log").read_text().splitlines()) < 20 for name in signals)


def test_a_fleet_whose_tag_nobody_knows_is_told_so(csms: Csms, tmp_path: Path) -> None:
    assert csms.client.put("/csms/tokens/BLOCKED", json={"status": "Blocked"}).is_success
    options = ("--stations", "5", "--speed", "50", "--duration", "10m", "--tag", "BLOCKED", "--out", "report")
    running = fleet(csms, tmp_path, *options)
    eventually(lambda: any(csms.has_said(f"VB-{n:05}", "Blocked") for n in range(1, 6)) or None)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["transactions"] == 0
    assert report["refused"] > 0


def test_a_fleet_in_a_hurry_tells_of_each_transaction_once_and_leaves_none_open(csms: Csms, tmp_path: Path) -> None:
    options = ("--stations", "40", "--speed", "2000", "--duration", "4s", "--out", "report")
    assert fleet(csms, tmp_path, *options).wait(90) == 0, (tmp_path / "fleet.log").read_text()
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    found = csms.transactions("closed")
    assert csms.transactions("open") == []
    assert len(found) == report["transactions"] >= 40
    assert report["errors_received"] == report["errors_sent"] == report["overdue"] == report["stumbles"] == 0
    assert report["waiting_messages"] == 0
    assert all(one["id"] > 0 and one["reason"] == "Local" for one in found)
    tags = [one["id_token"] for one in found]
    assert len(tags) == len(set(tags))


def test_one_tag_for_all_is_allowed_to_one_of_them(csms: Csms, tmp_path: Path) -> None:
    assert csms.client.put("/csms/tokens/ONE", json={}).is_success
    options = (
        "--stations",
        "5",
        "--speed",
        "50",
        "--duration",
        "10m",
        "--tag",
        "ONE",
        "--leave-running",
        "--out",
        "report",
    )
    running = fleet(csms, tmp_path, *options)
    eventually(lambda: some(csms.transactions("closed"), 1))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0, (tmp_path / "fleet.log").read_text()
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert "ONE" in {one["id_token"] for one in csms.transactions("open")}
    assert {one["reason"] for one in csms.transactions("closed")} == {"DeAuthorized"}
    assert report["deauthorized"] > 0
    assert "not allowed afterwards" in (tmp_path / "report" / "report.html").read_text()


def test_a_run_says_when_it_began_so_that_it_can_be_had_again(csms: Csms, tmp_path: Path) -> None:
    options = ("--stations", "2", "--duration", "1s", "--starts-at", "2026-06-01T08:00:00+02:00", "--out", "report")
    assert fleet(csms, tmp_path, *options).wait(60) == 0, (tmp_path / "fleet.log").read_text()
    assert json.loads((tmp_path / "report" / "report.json").read_text())["starts_at"] == "2026-06-01T06:00:00.000Z"
    assert "2026-06-01T06:00:00.000Z, seed 0" in (tmp_path / "fleet.log").read_text()


def drivers_to_come(choices: StationChoices, arrivals: str) -> list[tuple[object, ...]]:
    """The first of those who come to a station of a fleet that is made now."""
    made = Stations(choices, Catalog())
    visits = made.visits_to("VB-00017", arrivals, 20.0, made.started_at)
    shown = zip(islice(visits, 50), tags_of("VB-00017", [], 16), strict=False)
    return [(visit.arrives_at, visit.vehicle, visit.asked_wh, visit.departs_at, tag) for visit, tag in shown]


@pytest.mark.parametrize("arrivals", PROFILES)
async def test_the_same_seed_and_start_bring_the_same_drivers(arrivals: str) -> None:
    choices = StationChoices("ws://127.0.0.1:1", "alfen-eve-double-pro", seed=7, starts_at=1_780_000_000_000)
    once = drivers_to_come(choices, arrivals)
    assert drivers_to_come(choices, arrivals) == once
    assert drivers_to_come(replace(choices, seed=8), arrivals) != once
    assert len({tag for *_, tag in once}) == len(once) == 50


def test_tags_that_are_chosen_go_round_at_each_station() -> None:
    assert [list(islice(tags_of("VB-1", ["A", "B"], number), 3)) for number in (0, 1)] == [list("ABA"), list("BAB")]


def test_a_tag_is_no_longer_than_a_tag_may_be() -> None:
    assert next(tags_of("A-PREFIX-WITHOUT-AN-END-00017", [], 16)) == "WITHOUT-AN-END-00017-1"[-20:]


def test_a_killed_fleet_loses_and_doubles_no_transaction(csms: Csms, tmp_path: Path) -> None:
    options = ("--stations", "100", "--duration", "10m", "--data", "kept")
    running = fleet(csms, tmp_path, *options)
    begun = eventually(lambda: some(csms.transactions("open"), 200))
    running.kill()
    running.wait()
    again = fleet(csms, tmp_path, *options)
    ids = {one["id"] for one in begun}
    over = eventually(lambda: some([one for one in csms.transactions("closed") if one["id"] in ids], len(ids)))
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) == 0
    assert {one["reason"] for one in over} == {"PowerLoss"}
    everything = [*csms.transactions("open"), *csms.transactions("closed")]
    keys = [(one["station_id"], one["connector_id"], one["started_at"]) for one in everything]
    assert len(keys) == len(set(keys))


def test_somebody_at_a_station(csms: Csms, tmp_path: Path) -> None:
    command = [VOLTBENCH, "station", "--csms", csms.url, "--id", "MINE", "--data", "kept"]
    typed = "plug 1 kia-ev6-77 40%\ntap TAG\nnonsense\nfault 2 GroundFailure\nstatus\ntap TAG\nunplug\nquit\n"
    done = subprocess.run(command, cwd=tmp_path, input=typed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for words in ("MINE accepted by its CSMS", "EVSE 1: Preparing", "EVSE 2: Faulted (GroundFailure)", "! command"):
        assert words in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_leaves_a_station_hangs_up_at_once(csms: Csms, tmp_path: Path, number: int, code: int) -> None:
    command = [VOLTBENCH, "station", "--csms", csms.url, "--id", "MINE"]
    keyboard, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    with (tmp_path / "said").open("w") as said:
        driven = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=said, stderr=said)
    eventually(lambda: "accepted by" in (tmp_path / "said").read_text() or None)
    driven.send_signal(number)  # as a terminal does at Ctrl-C; nobody presses Enter
    assert driven.wait(30) == code
    assert (tmp_path / "said").read_text().endswith("\nMINE hangs up\n")
    assert termios.tcgetattr(terminal) == before
    assert os.get_blocking(terminal)
    for end in (keyboard, terminal):
        os.close(end)
    eventually(lambda: csms.client.get("/csms/stations/MINE").json()["is_connected"] is False or None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--csms", "http://x"], "csms: is no address of a CSMS, found 'http://x'"),
        (["--csms", "ws://x", "--duration", "soon"], "duration: is out of range"),
        (["--csms", "ws://x", "--ramp", "fast"], "ramp: is out of range"),
        (["--csms", "ws://x", "--arrivals", "never"], "arrivals: is out of range"),
        (["--csms", "ws://x", "--key", "Nonsense=1"], "key: is no configuration key"),
        (["--csms", "ws://x", "--model", "nothing"], "nothing"),
        (["--csms", "ws://x", "--starts-at", "soon"], "starts-at: is no time"),
        (["--csms", "ws://x", "--tag", "X" * 21], "tag: is no name"),
        (["--csms", "ws://x", "--seed", "-1"], "seed: is out of range, found -1, allowed: 0 to"),
        (["--csms", "ws://x", "--key", "HeartbeatInterval=--5"], "HeartbeatInterval: cannot be set to that"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, options: list[str], words: str) -> None:
    log = tmp_path / "fleet.log"
    assert voltbench("fleet", *options, directory=tmp_path, log=log).wait(60) == 2
    (said,) = log.read_text().splitlines()
    assert words in said
