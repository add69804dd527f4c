"""What a station's notary promises: keys, certificates and signatures."""

from __future__ import annotations

import base64
import hashlib
import ssl
import stat
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.authority import NOON, Authority
from voltbench.adapters.ocpp_station.notary import StationNotary
from voltbench.errors import InvalidInput, Unavailable
from voltbench.ocpp.v16.station.notary import Notary, Use
from voltbench.quantities import MS_PER_DAY

ROOTS: Use = "CentralSystemRootCertificate"


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority("root")


@pytest.fixture(params=["in memory", "in a directory"])
def notary(request: pytest.FixtureRequest, tmp_path: Path) -> Notary:
    return StationNotary(tmp_path / "keys" if request.param == "in a directory" else None)


# --- its own certificate --------------------------------------------------------------------------------------------


def test_a_request_names_the_station_and_its_operator(notary: Notary):
    asked = x509.load_pem_x509_csr(notary.request("CP001", "Gridtown Charging").encode())
    assert asked.subject.rfc4514_string() == "O=Gridtown Charging,CN=CP001"
    assert isinstance(asked.public_key().curve, ec.SECP256R1)  # type: ignore[union-attr]


def test_a_name_that_no_certificate_can_hold_is_refused(notary: Notary):
    with pytest.raises(InvalidInput, match="common name"):
        notary.request("CP" * 33, "Gridtown")


def test_the_certificate_that_was_asked_for_is_taken_and_once_more_if_the_answer_got_lost(
    notary: Notary, root: Authority
):
    chain = root.sign(notary.request("CP001", "Gridtown"))
    assert notary.take_own(NOON, chain, "CP001", [root.pem])
    assert notary.take_own(NOON, chain, "CP001", [root.pem])


def test_without_any_root_nobody_asks_who_issued_it(notary: Notary, root: Authority):
    assert notary.take_own(NOON, root.sign(notary.request("CP001", "Gridtown")), "CP001", [])


def test_a_certificate_that_nobody_asked_for_is_refused(notary: Notary, root: Authority):
    assert not notary.take_own(NOON, root.sign(StationNotary().request("CP001", "G")), "CP001", [root.pem])
    notary.request("CP001", "G")
    assert not notary.take_own(NOON, root.sign(StationNotary().request("CP001", "G")), "CP001", [root.pem])
    assert not notary.take_own(NOON, "no certificate at all", "CP001", [root.pem])


def test_a_certificate_for_the_request_before_the_last_one_is_refused(notary: Notary, root: Authority):
    first = root.sign(notary.request("CP001", "G"))
    second = root.sign(notary.request("CP001", "G"))
    assert not notary.take_own(NOON, first, "CP001", [root.pem])
    assert notary.take_own(NOON, second, "CP001", [root.pem])


def test_a_certificate_for_another_station_another_time_or_by_another_authority_is_refused(
    notary: Notary, root: Authority
):
    chain = root.sign(notary.request("CP001", "G"))
    assert not notary.take_own(NOON, chain, "CP002", [root.pem])
    assert not notary.take_own(NOON + 2 * MS_PER_DAY, chain, "CP001", [root.pem])
    assert not notary.take_own(NOON - 2 * MS_PER_DAY, chain, "CP001", [])
    assert not notary.take_own(NOON, chain, "CP001", [Authority("root").pem])
    assert notary.take_own(NOON, chain, "CP001", [Authority("another").pem, root.pem])


def test_a_chain_leads_to_a_root_by_way_of_authorities_only(notary: Notary, root: Authority):
    between, station = Authority("between", root), Authority("CP002", root, may_issue=False)
    asked = notary.request("CP001", "G")
    assert not notary.take_own(NOON, between.sign(asked), "CP001", [root.pem])
    assert not notary.take_own(NOON, station.sign(asked) + station.pem, "CP001", [root.pem])
    assert notary.take_own(NOON, between.sign(asked) + between.pem, "CP001", [root.pem])


def test_keys_outlive_the_process_and_nobody_else_reads_them(tmp_path: Path, root: Authority):
    keys = tmp_path / "keys"
    asked = StationNotary(keys).request("CP001", "G")
    assert StationNotary(keys).take_own(NOON, root.sign(asked), "CP001", [root.pem])
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in keys.iterdir()] == [("own.pem", 0o600)]
    assert StationNotary(keys).tls(3) is not None


def test_a_directory_that_cannot_be_written_is_unavailable(tmp_path: Path):
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(Unavailable, match="keys"):
        StationNotary(tmp_path / "keys").request("CP001", "G")


# --- certificates of others -----------------------------------------------------------------------------------------


