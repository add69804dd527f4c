"""A certificate authority of our own, which signs the certificates of stations."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voltbench.clock import wall_instant
from voltbench.quantities import Instant, utc

ROOT_FILE, KEY_FILE = "stations-ca.pem", "stations-ca.key"

ROOT_DAYS, STATION_DAYS = 3_650, 365


class OwnAuthority:
    """Signs a request when it is in the name of the station that makes it. Root and key are files, made when new.

    No certificate begins later than by the `wall`, which TLS goes by, and which may have been set back.
    """

    def __init__(self, directory: Path, wall: Callable[[], Instant] = wall_instant) -> None:
        self._wall = wall
        self.root_file = directory / ROOT_FILE
        key_file = directory / KEY_FILE
        if not (self.root_file.exists() and key_file.exists()):
            directory.mkdir(parents=True, exist_ok=True)
            _make_root(self.root_file, key_file, wall())
        self._root = x509.load_pem_x509_certificate(self.root_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def sign(self, now: Instant, station_id: str, request: str) -> str | None:
        """A chain of certificates (PEM) for a request (CSR, PEM), or None where that is no good."""
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            is_good = asked.is_signature_valid and _common_name(asked.subject) == station_id
            certificate = self._certificate(min(now, self._wall()), asked) if is_good else None
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return None
        return (_pem(certificate) + _pem(self._root)).decode() if certificate is not None else None

    def _certificate(self, now: Instant, asked: x509.CertificateSigningRequest) -> x509.Certificate:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = _begun(asked.subject, self._root.subject, asked.public_key(), now, STATION_DAYS)  # type: ignore[arg-type]
        certificate = certificate.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            certificate.add_extension(usage, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _make_root(root_file: Path, key_file: Path, now: Instant) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voltbench stations")])
    root = _begun(name, name, key.public_key(), now, ROOT_DAYS)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    root_file.write_bytes(_pem(root.sign(key, hashes.SHA256())))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: Instant, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=utc(now) - timedelta(hours=1),  # clocks of stations differ
        not_valid_after=utc(now) + timedelta(days=days),
    )


def _common_name(subject: x509.Name) -> str:
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
