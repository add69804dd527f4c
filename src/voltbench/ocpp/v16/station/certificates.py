"""Certificates of a station: the roots it trusts, and its own. Security whitepaper (edition 3), sections 3 and 4."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from voltbench.ocpp.v16 import messages as m
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.notary import Fingerprint, Notary, Use
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.quantities import Instant

CENTRAL: Use = "CentralSystemRootCertificate"
USES: tuple[Use, ...] = (CENTRAL, "ManufacturerRootCertificate")


class Certificates:
    """The certificates that a station has been given. `renewed` hears when it has a new one of its own.

    Where its line `is_tls`, the last root of the CSMS stays: without any, nobody could be trusted.
    """

    __slots__ = ("_desk", "_id", "_installed", "_notary", "_renewed", "_security", "is_tls")

    def __init__(
        self,
        desk: Desk,
        notary: Notary,
        id: str,
        security: SecurityEvents,
        renewed: Callable[[Instant], None],
        *,
        is_tls: bool,
    ) -> None:
        self._desk = desk
        self._notary = notary
        self._id = id
        self._security = security
        self._renewed = renewed
        self.is_tls = is_tls
        self._installed: dict[Use, list[str]] = {use: [] for use in USES}

    # --- roots ------------------------------------------------------------------------------------------------------

    def install(self, now: Instant, request: m.InstallCertificate) -> m.InstallCertificateResponse:
        """Trust one more root."""
        installed = self._installed[request.certificate_type]
        if not self._notary.is_valid(now, request.certificate):
            self._security.note(now, "InvalidCentralSystemCertificate")
            return m.InstallCertificateResponse(status="Rejected")
        if request.certificate_type == CENTRAL and self._desk.configuration.is_on("AdditionalRootCertificateCheck"):
            return self._replace_root(now, request.certificate)
        if sum(map(len, self._installed.values())) >= self._desk.configuration.whole("CertificateStoreMaxLength"):
            return m.InstallCertificateResponse(status="Failed")
        if request.certificate not in installed:
            installed.append(request.certificate)
        self._changed(request.certificate_type)
        return m.InstallCertificateResponse(status="Accepted")

    def _replace_root(self, now: Instant, certificate: str) -> m.InstallCertificateResponse:
        """One root of the CSMS, and the last one to fall back to, which has to have issued it."""
        known = self._installed[CENTRAL]
        if known and certificate != known[-1]:
            if not self._notary.is_issued_by(now, certificate, known[-1]):
                self._security.note(now, "InvalidCentralSystemCertificate")
                return m.InstallCertificateResponse(status="Rejected")
            self._installed[CENTRAL] = [known[-1], certificate]
        elif not known:
            known.append(certificate)
        self._changed(CENTRAL)
        return m.InstallCertificateResponse(status="Accepted")

    def delete(self, _now: Instant, request: m.DeleteCertificate) -> m.DeleteCertificateResponse:
        """Trust a root no more."""
        hashes = request.certificate_hash_data
        for use, certificates in self._installed.items():
            for certificate in certificates:
                found = self._notary.fingerprint(certificate, hashes.hash_algorithm)
                if _is(found, hashes):
                    if self.is_tls and use == CENTRAL and len(certificates) == 1:
                        return m.DeleteCertificateResponse(status="Failed")
                    certificates.remove(certificate)
                    self._changed(use)
                    return m.DeleteCertificateResponse(status="Accepted")
        return m.DeleteCertificateResponse(status="NotFound")

    def tell(self, _now: Instant, request: m.GetInstalledCertificateIds) -> m.GetInstalledCertificateIdsResponse:
        """The roots of a kind, by their hashes."""
        found = [self._notary.fingerprint(one, "SHA256") for one in self._installed[request.certificate_type]]
        if not found:
            return m.GetInstalledCertificateIdsResponse(status="NotFound")
        return m.GetInstalledCertificateIdsResponse(status="Accepted", certificate_hash_data=tuple(map(_hashes, found)))

    def _changed(self, use: Use) -> None:
        self._notary.trust(use, self._installed[use])
        self._desk.keep(f"roots/{use}", msgspec.json.encode(self._installed[use]))

    # --- its own ----------------------------------------------------------------------------------------------------

    def sign(self, now: Instant) -> None:
        """Ask the CSMS to have a new certificate signed."""
        organization = self._desk.configuration.text("CpoName") or "voltbench"
        self._desk.call(now, m.SignCertificate(csr=self._notary.request(self._id, organization)))

    def signed(self, now: Instant, request: m.CertificateSigned) -> m.CertificateSignedResponse:
        """The certificate that was asked for."""
        roots = self._installed["CentralSystemRootCertificate"]
        longest = self._desk.configuration.whole("CertificateSignedMaxChainSize")
        chain = request.certificate_chain
        if len(chain) > longest or not self._notary.take_own(now, chain, self._id, roots):
            self._security.note(now, "InvalidChargePointCertificate")
            return m.CertificateSignedResponse(status="Rejected")
        self._desk.afterwards.append(self._renewed)
        return m.CertificateSignedResponse(status="Accepted")

    # --- what is kept -----------------------------------------------------------------------------------------------

    def restore(self, key: str, kept: bytes) -> None:
        """Take up the roots that were kept under a key."""
        use = next(use for use in USES if key.endswith(use))
        self._installed[use] = msgspec.json.decode(kept, type=list[str])
        self._notary.trust(use, self._installed[use])

    def has_root(self) -> bool:
        """Whether the station knows a root for the CSMS."""
        return bool(self._installed[CENTRAL])

    def has_own(self) -> bool:
        """Whether the station has a certificate of its own."""
        return self._notary.has_own()


def _is(found: Fingerprint, hashes: m.CertificateHashData) -> bool:
    return (found.issuer_name_hash, found.issuer_key_hash, found.serial_number) == (
        hashes.issuer_name_hash.lower(),
        hashes.issuer_key_hash.lower(),
        hashes.serial_number.lower().lstrip("0") or "0",
    )


def _hashes(found: Fingerprint) -> m.CertificateHashData:
    return m.CertificateHashData(
        hash_algorithm=found.algorithm,
        issuer_name_hash=found.issuer_name_hash,
        issuer_key_hash=found.issuer_key_hash,
        serial_number=found.serial_number,
    )