def test_a_certificate_is_valid_in_its_time(notary: Notary, root: Authority):
    assert notary.is_valid(NOON, root.pem)
    assert not notary.is_valid(NOON + 2 * MS_PER_DAY, root.pem)
    assert not notary.is_valid(NOON - 2 * MS_PER_DAY, root.pem)
    assert not notary.is_valid(NOON, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert not notary.is_valid(NOON, "")


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_a_fingerprint_hashes_the_issuers_name_and_key(notary: Notary, root: Authority, algorithm):
    between = Authority("between", root)
    notary.trust(ROOTS, [between.pem, root.pem])
    for certificate in (between, root):
        found = notary.fingerprint(certificate.pem, algorithm)
        assert found.algorithm == algorithm
        assert found.issuer_name_hash == hashlib.new(algorithm, root.name.public_bytes()).hexdigest()
        assert found.issuer_key_hash == hashlib.new(algorithm, bits_of(root.key)).hexdigest()
        assert found.serial_number == "abc"


def bits_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The contents of the BIT STRING of a public key: its point (RFC 5480, section 2.2)."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    whole = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert whole.endswith(b"\x00" + point)
    return point


def test_what_is_no_certificate_has_no_fingerprint(notary: Notary):
    with pytest.raises(InvalidInput, match="certificate"):
        notary.fingerprint("nothing", "SHA256")


def test_a_manufacturer_is_trusted_by_its_root_alone(notary: Notary, root: Authority):
    signer = root.certify(ec.generate_private_key(ec.SECP256R1()))
    assert not notary.trusts_manufacturer(NOON, signer)
    notary.trust(ROOTS, [root.pem])
    assert not notary.trusts_manufacturer(NOON, signer)
    notary.trust("ManufacturerRootCertificate", [root.pem])
    assert notary.trusts_manufacturer(NOON, signer)
    assert not notary.trusts_manufacturer(NOON + 2 * MS_PER_DAY, signer)
    assert not notary.trusts_manufacturer(NOON, "nothing")


def test_a_root_is_followed_by_one_that_it_has_issued(notary: Notary, root: Authority):
    assert notary.is_issued_by(NOON, Authority("next", root).pem, root.pem)
    assert not notary.is_issued_by(NOON, Authority("next").pem, root.pem)
    assert not notary.is_issued_by(NOON + 2 * MS_PER_DAY, Authority("next", root).pem, root.pem)
    assert not notary.is_issued_by(NOON, "nothing", root.pem)


# --- signatures -----------------------------------------------------------------------------------------------------


def test_a_signature_holds_for_what_was_signed_and_nothing_else(notary: Notary, root: Authority):
    curve, whole = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signatures = [
        (root.certify(curve), curve.sign(b"firmware", ec.ECDSA(hashes.SHA256()))),
        (root.certify(whole), whole.sign(b"firmware", padding.PKCS1v15(), hashes.SHA256())),
        (root.certify(whole), whole.sign(b"firmware", pss, hashes.SHA256())),
    ]
    for certificate, signature in signatures:
        assert notary.verifies(certificate, base64.b64encode(signature).decode(), b"firmware")
        assert not notary.verifies(certificate, base64.b64encode(signature).decode(), b"firmware with a worm")
        assert not notary.verifies(root.pem, base64.b64encode(signature).decode(), b"firmware")
        assert not notary.verifies("nothing", base64.b64encode(signature).decode(), b"firmware")
        assert not notary.verifies(certificate, "no base64!", b"firmware")


# --- lines ----------------------------------------------------------------------------------------------------------


def test_lines_of_the_first_profiles_are_plain_and_the_third_needs_a_certificate():
    notary = StationNotary()
    assert notary.tls(0) is None
    assert notary.tls(1) is None
    with pytest.raises(Unavailable, match="certificate"):
        notary.tls(3)


def test_stations_that_trust_the_same_roots_share_what_is_costly():
    root, other = trustme.CA(), trustme.CA()
    first, second, third = StationNotary(), StationNotary(), StationNotary()
    for notary, authority in ((first, root), (second, root), (third, other)):
        notary.trust(ROOTS, [authority.cert_pem.bytes().decode()])
    assert first.tls(2) is second.tls(2)
    assert first.tls(2) is not third.tls(2)


def test_without_roots_of_its_own_a_line_trusts_those_of_the_system():
    known = StationNotary().tls(2)
    assert known is not None
    assert known.verify_mode == ssl.CERT_REQUIRED
    assert known.check_hostname


def test_a_line_that_has_lost_its_last_root_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    system = trustme.CA()
    system.cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    notary = StationNotary()
    notary.trust(ROOTS, [system.cert_pem.bytes().decode()])
    assert trusts(notary.tls(2), system)
    notary.trust(ROOTS, [trustme.CA().cert_pem.bytes().decode()])
    notary.trust(ROOTS, [])
    assert not trusts(notary.tls(2), system)


def trusts(client: ssl.SSLContext | None, authority: trustme.CA) -> bool:
    """Whether a client goes through with a server whose certificate comes from an authority."""
    assert client is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("csms.test").configure_cert(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="csms.test")
    far = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return near.version() is not None
