"""Keys, certificates and signatures of stations, by the library `cryptography`."""

from __future__ import annotations

import base64
import logging
import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.x509 import ocsp
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from voltbench.errors import InvalidInput, Unavailable
from voltbench.ocpp.v16.station.notary import Fingerprint, Use
from voltbench.quantities import Instant, utc

OWN = "own.pem"
"""The key and the chain of a station's own certificate: one file, so that they cannot come apart."""

REQUESTED = "requested.pem"
"""The key of the last request, until its certificate comes."""

LONGEST_ORGANIZATION = 64
"""RFC 5280, appendix A.1: ub-organization-name."""

ALGORITHMS = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}

MUTUAL_TLS = 3
"""The security profile in which a station shows a certificate of its own."""

# A chain is what it has to be: names, signatures, validity, constraints. What a certificate may be used for is left
# open, since the authorities of test benches seldom say.
_ANY = ExtensionPolicy.permit_all()
_AUTHORITY = _ANY.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)

_log = logging.getLogger(__name__)


class StationNotary:
    """The notary of one station. Its secrets are in a directory of its own, or gone with it where none is given.

    Making one costs nothing: it reads and makes keys when it is asked for them. Unavailable where the directory is.
    """

    __slots__ = ("_drawer", "_roots")

    def __init__(self, directory: Path | None = None) -> None:
        self._drawer = _Drawer(directory)
        self._roots: dict[Use, tuple[str, ...]] = {}

    # --- its own certificate ----------------------------------------------------------------------------------------

    def request(self, common_name: str, organization: str) -> str:
        """A request for a certificate (PEM) for a new P-256 key, which is kept until its certificate comes.

        Raises InvalidInput where the names do not fit into a certificate.
        """
        subject = _name(common_name, organization)
        key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        self._drawer.write(REQUESTED, _pem_of_key(key))
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def take_own(self, now: Instant, chain: str, common_name: str, roots: Sequence[str]) -> bool:
        """Take a certificate (and what it was issued by) for the key of the last request; return whether it is good.

        A certificate for the key in use is good too: its answer may have got lost.
        """
        kept = self._drawer.read(REQUESTED) or self._drawer.read(OWN)
        if kept is None:
            return _refused("no certificate was requested")
        key = serialization.load_pem_private_key(kept, None)
        certificates = _certificates(chain)
        if not certificates or not _is_for(certificates[0], key, common_name):
            return _refused(f"it is not for {common_name!r} and the key of the last request")
        if not _is_in_time(now, certificates[0]):
            return _refused("its time has not come, or is over")
        if roots and not _lead_to(now, certificates, roots):
            return False
        self._drawer.write(OWN, _pem_of_key(key) + b"".join(map(_pem, certificates)))
        self._drawer.forget(REQUESTED)
        return True

    def has_own(self) -> bool:
        """Whether there is a certificate of the station's own."""
        return self._drawer.read(OWN) is not None

    # --- certificates of others -------------------------------------------------------------------------------------

    def is_valid(self, now: Instant, certificate: str) -> bool:
        """Whether this is a certificate, and its time has come and is not over."""
        found = _certificates(certificate)
        return bool(found) and _is_in_time(now, found[0])

    def is_issued_by(self, now: Instant, certificate: str, issuer: str) -> bool:
        """Whether a certificate (or the first of a chain) comes from another one."""
        found = _certificates(certificate)
        return bool(found) and _lead_to(now, found, [issuer])

    def fingerprint(self, certificate: str, algorithm: Literal["SHA256", "SHA384", "SHA512"]) -> Fingerprint:
        """The hashes of a certificate, lower-case hexadecimal; the serial number has no leading zeros.

        Where its issuer is not known, its own key stands for the issuer's. Raises InvalidInput if it is none.
        """
        found = _certificates(certificate)
        if not found:
            raise InvalidInput("certificate", "is no certificate")
        known = (root for roots in self._roots.values() for pem in roots for root in _certificates(pem))
        issuer = next((one for one in (found[0], *known) if _has_issued(one, found[0])), found[0])
        # OCPP identifies certificates as OCSP does (RFC 6960, section 4.1.1: CertID).
        hashed = ocsp.OCSPRequestBuilder().add_certificate(found[0], issuer, ALGORITHMS[algorithm]).build()
        return Fingerprint(
            algorithm, hashed.issuer_name_hash.hex(), hashed.issuer_key_hash.hex(), f"{hashed.serial_number:x}"
        )

    def trusts_manufacturer(self, now: Instant, certificate: str) -> bool:
        """Whether a certificate (or a chain) comes from a manufacturer whose root is known."""
        found = _certificates(certificate)
        return bool(found) and _lead_to(now, found, self._roots.get("ManufacturerRootCertificate", ()))

    def trust(self, use: Use, roots: Sequence[str]) -> None:
        """These are the roots that are known now."""
        self._roots[use] = tuple(roots)

    # --- signatures -------------------------------------------------------------------------------------------------

    def verifies(self, certificate: str, signature: str, content: bytes) -> bool:
        """Whether content was signed (SHA-256; base64) with the key of a certificate: ECDSA, or RSA of either kind."""
        found = _certificates(certificate)
        try:
            return bool(found) and _is_signed(found[0].public_key(), base64.b64decode(signature), content)
        except (ValueError, UnsupportedAlgorithm):
            return False

    # --- lines ------------------------------------------------------------------------------------------------------

    def tls(self, profile: int) -> ssl.SSLContext | None:
        """What secures a line of a security profile; None for 0 and 1.

        Trusts the known roots; the system's only while it was never told of any: whose last root was taken away trusts
        nobody. Raises Unavailable for profile 3 while there is no certificate of its own.
        """
        roots = self._roots.get("CentralSystemRootCertificate")
        if profile < MUTUAL_TLS:
            return _shared_tls(roots) if profile == MUTUAL_TLS - 1 else None
        context = _new_tls(roots)
        with self._drawer.as_file(OWN) as own:
            if own is None:
                raise Unavailable("security profile 3 needs a certificate of the station's own")
            context.load_cert_chain(own)
        return context


