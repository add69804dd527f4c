"""An authority of the tests' bench, which issues certificates."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from voltbench.quantities import Instant, utc

NOON = 1_790_000_000_000
PEM = serialization.Encoding.PEM
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Authority:
    """Issues certificates that are good for a day around an instant: noon."""

    def __init__(
        self, name: str, issuer: Authority | None = None, *, may_issue: bool = True, at: Instant = NOON
    ) -> None:
        self.at = at
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = (issuer or self)._sign(self.name, self.key.public_key(), may_issue=may_issue, serial=0x0ABC)
        self.pem = self.certificate.public_bytes(PEM).decode()

    def _sign(
        self, name: x509.Name, key: PublicKey, *, may_issue: bool, serial: int = 7, days: int = 1
    ) -> x509.Certificate:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key).serial_number(serial)
        made = made.not_valid_before(utc(self.at) - timedelta(1)).not_valid_after(utc(self.at) + timedelta(days))
        made = made.add_extension(x509.BasicConstraints(ca=may_issue, path_length=None), critical=True)
        return made.sign(self.key, hashes.SHA256())

    def sign(self, request: str) -> str:
        """The certificate that was asked for."""
        asked = x509.load_pem_x509_csr(request.encode())
        key = asked.public_key()
        assert asked.is_signature_valid
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return self._sign(asked.subject, key, may_issue=False).public_bytes(PEM).decode()

    def certify(self, key: Key) -> str:
        """A certificate for whoever holds a key."""
        return self._sign(self.name, key.public_key(), may_issue=False).public_bytes(PEM).decode()
