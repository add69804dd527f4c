"""A fault of ours in one thing that a station does is told and logged, and nothing else suffers from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from tests.ocpp16 import AC_22, NoNotary, OnTheBench, an_ac_car
from voltbench.adapters.ocpp_station.host import HostedStation, StationHost
from voltbench.adapters.ocpp_station.line import Address, Line, Listener
from voltbench.charging.happenings import Happening, Sampled, StatusChanged, TransactionStarted
from voltbench.clock import ScaledClock, wall_instant
from voltbench.errors import Unavailable
from voltbench.ocpp.orders import Deliver, Fetch
from voltbench.ocpp.rpc import Refused
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.registration import Identity
from voltbench.ocpp.v16.station.station import Station
from voltbench.quantities import Instant


class FullDisk(NoNotary):
    """Cannot write."""

    def is_valid(self, _now: int, certificate: str) -> bool:
        raise OSError("no space left on device")


def test_who_asked_for_what_cannot_be_done_is_told():
    bench = OnTheBench(notary=FullDisk())
    request = m.InstallCertificate(certificate_type="CentralSystemRootCertificate", certificate="x")
    with pytest.raises(OSError, match="no space"):
        bench.ask(request, m.InstallCertificateResponse)
    bench.station.stumble(bench.now)
    bench.settle()
    refused = bench.answered[-1]
    assert isinstance(refused, Refused)
    assert refused.code == "InternalError"
    assert bench.ask(m.ClearCache(), m.ClearCacheResponse).status == "Accepted"


def test_what_else_has_happened_is_told_though_one_thing_could_not_be():
    bench = OnTheBench()

    def hear(_now: Instant, fact: Happening) -> None:
        if isinstance(fact, StatusChanged):
            raise LookupError("a listener's fault")

    bench.station.on_fact = hear
    with pytest.raises(LookupError):
        bench.plug_in(an_ac_car())
    bench.station.stumble(bench.now)
    with pytest.raises(LookupError):
        bench.present("TAG")  # it starts, and is `Charging`
    bench.station.stumble(bench.now)
    bench.settle()
    assert bench.told("StartTransaction")
    assert bench.statuses() == ["Available", "Preparing", "Charging"]


def test_a_number_with_too_many_signs_is_no_number():
    bench = OnTheBench()
    for wrong in ("--5", "-", "5-", "+5", "1_0", "٣"):
        request = m.ChangeConfiguration(key="MeterValueSampleInterval", value=wrong)
        assert bench.ask(request, m.ChangeConfigurationResponse).status == "Rejected"


# --- where many stations live ----------------------------------------------------------------------------------------


class Deaf:
    """Lines that lead nowhere, but stand."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ears: list[Listener] = []

    async def connect(self, _address: Address, listener: Listener) -> Line:
        self.ears.append(listener)
        return self

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def close(self) -> None:
        """Nothing stands any more."""
        for ear in self.ears:
            ear.on_closed()


class NoLines:
    """There is no network."""

    async def connect(self, _address: Address, _listener: Listener) -> Line:
        raise Unavailable("a line", "there is no network")


class NoFiles:
    """Nothing is to be carried."""

    async def carry_out(self, order: Fetch | Deliver, tls: object = None) -> bytes | None:
        raise AssertionError(f"nobody was to ask for {order}")

    async def close(self) -> None:
        """Nothing is ever under way."""


def hosted(host: StationHost, id: str) -> HostedStation:
    keys = {"MeterValueSampleInterval": "10", "AllowOfflineTxForUnknownId": "true"}
    ids = iter(range(1_000_000))
    station = Station(
        host.now(), Identity(id), AC_22, FullDisk(), new_id=lambda: f"{next(ids)}", chance=lambda: 0.5, fixed=keys
    )
    return host.add(station, lambda _: Address("ws://nowhere", "ocpp1.6"))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  it happens on a clock
            await asyncio.sleep(0.005)


async def test_a_frame_that_makes_a_station_stumble_is_answered_and_logged(caplog: pytest.LogCaptureFixture):
    line = Deaf()
    host = StationHost(ScaledClock(wall_instant()), line, None, NoFiles())
    hosted(host, "CP-1")
    await until(lambda: line.sent)
    payload = b'{"certificateType":"CentralSystemRootCertificate","certificate":"x"}'
    with caplog.at_level(logging.ERROR):
        line.ears[0].on_frame(b'[2,"1","InstallCertificate",' + payload + b"]")
    assert line.sent[-1].startswith(b'[4,"1","InternalError"')
    assert "CP-1 stumbled" in caplog.text
    assert "no space left" in caplog.text
    await host.close()


async def test_a_station_that_stumbles_stops_no_other_nor_itself(caplog: pytest.LogCaptureFixture):
    host = StationHost(ScaledClock(wall_instant(), 60.0), NoLines(), None, NoFiles())
    heard: dict[str, list[Happening]] = {"CP-1": [], "CP-2": []}
    for id, facts in heard.items():
        one = hosted(host, id)

        def hear(_now: Instant, fact: Happening, id: str = id, facts: list[Happening] = facts) -> None:
            facts.append(fact)
            if id == "CP-1" and isinstance(fact, Sampled):
                raise LookupError("a listener's fault")

        one.station.on_fact = hear
        one.do(lambda station, now: station.plug_in(now, 1, an_ac_car()))
        one.do(lambda station, now: station.present(now, "TAG", 1))
    assert all(any(isinstance(fact, TransactionStarted) for fact in facts) for facts in heard.values())
    with caplog.at_level(logging.CRITICAL):
        await until(lambda: all(sum(isinstance(f, Sampled) for f in facts) >= 3 for facts in heard.values()))
    await host.close()
