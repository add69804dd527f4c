"""The CSMS's own authority: what it signs is good now."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from voltbench.adapters.ocpp_csms.authority import OwnAuthority
from voltbench.quantities import MS_PER_DAY, utc

NOON = 1_790_000_000_000


def a_request(name: str) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder(subject).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    return request.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("ahead_ms", [-MS_PER_DAY, 0, 2 * MS_PER_DAY])
def test_what_a_csms_signs_is_good_by_the_wall_wherever_its_own_clock_is(tmp_path: Path, ahead_ms: int):
    signed = OwnAuthority(tmp_path, lambda: NOON).sign(NOON + ahead_ms, "CP1", a_request("CP1"))
    assert signed is not None
    for certificate in x509.load_pem_x509_certificates(signed.encode()):
        assert certificate.not_valid_before_utc <= utc(NOON) < certificate.not_valid_after_utc


def test_who_asks_in_the_name_of_another_is_not_signed(tmp_path: Path):
    assert OwnAuthority(tmp_path, lambda: NOON).sign(NOON, "CP1", a_request("CP2")) is None