class _Drawer:
    """Secrets by their names: in files that only their owner reads, or in memory where there is no directory."""

    __slots__ = ("_directory", "_held")

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._held: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        """A secret, or None."""
        if self._directory is None:
            return self._held.get(name)
        with _keeping(self._directory):
            path = self._directory / name
            return path.read_bytes() if path.exists() else None

    def write(self, name: str, secret: bytes) -> None:
        """Keep a secret, in place of an older one: wholly, or not at all."""
        if self._directory is None:
            self._held[name] = secret
            return
        with _keeping(self._directory):
            self._directory.mkdir(0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self._directory)  # mode 0600
            with open(descriptor, "wb") as file:
                file.write(secret)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self._directory / name)

    def forget(self, name: str) -> None:
        """Keep it no longer."""
        self._held.pop(name, None)
        if self._directory is not None:
            with _keeping(self._directory):
                (self._directory / name).unlink(missing_ok=True)

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path | None]:
        """A secret for those who read files only: None where there is no such secret."""
        secret = self.read(name)
        if secret is None:
            yield None
        elif self._directory is not None:
            yield self._directory / name
        else:
            with tempfile.NamedTemporaryFile() as file:
                file.write(secret)
                file.flush()
                yield Path(file.name)


@contextmanager
def _keeping(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{directory}: {error}") from error


# --- certificates -------------------------------------------------------------------------------------------------


def _certificates(pem: str) -> list[x509.Certificate]:
    """The certificates of a PEM text; none where it is something else."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: PrivateKeyTypes) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _name(common_name: str, organization: str) -> x509.Name:
    parts = {x509.NameOID.COMMON_NAME: common_name, x509.NameOID.ORGANIZATION_NAME: organization[:LONGEST_ORGANIZATION]}
    try:
        return x509.Name([x509.NameAttribute(kind, part) for kind, part in parts.items()])
    except ValueError as error:
        raise InvalidInput("common name", str(error), found=common_name) from error


def _refused(reason: str) -> bool:
    _log.warning("a certificate is refused: %s", reason)
    return False


def _is_for(certificate: x509.Certificate, key: PrivateKeyTypes, common_name: str) -> bool:
    try:
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [name.value for name in names] == [common_name] and certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):  # it is read piece by piece, and this one is none
        return False


def _is_in_time(now: Instant, certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= utc(now) <= certificate.not_valid_after_utc


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _lead_to(now: Instant, chain: Sequence[x509.Certificate], roots: Iterable[str]) -> bool:
    """Whether the first of these certificates was issued by one of the roots, maybe by way of the others."""
    anchors = [root for pem in roots for root in _certificates(pem)]
    if not anchors:
        return _refused("no root is known that it could come from")
    policy = PolicyBuilder().store(Store(anchors)).time(utc(now))
    policy = policy.extension_policies(ca_policy=_AUTHORITY, ee_policy=_ANY)
    try:
        policy.build_client_verifier().verify(chain[0], list(chain[1:]))
    except VerificationError as error:
        return _refused(str(error))
    return True


def _is_signed(key: CertificatePublicKeyTypes, signature: bytes, content: bytes) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _holds(partial(key.verify, signature, content, ec.ECDSA(hashes.SHA256())))
    if isinstance(key, rsa.RSAPublicKey):
        kinds = (padding.PKCS1v15(), padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO))
        return any(_holds(partial(key.verify, signature, content, kind, hashes.SHA256())) for kind in kinds)
    return False


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


# --- TLS ----------------------------------------------------------------------------------------------------------


def _new_tls(roots: tuple[str, ...] | None) -> ssl.SSLContext:
    """Security whitepaper, section 3: the CSMS shows its certificate for its host's name, in TLS 1.2 at least."""
    if roots == ():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    else:
        context = ssl.create_default_context(cadata="\n".join(roots or ()) or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what was installed is trusted, self-signed or not
    return context


_shared_tls = lru_cache(64)(_new_tls)
"""A context holds 100 kB and more: stations that trust the same roots and show nothing of their own share one."""
