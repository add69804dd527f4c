"""What a station needs of cryptography: the promise; an adapter keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from voltbench.quantities import Instant

Use = Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate by the hashes that OCPP identifies it with (CertificateHashDataType)."""

    algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class Notary(Protocol):
    """Keys, certificates and signatures of one station. Certificates are PEM."""

    def request(self, common_name: str, organization: str) -> str:
        """A request for a certificate (CSR) for a new key, which is kept until its certificate comes."""

    def take_own(self, now: Instant, chain: str, common_name: str, roots: Sequence[str]) -> bool:
        """Take a certificate for the key of the last request; return whether it is good for that."""

    def has_own(self) -> bool:
        """Whether there is a certificate of the station's own."""

    def is_valid(self, now: Instant, certificate: str) -> bool:
        """Whether this is a certificate, and its time has come and is not over."""

    def is_issued_by(self, now: Instant, certificate: str, issuer: str) -> bool:
        """Whether a certificate comes from another one, maybe by way of those that are with it."""

    def fingerprint(self, certificate: str, algorithm: Literal["SHA256", "SHA384", "SHA512"]) -> Fingerprint:
        """The hashes of a certificate."""

    def trusts_manufacturer(self, now: Instant, certificate: str) -> bool:
        """Whether a certificate comes from a manufacturer whose root is known."""

    def trust(self, use: Use, roots: Sequence[str]) -> None:
        """These are the roots that are known now."""

    def verifies(self, certificate: str, signature: str, content: bytes) -> bool:
        """Whether content was signed (SHA-256; base64) with the key of a certificate."""
