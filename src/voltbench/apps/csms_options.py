"""The options that `voltbench csms` and `voltbench up` share: who is let in, how it is met, and who is forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from voltbench.apps.csms_service import Certificates
from voltbench.apps.options import require_range
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.csms.central import Policy

TlsPort: TypeAlias = Annotated[int, typer.Option(help="For stations, wss://, when there is a certificate.")]
TlsCert: TypeAlias = Annotated[Path | None, typer.Option(dir_okay=False, help="The CSMS's certificate (PEM).")]
TlsKey: TypeAlias = Annotated[Path | None, typer.Option(dir_okay=False, help="Its key (PEM).")]
TlsCa: TypeAlias = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Whose certificates stations may show, beside our own.")
]
Unknown: TypeAlias = Annotated[str, typer.Option(help="Unknown stations are: accepted, pending or rejected.")]
UnknownTokens: TypeAlias = Annotated[str, typer.Option(help="Unknown id tokens are: accepted or invalid.")]
MostStations: TypeAlias = Annotated[
    int, typer.Option(help="Once so many stations are known, unknown ones are turned away.")
]
ForgetUnknown: TypeAlias = Annotated[
    float, typer.Option(help="Days after which stations that never took part are forgotten.")
]
Ping: TypeAlias = Annotated[
    float, typer.Option(help="Seconds between pings to a station; who answers none is gone. 0: no pings.")
]

_REGISTRATIONS: dict[str, Literal["Accepted", "Pending", "Rejected"]] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "rejected": "Rejected",
}
_TOKENS: dict[str, Literal["Accepted", "Invalid"]] = {"accepted": "Accepted", "invalid": "Invalid"}


def policy_of(
    unknown: str, unknown_tokens: str, most_stations: int, heartbeat: int = 300, vendors: Iterable[str] = ()
) -> Policy:
    """The rules by which strangers are met. Raises InvalidInput."""
    require_range("most-stations", most_stations, 0, 1_000_000)
    require_range("heartbeat", heartbeat, 1, 86_400)
    return Policy(
        unknown_stations=_REGISTRATIONS[_chosen("unknown", unknown, _REGISTRATIONS)],
        most_stations=most_stations,
        unknown_tokens=_TOKENS[_chosen("unknown-tokens", unknown_tokens, _TOKENS)],
        heartbeat_s=heartbeat,
        vendors=frozenset(vendors),
    )


def certificates_of(certificate: Path | None, key: Path | None, authorities: Path | None) -> Certificates | None:
    """TLS as it is asked for, if it is. Raises InvalidInput for what is asked for in vain."""
    if certificate is not None:
        return Certificates(certificate, key, authorities)
    for option, file in (("tls-key", key), ("tls-ca", authorities)):
        if file is not None:
            raise InvalidInput(option, "is of no use without a certificate", found=str(file), allowed="with --tls-cert")
    return None


def _chosen(option: str, found: str, allowed: Iterable[str]) -> str:
    if found not in allowed:
        raise InvalidInput(option, "is none of these", found=found, allowed=", ".join(allowed))
    return found
