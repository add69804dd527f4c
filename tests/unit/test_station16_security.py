"""The CSMS hears of each security event of a station once, whatever the line does."""

from __future__ import annotations

from tests.ocpp16 import NoNotary, OnTheBench, an_ac_car
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.security import MOST_WAITING
from voltbench.quantities import rfc3339

SECURE = {"SecurityProfile": "1", "AuthorizationKey": "0123456789abcdef"}
STARTUP, CHANGED, NO_ROOT = (
    "StartupOfTheDevice",
    "ReconfigurationOfSecurityParameters",
    "InvalidCentralSystemCertificate",
)


class Suspicious(NoNotary):
    """Believes no certificate."""

    def is_valid(self, _now: int, certificate: str) -> bool:
        return False


def events(bench: OnTheBench) -> list[str]:
    return [event.type for event in bench.told("SecurityEventNotification")]


def forge(bench: OnTheBench) -> None:
    """Give a station a certificate that is none."""
    request = m.InstallCertificate(certificate_type="CentralSystemRootCertificate", certificate="forged")
    assert bench.ask(request, m.InstallCertificateResponse).status == "Rejected"


def test_a_change_of_security_is_told_though_it_ends_the_line():
    bench = OnTheBench(fixed=SECURE)
    bench.holds = {"Heartbeat"}
    bench.advance(300)
    at = rfc3339(bench.now)
    request = m.ChangeConfiguration(key="AuthorizationKey", value="fedcba9876543210")
    bench.ask(request, m.ChangeConfigurationResponse)
    bench.holds = set()
    bench.advance(60)
    assert events(bench) == [STARTUP, CHANGED]
    assert bench.told("SecurityEventNotification")[1].timestamp == at
    assert not any(key.startswith("event/") for key in bench.memory)


def test_an_event_that_died_with_its_line_is_told_again_and_those_after_it_later():
    bench = OnTheBench(notary=Suspicious())
    bench.holds = {"SecurityEventNotification"}
    forge(bench)
    forge(bench)
    bench.holds = set()
    assert events(bench) == [NO_ROOT]
    bench.flicker()
    assert events(bench) == [NO_ROOT] * 3
    bench.flicker()
    assert events(bench) == [NO_ROOT] * 3


def test_a_boot_without_a_csms_is_told_of_even_after_a_kill():
    bench = OnTheBench(fixed=SECURE, boots=False)
    bench.is_reachable = False
    bench.advance(30)
    again = OnTheBench(fixed=SECURE, memory=bench.memory, now=bench.now + 1_000)
    first, second = again.told("SecurityEventNotification")
    assert (first.type, first.timestamp) == (STARTUP, rfc3339(bench.now - 30_000))
    assert (second.type, second.timestamp) == (STARTUP, rfc3339(bench.now + 1_000))


def test_transactions_do_not_wait_for_a_csms_that_knows_nothing_of_security():
    bench = OnTheBench(fixed=SECURE, boots=False)
    bench.answers["SecurityEventNotification"] = lambda _: None
    bench.advance(0)
    bench.plug_in(an_ac_car())
    bench.present("TAG")
    assert events(bench) == [STARTUP]
    assert len(bench.told("StartTransaction")) == 1


def test_an_event_that_is_refused_is_told_again_and_given_up_at_last():
    bench = OnTheBench(fixed=SECURE | {"TransactionMessageRetryInterval": "10"}, boots=False)
    bench.answers["SecurityEventNotification"] = lambda _: None
    for seconds, attempts in ((9, 1), (2, 2), (18, 2), (2, 3), (600, 3)):
        bench.advance(seconds)
        assert events(bench) == [STARTUP] * attempts
    assert not any(key.startswith("event/") for key in bench.memory)


def test_of_very_many_events_the_last_are_remembered():
    bench = OnTheBench(notary=Suspicious())
    bench.holds = {"SecurityEventNotification"}
    for _ in range(MOST_WAITING + 20):
        bench.advance(0.1)
        forge(bench)
    assert sum(key.startswith("event/") for key in bench.memory) == MOST_WAITING
    bench.let_go()
    bench.advance(1)
    told = [event.timestamp for event in bench.told("SecurityEventNotification")]
    assert told == sorted(told)
    assert len(told) == MOST_WAITING + 1
    assert not any(key.startswith("event/") for key in bench.memory)


def test_an_event_that_had_to_make_room_while_it_was_told_and_then_is_refused_is_not_told_again():
    bench = OnTheBench(notary=Suspicious())
    bench.holds = {"SecurityEventNotification"}
    at = rfc3339(bench.now)
    for _ in range(MOST_WAITING + 1):
        forge(bench)
        bench.advance(1)
    bench.answers["SecurityEventNotification"] = lambda _: None
    bench.let_go()
    assert sum(key.startswith("event/") for key in bench.memory) == MOST_WAITING
    again = OnTheBench(memory=bench.memory, now=bench.now)
    again.advance(1)
    told = [event.timestamp for event in again.told("SecurityEventNotification")]
    assert len(told) == MOST_WAITING
    assert at not in told
