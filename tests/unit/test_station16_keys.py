"""Configuration keys of OCPP 1.6 that change what a station is seen to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from tests.ocpp16 import AC_22, DC_150, INVALID, NoNotary, OnTheBench, an_ac_car
from voltbench.charging.happenings import Blinked, Happening
from voltbench.charging.station import ConnectorModel
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.notary import Use
from voltbench.ocpp.v16.vendor import VENDOR
from voltbench.quantities import rfc3339

CAPTIVE = msgspec.structs.replace(
    AC_22, connectors=tuple(msgspec.structs.replace(c, type="cType2") for c in AC_22.connectors)
)
SWITCHING = msgspec.structs.replace(AC_22, switches_phases=True)


def charging(bench: OnTheBench, token: str = "TAG", phases: int = 3) -> OnTheBench:
    bench.plug_in(an_ac_car(phases=phases))
    bench.present(token, 1)
    bench.advance(1)
    return bench


def change(bench: OnTheBench, key: str, value: str) -> Any:
    return bench.ask(m.ChangeConfiguration(key=key, value=value), m.ChangeConfigurationResponse).status


def told(bench: OnTheBench, key: str) -> Any:
    return bench.ask(m.GetConfiguration(key=(key,)), m.GetConfigurationResponse).configuration_key[0].value


# --- UnlockConnectorOnEVSideDisconnect -------------------------------------------------------------------------------

LOCKED = {"UnlockConnectorOnEVSideDisconnect": "false"}


def test_a_cable_stays_locked_until_its_driver_shows_his_token_again():
    bench = charging(OnTheBench(fixed=LOCKED))
    bench.unplug()
    assert bench.told("StopTransaction")[0].reason == "EVDisconnected"
    assert bench.statuses()[-1] == "Finishing"
    bench.present("OTHER", 1)
    assert bench.statuses()[-1] == "Finishing"
    assert len(bench.told("StartTransaction")) == 1
    bench.present("tag")
    assert bench.statuses()[-1] == "Available"
    assert len(bench.told("Authorize")) == 2


def test_or_until_the_operator_unlocks_it():
    bench = charging(OnTheBench(fixed=LOCKED))
    bench.unplug()
    assert bench.ask(m.UnlockConnector(connector_id=1), m.UnlockConnectorResponse).status == "Unlocked"
    assert bench.statuses()[-1] == "Available"


def test_a_cable_that_is_let_go_of_leaves_with_its_car():
    bench = charging(OnTheBench(fixed=LOCKED))
    assert change(bench, "UnlockConnectorOnEVSideDisconnect", "true") == "Accepted"
    bench.unplug()
    assert bench.statuses()[-1] == "Available"


def test_who_has_stopped_with_his_token_has_his_cable():
    bench = charging(OnTheBench(fixed=LOCKED))
    bench.present("TAG")
    bench.unplug()
    assert bench.statuses()[-2:] == ["Finishing", "Available"]


def test_a_captive_cable_is_nobodys():
    bench = charging(OnTheBench(CAPTIVE, fixed=LOCKED))
    bench.unplug()
    assert bench.statuses()[-1] == "Available"


def test_a_transaction_that_goes_on_without_its_car_ends_with_the_cable_free():
    bench = charging(OnTheBench(fixed=LOCKED | {"StopTransactionOnEVSideDisconnect": "false"}))
    bench.unplug()
    assert bench.statuses()[-1] == "SuspendedEV"
    bench.present("TAG")
    assert bench.told("StopTransaction")[0].reason == "Local"
    assert bench.statuses()[-1] == "Available"


def test_a_cable_that_was_left_can_be_plugged_in_again():
    bench = charging(OnTheBench(fixed=LOCKED))
    bench.unplug()
    bench.plug_in(an_ac_car())
    bench.present("NEXT", 1)
    assert [start.id_tag for start in bench.told("StartTransaction")] == ["TAG", "NEXT"]


# --- ResetRetries ----------------------------------------------------------------------------------------------------


def errors(bench: OnTheBench, evse: int = 0) -> list[str]:
    return [told.error_code for told in bench.told("StatusNotification") if told.connector_id == evse]


def test_a_reset_that_fails_is_tried_again():
    bench = charging(OnTheBench(fixed={"ResetRetries": "2"}))
    bench.station.fail(bench.now, 0, "ResetFailure")
    bench.ask(m.Reset(type="Hard"), m.ResetResponse)
    bench.advance(15)
    assert not bench.told("StopTransaction")
    bench.station.repair(bench.now, 0)
    bench.advance(15)
    assert bench.told("StopTransaction")[0].reason == "HardReset"
    assert len(bench.told("BootNotification")) == 2
    assert set(errors(bench)) == {"NoError"}


@pytest.mark.parametrize(("retries", "seconds"), [("0", 0), ("2", 20)])
def test_and_given_up_after_so_many_times(retries, seconds):
    bench = charging(OnTheBench(fixed={"ResetRetries": retries}))
    bench.station.fail(bench.now, 0, "ResetFailure")
    before = bench.now
    bench.ask(m.Reset(type="Soft"), m.ResetResponse)
    bench.advance(60)
    failed = bench.told("StatusNotification")[-1]
    assert (failed.error_code, failed.status, failed.timestamp) == (
        "ResetFailure",
        "Available",
        rfc3339(before + 1_000 * seconds),
    )
    assert len(bench.told("BootNotification")) == 1
    assert not bench.told("StopTransaction")
    bench.station.repair(bench.now, 0)
    bench.settle()
    assert errors(bench)[-2:] == ["ResetFailure", "NoError"]


# --- ConnectorPhaseRotation ------------------------------------------------------------------------------------------


def phases(bench: OnTheBench, measurand: str = "Current.Import") -> list[str]:
    samples = bench.told("MeterValues")[-1].meter_value[0].sampled_value
    return [sample.phase for sample in samples if sample.measurand == measurand]


@pytest.mark.parametrize(
    ("rotation", "line"),
    [("", "L1"), ("1.RST", "L1"), ("1.STR,2.TRS", "L2"), ("2.STR", "L1"), ("0.TRS,1.RST", "L3"), ("0.STR,1.STR", "L3")],
)
def test_a_car_on_one_phase_is_on_that_of_the_grid(rotation, line):
    bench = OnTheBench(fixed={"ConnectorPhaseRotation": rotation})
    charging(bench, phases=1).advance(60)
    assert phases(bench) == [line]
    assert phases(bench, "Voltage") == [f"{line}-N"]


def test_two_phases_are_told_in_the_order_of_the_grid_and_a_change_counts_at_once():
    bench = charging(OnTheBench(), phases=2)
    bench.advance(60)
    assert phases(bench) == ["L1", "L2"]
    assert change(bench, "ConnectorPhaseRotation", "0.RST, 1.TRS, 2.RTS") == "Accepted"
    bench.advance(60)
    assert phases(bench) == ["L1", "L3"]


@pytest.mark.parametrize(
    "value", ["1.ABC", "RST", "1.RST,1.STR", "3.RST", "x.RST", "1.RST 2.RST", "0.RST,1.RST,2.RST,3.RST", "-1.RST"]
)
def test_rotations_that_cannot_be_are_rejected(value):
    bench = OnTheBench()
    assert change(bench, "ConnectorPhaseRotation", value) == "Rejected"
    assert told(bench, "ConnectorPhaseRotation") == "1.RST,2.RST"


def test_no_more_rotations_than_are_allowed():
    bench = OnTheBench(fixed={"ConnectorPhaseRotationMaxLength": "1"})
    assert change(bench, "ConnectorPhaseRotation", "1.RST,2.RST") == "Rejected"
    assert change(bench, "ConnectorPhaseRotation", "2.RST") == "Accepted"
    assert told(OnTheBench(DC_150), "ConnectorPhaseRotation") == "1.NotApplicable,2.NotApplicable"


# --- lights ----------------------------------------------------------------------------------------------------------


def light(bench: OnTheBench, evse: int = 1) -> str:
    life = bench.station.life
    return str(life.lights.shown(bench.now, evse, life.status(evse)))


def test_lights_are_as_bright_as_they_are_told_to_be():
    bench = OnTheBench()
    assert light(bench) == "green 100%"
    assert change(bench, "LightIntensity", "30") == "Accepted"
    assert light(bench) == "green 30%"
    assert light(charging(bench)) == "blue 30%"
    assert light(OnTheBench(memory=bench.memory)) == "green 30%"
    change(bench, "LightIntensity", "0")
    assert light(bench) == "dark"


def test_lights_blink_at_who_shows_a_token():
    bench = OnTheBench(fixed={"BlinkRepeat": "3"})
    facts: list[Happening] = []
    bench.station.on_fact = lambda _, fact: facts.append(fact)
    bench.plug_in(an_ac_car())
    bench.present("TAG", 1)
    assert light(bench) == "green 100%, blinks 3x"
    bench.advance(1)
    assert light(bench) == "green 100%, blinks 1x"
    bench.advance(1)
    assert light(bench) == "blue 100%"
    bench.answers["Authorize"] = lambda _: m.AuthorizeResponse(id_tag_info=INVALID)
    bench.present("BAD", 2)
    assert light(bench, 2) == "red 100%, blinks 3x"
    blinked = [(fact.evse, fact.colour, fact.times) for fact in facts if isinstance(fact, Blinked)]
    assert blinked == [(1, "green", 3), (2, "red", 3)]


def test_lights_that_are_not_to_blink_do_not():
    assert light(charging(OnTheBench())) == "blue 100%"


# --- AdditionalRootCertificateCheck ----------------------------------------------------------------------------------


class Names(NoNotary):
    """Certificates that are their names: `new<old` was issued by `old`, or by `something<old`."""

    def is_valid(self, _now: int, certificate: str) -> bool:
        return True

    def is_issued_by(self, _now: int, certificate: str, issuer: str) -> bool:
        return certificate.partition("<")[2] == issuer.partition("<")[0]

    def trust(self, use: Use, roots: Sequence[str]) -> None:
        self.trusted = list(roots)


def install(bench: OnTheBench, certificate: str) -> Any:
    request = m.InstallCertificate(certificate_type="CentralSystemRootCertificate", certificate=certificate)
    return bench.ask(request, m.InstallCertificateResponse).status


def test_a_root_is_replaced_by_one_that_it_has_issued_and_is_kept_to_fall_back_to():
    notary = Names()
    bench = OnTheBench(notary=notary, fixed={"AdditionalRootCertificateCheck": "true"})
    assert install(bench, "first") == "Accepted"
    assert install(bench, "stranger") == "Rejected"
    assert [event.type for event in bench.told("SecurityEventNotification")] == ["InvalidCentralSystemCertificate"]
    assert notary.trusted == ["first"]
    assert install(bench, "second<first") == "Accepted"
    assert notary.trusted == ["first", "second<first"]
    assert install(bench, "second<first") == "Accepted"
    assert install(bench, "other<first") == "Rejected"
    assert install(bench, "third<second") == "Accepted"
    assert notary.trusted == ["second<first", "third<second"]


def test_any_number_of_roots_is_known_where_that_is_not_checked():
    notary = Names()
    bench = OnTheBench(notary=notary)
    assert [install(bench, name) for name in ("first", "stranger", "other")] == ["Accepted"] * 3
    assert len(notary.trusted) == 3


# --- ConnectorSwitch3to1PhaseSupported -------------------------------------------------------------------------------


def limited(bench: OnTheBench, *periods: tuple[int, float, int]) -> OnTheBench:
    profile = m.ChargingProfile(
        charging_profile_id=1,
        stack_level=0,
        charging_profile_purpose="TxProfile",
        charging_profile_kind="Relative",
        charging_schedule=m.ChargingSchedule(
            charging_rate_unit="A",
            charging_schedule_period=tuple(
                m.ChargingSchedulePeriod(start_period=s, limit=limit, number_phases=n) for s, limit, n in periods
            ),
        ),
    )
    request = m.SetChargingProfile(connector_id=1, cs_charging_profiles=profile)
    assert bench.ask(request, m.SetChargingProfileResponse).status == "Accepted"
    return bench


def reading(bench: OnTheBench) -> tuple[float, float, int]:
    found = bench.station.life.evse(1).feed.reading(bench.now)
    return found.power_w, found.current_a, found.phases


def test_a_station_that_can_lets_a_car_go_on_on_one_phase_and_back_on_three():
    bench = charging(OnTheBench(SWITCHING))
    assert told(bench, "ConnectorSwitch3to1PhaseSupported") == "true"
    assert reading(bench) == (11_040.0, 16.0, 3)
    limited(bench, (0, 10.0, 1), (600, 10.0, 3))
    assert reading(bench) == (2_300.0, 10.0, 1)
    assert bench.statuses()[-1] == "Charging"
    bench.advance(120)
    assert phases(bench) == ["L1"]
    bench.advance(600)
    assert reading(bench) == (6_900.0, 10.0, 3)
    assert bench.values() == sorted(bench.values())


def test_the_meter_counts_on_over_the_switch():
    bench = charging(OnTheBench(SWITCHING))
    limited(bench, (0, 10.0, 1))
    before = bench.station.life.evse(1).feed.energy_wh(bench.now)
    bench.advance(3_600)
    assert bench.station.life.evse(1).feed.energy_wh(bench.now) == pytest.approx(before + 2_300.0)


def test_the_next_car_has_all_phases_again():
    bench = limited(charging(OnTheBench(SWITCHING)), (0, 10.0, 1))
    bench.unplug()
    assert reading(charging(bench)) == (11_040.0, 16.0, 3)


def test_a_station_that_cannot_keeps_three_phases_within_the_power():
    bench = charging(OnTheBench())
    assert told(bench, "ConnectorSwitch3to1PhaseSupported") == "false"
    assert reading(limited(bench, (0, 20.0, 1)))[::2] == (4_600.0, 3)
    assert reading(limited(bench, (0, 10.0, 1)))[::2] == (0.0, 3)
    assert bench.statuses()[-1] == "SuspendedEVSE"


def test_a_limit_in_amperes_holds_on_the_one_phase_that_is_there():
    single = msgspec.structs.replace(AC_22, connectors=(ConnectorModel("sType2", 7_360.0, phases=1),))
    for bench in (charging(OnTheBench(single)), charging(OnTheBench(), phases=1)):
        assert reading(bench) == (3_680.0, 16.0, 1)
        assert reading(limited(bench, (0, 10.0, 3))) == (2_300.0, 10.0, 1)
        assert bench.station.life.powering.why[1] == "TxProfile 1"


def test_the_composite_schedule_tells_of_the_phases_that_its_amperes_are_on():
    bench = limited(charging(OnTheBench(SWITCHING)), (0, 10.0, 1))
    request = m.GetCompositeSchedule(connector_id=1, duration=60, charging_rate_unit="A")
    period = bench.ask(request, m.GetCompositeScheduleResponse).charging_schedule.charging_schedule_period[0]
    assert (period.limit, period.number_phases) == (10.0, 1)


# --- firmware --------------------------------------------------------------------------------------------------------


def update(bench: OnTheBench) -> OnTheBench:
    request = m.UpdateFirmware(location="http://127.0.0.1/fw.bin", retrieve_date=rfc3339(bench.now))
    bench.ask(request, m.UpdateFirmwareResponse)
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[-1].id, b"2.0.0\n")
    bench.advance(1)
    return bench


def steps(bench: OnTheBench) -> list[str]:
    return [told.status for told in bench.told("FirmwareStatusNotification")]


def test_nobody_can_charge_while_firmware_is_installed():
    bench = update(OnTheBench())
    assert steps(bench)[-1] == "Installing"
    assert [bench.statuses(evse)[-1] for evse in (1, 2)] == ["Unavailable"] * 2
    start = m.RemoteStartTransaction(connector_id=1, id_tag="APP")
    assert bench.ask(start, m.RemoteStartTransactionResponse).status == "Rejected"
    bench.advance(30)
    assert steps(bench)[-1] == "Installed"
    assert [bench.statuses(evse) for evse in (1, 2)] == [["Available", "Unavailable", "Available"]] * 2


def test_a_transaction_delays_installing_and_nobody_new_begins():
    bench = update(charging(OnTheBench()))
    bench.advance(60)
    assert steps(bench)[-1] == "Downloaded"
    assert [bench.statuses(evse)[-1] for evse in (1, 2)] == ["Charging", "Unavailable"]
    bench.present("TAG")
    assert bench.statuses()[-1] == "Unavailable"
    bench.advance(60)
    assert steps(bench)[-1] == "Installed"
    assert bench.statuses()[-1] == "Preparing"


def test_a_newer_update_gives_the_connectors_back_until_its_own_turn():
    bench = update(charging(OnTheBench()))
    when = rfc3339(bench.now + 3_600_000)
    bench.ask(m.UpdateFirmware(location="http://127.0.0.1/newer", retrieve_date=when), m.UpdateFirmwareResponse)
    assert bench.statuses(2)[-1] == "Available"


def test_firmware_fails_on_a_station_that_cannot_boot():
    bench = OnTheBench()
    bench.station.fail(bench.now, 0, "ResetFailure")
    update(bench).advance(30)
    assert steps(bench)[-1] == "InstallationFailed"
    assert len(bench.told("BootNotification")) == 1
    assert bench.statuses()[-2:] == ["Unavailable", "Available"]


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("GroundFailure", ("GroundFailure", UNSET, UNSET, UNSET)),
        ("GroundFailure/E-17", ("GroundFailure", UNSET, VENDOR, "E-17")),
        ("Flooded", ("OtherError", "Flooded", VENDOR, "Flooded")),
        ("Flooded/E-18", ("OtherError", "Flooded", VENDOR, "E-18")),
    ],
)
def test_a_fault_is_told_with_the_code_that_its_vendor_has_for_it(error, expected):
    bench = OnTheBench()
    bench.station.fail(bench.now, 1, error)
    bench.settle()
    fault = bench.told("StatusNotification")[-1]
    assert (fault.error_code, fault.info, fault.vendor_id, fault.vendor_error_code) == expected


@pytest.mark.parametrize("evse", [0, 1])
@pytest.mark.parametrize("error", ["NoError", "NoError/E-17", ""])
def test_a_fault_that_is_none_breaks_nothing(evse: int, error: str):
    bench = charging(OnTheBench())
    with pytest.raises(InvalidInput, match="is no fault"):
        bench.station.fail(bench.now, evse, error)
    bench.settle()
    assert bench.statuses()[-1] == "Charging"
    assert not bench.told("StopTransaction")
