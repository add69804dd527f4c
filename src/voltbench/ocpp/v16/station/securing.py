"""The security profile of a station: raised where that can work, and gone back from where it does not.

Security whitepaper (edition 3), section 2.
"""

from __future__ import annotations

from voltbench.ocpp.v16.messages import ConfigurationStatus
from voltbench.ocpp.v16.station.certificates import Certificates
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.v16.station.security import SecurityEvents
from voltbench.quantities import Instant

MOST_ATTEMPTS = 5
"""How often a station tries to connect by a new profile before it goes back to the one that worked."""

TLS, MUTUAL_TLS = 2, 3
"""The security profiles from which on a line is secured, and a station shows a certificate of its own."""

_FORMER = "former/SecurityProfile"


class Securing:
    """The security profile, which is never lowered but to the one before, as long as the new one has not worked."""

    __slots__ = ("_certificates", "_desk", "_events", "_former", "_missed")

    def __init__(self, desk: Desk, certificates: Certificates, events: SecurityEvents) -> None:
        self._desk = desk
        self._certificates = certificates
        self._events = events
        self._former: str | None = None
        self._missed = 0

    def hindrance(self, setting: str) -> ConfigurationStatus | None:
        """Why the profile cannot be another one: it asks for what it works with."""
        keys, known = self._desk.configuration, self._certificates
        wanted, now = int(setting), keys.whole("SecurityProfile")
        without_key = wanted in (1, 2) and not keys.text("AuthorizationKey")
        without_tls = wanted >= TLS and not (known.is_tls and known.has_root())
        if wanted < now or without_key or without_tls or (wanted >= MUTUAL_TLS and not known.has_own()):
            return "Rejected"
        return None

    def try_out(self, former: str) -> None:
        """There is a new profile; the one before is remembered until it works."""
        if self._desk.configuration.text("SecurityProfile") != former:
            self._former, self._missed = former, 0
            self._desk.keep(_FORMER, former.encode())

    def works(self) -> None:
        """The station has connected by its profile: there is no way back."""
        if self._former is not None:
            self._former = None
            self._desk.keep(_FORMER, None)

    def missed(self, now: Instant) -> None:
        """An attempt to connect was in vain: after some of them the profile before is tried again."""
        self._missed += 1
        if self._former is not None and self._missed >= MOST_ATTEMPTS:
            self._desk.configuration.set("SecurityProfile", self._former)
            self._desk.keep("key/securityprofile", self._former.encode())
            told = f"SecurityProfile is {self._former} again: the new one could not connect"
            self._events.note(now, "ReconfigurationOfSecurityParameters", told)
            self.works()

    def restore(self, _key: str, kept: bytes) -> None:
        """A new profile has not worked yet when the station was killed."""
        self._former = kept.decode()
