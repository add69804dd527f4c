"""Security profiles 2 and 3 over real TLS: our certificate, passwords, and the certificates of stations."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ocpp.v16 import call, call_result
from websockets.exceptions import InvalidHandshake, InvalidStatus

from tests.csms_live import LiveCsms, a_csms, a_station, connected, soon
from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.apps.csms_service import Certificates
from voltbench.errors import InvalidInput


@dataclass
class Secured:
    """A CSMS behind TLS, in which nobody comes in who shows nothing, and who vouches for it and for stations."""

    csms: LiveCsms
    ours: trustme.CA
    theirs: trustme.CA

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ours.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    ours, theirs = trustme.CA(), trustme.CA()
    certificate = ours.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "ours.pem")
    theirs.cert_pem.write_to_path(tmp_path / "theirs.pem")
    files = Certificates(tmp_path / "ours.pem", None, tmp_path / "theirs.pem")
    async with a_csms(tmp_path, certificates=files, rules=Rules(password_required=True)) as csms:
        yield Secured(csms, ours, theirs)


async def test_a_station_shows_its_password_over_tls(secured: Secured):
    await secured.csms.put("/csms/stations/CP1", password="a long password")
    with pytest.raises(InvalidStatus):
        await connected(secured.csms.url, ssl=secured.client())
    headers = {"Authorization": "Basic Q1AxOmEgbG9uZyBwYXNzd29yZA=="}
    async with a_station(secured.csms.url, ssl=secured.client(), additional_headers=headers) as station:
        await station.tells(call.Heartbeat())


async def test_a_station_shows_its_certificate(secured: Secured):
    certificate = secured.theirs.issue_cert(common_name="CP1")
    async with a_station(secured.csms.url, ssl=secured.client(certificate)) as station:
        await station.tells(call.Heartbeat())
    with pytest.raises(InvalidStatus) as refusal:
        await connected(secured.csms.url, "CP2", ssl=secured.client(certificate))
    assert refusal.value.response.status_code == 403


async def test_a_certificate_of_somebody_else_is_worth_nothing(secured: Secured):
    stranger = trustme.CA().issue_cert(common_name="CP1")
    with pytest.raises((OSError, InvalidHandshake)):
        await connected(secured.csms.url, ssl=secured.client(stranger))


async def test_a_station_comes_back_with_the_certificate_that_it_asked_for(secured: Secured, tmp_path: Path):
    """Profile 2 to 3, with nothing else installed: our own authority signs, and lets in whom it has signed."""
    await secured.csms.put("/csms/stations/CP1", password="a long password")
    headers = {"Authorization": "Basic Q1AxOmEgbG9uZyBwYXNzd29yZA=="}
    key = ec.generate_private_key(ec.SECP256R1())
    async with a_station(secured.csms.url, ssl=secured.client(), additional_headers=headers) as station:
        station.answers["CertificateSigned"] = call_result.CertificateSigned("Accepted")
        assert (await station.tells(call.SignCertificate(csr=request(key, "CP2")))).status == "Rejected"
        assert (await station.tells(call.SignCertificate(csr=request(key, "CP1")))).status == "Accepted"

        async def signed() -> str | None:
            return next((asked["certificate_chain"] for _, asked in station.asked), None)

        chain = await soon(signed)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keep(tmp_path / "station.pem", chain.encode() + private)
    context = secured.client()
    context.load_cert_chain(tmp_path / "station.pem")
    async with a_station(secured.csms.url, ssl=context) as station:
        await station.tells(call.Heartbeat())


def keep(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def request(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


async def test_a_certificate_that_is_none_is_refused_at_the_start(tmp_path: Path):
    keep(tmp_path / "no.pem", b"no certificate")
    with pytest.raises(InvalidInput, match="tls-cert"):
        async with a_csms(tmp_path, certificates=Certificates(tmp_path / "no.pem")):
            pass
