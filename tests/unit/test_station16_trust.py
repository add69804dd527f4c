"""Whom a station of OCPP 1.6 trusts: security profiles, roots, firmware that somebody has signed."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.authority import NOON, Authority
from tests.ocpp16 import OnTheBench
from voltbench.adapters.ocpp_station.notary import StationNotary
from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.securing import MOST_ATTEMPTS
from voltbench.quantities import rfc3339

PASSWORD = {"AuthorizationKey": "0123456789abcdef"}
CENTRAL, MANUFACTURER = "CentralSystemRootCertificate", "ManufacturerRootCertificate"


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority("root")


def a_bench(notary: StationNotary | None = None, *, is_tls: bool = True, **more: Any) -> OnTheBench:
    return OnTheBench(
        notary=notary or StationNotary(), now=more.pop("now", NOON), fixed=PASSWORD, is_tls=is_tls, **more
    )


def install(bench: OnTheBench, certificate: str, use: Any = CENTRAL) -> Any:
    request = m.InstallCertificate(certificate_type=use, certificate=certificate)
    return bench.ask(request, m.InstallCertificateResponse).status


def change(bench: OnTheBench, profile: int) -> Any:
    request = m.ChangeConfiguration(key="SecurityProfile", value=str(profile))
    return bench.ask(request, m.ChangeConfigurationResponse).status


def profile(bench: OnTheBench) -> str:
    return bench.station.configuration.text("SecurityProfile")


def certify(bench: OnTheBench, root: Authority) -> None:
    """Give a station a certificate of its own."""
    trigger = m.ExtendedTriggerMessage(requested_message="SignChargePointCertificate")
    bench.ask(trigger, m.ExtendedTriggerMessageResponse)
    signed = m.CertificateSigned(certificate_chain=root.sign(bench.told("SignCertificate")[-1].csr))
    assert bench.ask(signed, m.CertificateSignedResponse).status == "Accepted"
    bench.advance(1)


def events(bench: OnTheBench) -> list[str]:
    return [event.type for event in bench.told("SecurityEventNotification")]


# --- security profiles -----------------------------------------------------------------------------------------------


def test_a_profile_is_taken_only_with_what_it_works_with(root: Authority):
    bench = a_bench()
    assert change(bench, 2) == "Rejected"  # whom should it trust?
    install(bench, root.pem)
    assert change(bench, 3) == "Rejected"  # what should it show?
    assert change(bench, 2) == "Accepted"
    bench.advance(1)
    certify(bench, root)
    assert change(bench, 3) == "Accepted"
    bench.advance(1)
    assert change(bench, 2) == "Rejected"


def test_no_profile_makes_a_plain_line_secure(root: Authority):
    bench = a_bench(is_tls=False)
    install(bench, root.pem)
    assert change(bench, 2) == "Rejected"
    assert change(bench, 1) == "Accepted"


def test_a_station_that_cannot_connect_by_a_new_profile_goes_back(root: Authority):
    bench = a_bench()
    install(bench, root.pem)
    bench.is_reachable = False
    assert change(bench, 2) == "Accepted"
    while bench.wanted < 1 + MOST_ATTEMPTS:
        assert profile(bench) == "2"
        bench.advance(1)
    assert profile(bench) == "0"
    bench.is_reachable = True
    bench.advance(60)
    assert events(bench) == ["ReconfigurationOfSecurityParameters"] * 2
    assert profile(a_bench(memory=bench.memory)) == "0"
    assert "former/SecurityProfile" not in bench.memory


@pytest.mark.parametrize("key", ["SecurityProfile", "securityprofile", "AuthorizationKey"])
def test_who_is_told_to_connect_as_he_does_already_stays_on_his_line(key: str):
    bench = a_bench(is_tls=False)
    assert change(bench, 1) == "Accepted"
    bench.advance(5)
    lines, noted = bench.wanted, events(bench)
    same = m.ChangeConfiguration(key=key, value="1" if key != "AuthorizationKey" else PASSWORD[key])
    assert bench.ask(same, m.ChangeConfigurationResponse).status == "Accepted"
    bench.advance(5)
    assert (bench.wanted, events(bench)) == (lines, noted)


def test_there_is_no_way_back_once_it_has_worked(root: Authority):
    bench = a_bench()
    install(bench, root.pem)
    change(bench, 2)
    bench.advance(1)
    bench.lose_line()
    bench.advance(3_600)
    assert bench.wanted > MOST_ATTEMPTS
    assert profile(bench) == "2"


def test_the_way_back_outlives_a_kill(root: Authority):
    bench = a_bench()
    install(bench, root.pem)
    bench.is_reachable = False
    change(bench, 2)
    again = a_bench(memory=bench.memory, now=bench.now + 1_000, boots=False)
    again.is_reachable = False
    again.advance(120)
    assert profile(again) == "0"


# --- roots -----------------------------------------------------------------------------------------------------------


def delete(bench: OnTheBench, certificate: str) -> Any:
    known = StationNotary().fingerprint(certificate, "SHA256")
    hashed = m.CertificateHashData(
        hash_algorithm=known.algorithm,
        issuer_name_hash=known.issuer_name_hash,
        issuer_key_hash=known.issuer_key_hash,
        serial_number=known.serial_number,
    )
    request = m.DeleteCertificate(certificate_hash_data=hashed)
    return bench.ask(request, m.DeleteCertificateResponse).status


def test_the_last_root_of_a_secured_line_stays(root: Authority):
    bench, other = a_bench(), Authority("other")
    install(bench, root.pem)
    install(bench, other.pem)
    assert delete(bench, root.pem) == "Accepted"
    assert delete(bench, other.pem) == "Failed"
    plain = a_bench(is_tls=False)
    install(plain, root.pem)
    assert delete(plain, root.pem) == "Accepted"
    assert delete(plain, root.pem) == "NotFound"


# --- signed firmware -------------------------------------------------------------------------------------------------

CONTENT = b"2.0.0\nbinary"


def update(bench: OnTheBench, certificate: str, signature: bytes) -> Any:
    firmware = m.Firmware(
        location="http://127.0.0.1/fw.bin",
        retrieve_date_time=rfc3339(bench.now),
        signing_certificate=certificate,
        signature=base64.b64encode(signature).decode(),
    )
    request = m.SignedUpdateFirmware(request_id=7, firmware=firmware)
    return bench.ask(request, m.SignedUpdateFirmwareResponse).status


def steps(bench: OnTheBench) -> list[str]:
    told = bench.told("SignedFirmwareStatusNotification")
    assert {one.request_id for one in told} <= {7}
    return [one.status for one in told]


def test_firmware_of_a_manufacturer_that_is_trusted_is_installed(root: Authority):
    bench, key = a_bench(), ec.generate_private_key(ec.SECP256R1())
    install(bench, root.pem, MANUFACTURER)
    assert update(bench, root.certify(key), key.sign(CONTENT, ec.ECDSA(hashes.SHA256()))) == "Accepted"
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[0].id, CONTENT)
    bench.advance(60)
    assert steps(bench) == [
        "Downloading",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "InstallRebooting",
        "Installed",
    ]
    assert bench.told("BootNotification")[-1].firmware_version == "2.0.0"
    assert events(bench) == ["FirmwareUpdated"]


def test_firmware_that_is_not_what_was_signed_is_left_alone(root: Authority):
    bench, key = a_bench(), ec.generate_private_key(ec.SECP256R1())
    install(bench, root.pem, MANUFACTURER)
    update(bench, root.certify(key), key.sign(CONTENT, ec.ECDSA(hashes.SHA256())))
    bench.advance(1)
    bench.station.transferred(bench.now, bench.transfers[0].id, CONTENT + b" with a worm")
    bench.advance(600)
    assert steps(bench) == ["Downloading", "Downloaded", "InvalidSignature"]
    assert events(bench) == ["InvalidFirmwareSignature"]
    assert len(bench.told("BootNotification")) == 1


def test_firmware_of_somebody_else_is_not_even_fetched(root: Authority):
    bench, key = a_bench(), ec.generate_private_key(ec.SECP256R1())
    install(bench, Authority("manufacturer").pem, MANUFACTURER)
    signature = key.sign(CONTENT, ec.ECDSA(hashes.SHA256()))
    assert update(bench, root.certify(key), signature) == "InvalidCertificate"
    bench.advance(60)
    assert not bench.transfers
    assert events(bench) == ["InvalidFirmwareSigningCertificate"]
