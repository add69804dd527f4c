"""`voltbench csms`: a CSMS that any station can use, with its REST API, in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from voltbench.adapters import station_json
from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.adapters.station_json import StationConfig
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import Trust, is_loopback, trust_for
from voltbench.apps.csms_service import Certificates, CsmsChoices, Doors, announce, csms_opened
from voltbench.apps.serving import listening, log_to, serve, told_to_stop
from voltbench.apps.steered_site import SteeredChoices
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.csms.central import MOST_STATIONS, Policy

_log = logging.getLogger("voltbench")

_REGISTRATIONS: dict[str, Literal["Accepted", "Pending", "Rejected"]] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "rejected": "Rejected",
}


def csms(
    host: Annotated[
        str, typer.Option(help="Where to listen; for the API, all but loopback needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="For stations, ws://; 0 takes one that is free.")] = 9000,
    http_port: Annotated[int, typer.Option(help="For the API and for files.")] = 9080,
    tls_port: Annotated[int, typer.Option(help="For stations, wss://, when there is a certificate.")] = 9443,
    tls_cert: Annotated[Path | None, typer.Option(dir_okay=False, help="Our certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(dir_okay=False, help="Its key (PEM).")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Whose certificates stations may show, beside our own.")
    ] = None,
    data: Annotated[Path, typer.Option(file_okay=False, help="What is kept is kept in here.")] = Path("data"),
    store: Annotated[
        str | None, typer.Option(help="Keep it there instead: sqlite:///FILE or postgresql://...", show_default="DATA")
    ] = None,
    unknown: Annotated[str, typer.Option(help="Unknown stations are: accepted, pending or rejected.")] = "accepted",
    unknown_tokens: Annotated[str, typer.Option(help="Unknown id tokens are: accepted or invalid.")] = "invalid",
    most_stations: Annotated[
        int, typer.Option(help="Once so many stations are known, unknown ones are turned away.")
    ] = MOST_STATIONS,
    forget_unknown: Annotated[
        float, typer.Option(help="Days after which stations that never took part are forgotten.")
    ] = CsmsChoices.stranger_days,
    password_required: Annotated[
        bool, typer.Option("--password-required", help="Let in only stations whose password is known.")
    ] = False,
    heartbeat: Annotated[int, typer.Option(help="Seconds between heartbeats, as stations are told.")] = 300,
    ping: Annotated[
        float, typer.Option(help="Seconds between pings to a station; who answers none is gone. 0: no pings.")
    ] = Rules.ping_s,
    retention: Annotated[
        float | None,
        typer.Option(help="Days for which meter values, events and commands are kept.", show_default="for good"),
    ] = None,
    vendor: Annotated[list[str] | None, typer.Option(help="A vendor id whose data transfers are taken.")] = None,
    site: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="A site (station JSON) whose chargers are stations here: steer them."),
    ] = None,
    failsafe: Annotated[float, typer.Option(help="kW that each of its EVSEs may draw when nothing is heard.")] = 0.0,
    validity: Annotated[float, typer.Option(help="Seconds for which a limit of the site holds.")] = 120.0,
    token: Annotated[
        str | None, typer.Option(envvar="VOLTBENCH_TOKEN", help="What every request to the API must show.")
    ] = None,
    full_sync: Annotated[bool, typer.Option("--full-sync", help="Let SQLite survive a power cut too.")] = False,
) -> None:
    """Serve a CSMS: stations on ws://HOST:PORT/ID, its API on http://HOST:HTTP_PORT."""
    policy = Policy(
        unknown_stations=_REGISTRATIONS[_chosen("unknown", unknown, tuple(_REGISTRATIONS))],
        most_stations=most_stations,
        unknown_tokens="Accepted"
        if _chosen("unknown-tokens", unknown_tokens, ("accepted", "invalid")) == "accepted"
        else "Invalid",
        heartbeat_s=heartbeat,
        vendors=frozenset(vendor or ()),
    )
    for option, found in (("port", port), ("http-port", http_port), ("tls-port", tls_port)):
        _require_range(option, found, 0, 65_535)
    _require_range("most-stations", most_stations, 0, 1_000_000)
    _require_range("forget-unknown", forget_unknown, 0, 100_000)
    _require_range("heartbeat", heartbeat, 1, 86_400)
    _require_range("ping", ping, 0, 86_400)
    _require_range("retention", retention or 0.0, 0, 100_000)
    _require_range("failsafe", failsafe, 0, 1_000)
    _require_range("validity", validity, 10, 86_400)
    steered = SteeredChoices(_site(site), failsafe * 1e3, validity) if site is not None else None
    certificates = Certificates(tls_cert, tls_key, tls_ca) if tls_cert is not None else None
    rules = Rules(password_required, ping)
    choices = CsmsChoices(data, store, policy, rules, full_sync, retention_days=retention, stranger_days=forget_unknown)
    # Stations on other machines are let in by their own rules; the API there is for who has the token.
    trust = trust_for(host, token) if token is not None or is_loopback(host) else trust_for("127.0.0.1", None)
    api_host = host if token is not None or is_loopback(host) else "127.0.0.1"
    with ExitStack() as sockets:
        plain = sockets.enter_context(listening(host, port))
        tls = sockets.enter_context(listening(host, tls_port, "tls-port")) if certificates is not None else None
        http = sockets.enter_context(listening(api_host, http_port, "http-port"))
        asyncio.run(_serve(choices, steered, Doors(plain, tls, certificates), trust, http))


def _chosen(option: str, found: str, allowed: tuple[str, ...]) -> str:
    if found not in allowed:
        raise InvalidInput(option, "is none of these", found=found, allowed=", ".join(allowed))
    return found


def _require_range(option: str, found: float, least: int, most: int) -> None:
    if not least <= found <= most:
        raise InvalidInput(option, "is out of range", found=found, allowed=f"{least} to {most}")


def _site(file: Path) -> StationConfig:
    try:
        return station_json.parse(file.read_bytes())
    except OSError as error:
        raise InvalidInput("site", f"cannot be read: {error.strerror}", found=str(file)) from error
    except InvalidInput as error:
        raise error.within(str(file)) from error


async def _serve(
    choices: CsmsChoices, steered: SteeredChoices | None, doors: Doors, trust: Trust, http: socket.socket
) -> None:
    log_to(Console())
    stop = told_to_stop()
    async with csms_opened(choices, doors, steered) as service:
        announce(doors)
        _log.info("listening on http://%s:%d (docs at /docs)", *http.getsockname()[:2])
        await serve(make_csms_app(service, trust), http, stop)
        _log.info("stopping")
    _log.info("stopped")
