"""`voltbench csms`: a CSMS that any station can use, with its REST API, in one process, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from voltbench.adapters import station_json
from voltbench.adapters.ocpp_csms.door import Rules
from voltbench.adapters.station_json import StationConfig
from voltbench.apps.api.csms.app import make_csms_app
from voltbench.apps.api.trust import Trust, is_loopback, trust_for
from voltbench.apps.csms_options import (
    ForgetUnknown,
    MostStations,
    Ping,
    TlsCa,
    TlsCert,
    TlsKey,
    TlsPort,
    Unknown,
    UnknownTokens,
    certificates_of,
    policy_of,
)
from voltbench.apps.csms_service import CsmsChoices, Doors, announce, csms_opened
from voltbench.apps.options import require_range
from voltbench.apps.serving import listening, log_to, serve, told_to_stop
from voltbench.apps.steered_site import SteeredChoices
from voltbench.errors import InvalidInput
from voltbench.ocpp.v16.csms.central import MOST_STATIONS

_log = logging.getLogger("voltbench")


def csms(
    host: Annotated[
        str, typer.Option(help="Where to listen; for the API, all but loopback needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="For stations, ws://; 0 takes one that is free.")] = 9000,
    http_port: Annotated[int, typer.Option(help="For the API and for files.")] = 9080,
    tls_port: TlsPort = 9443,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
    data: Annotated[Path, typer.Option(file_okay=False, help="What is kept is kept in here.")] = Path("data"),
    store: Annotated[
        str | None, typer.Option(help="Keep it there instead: sqlite:///FILE or postgresql://...", show_default="DATA")
    ] = None,
    unknown: Unknown = "accepted",
    unknown_tokens: UnknownTokens = "invalid",
    most_stations: MostStations = MOST_STATIONS,
    forget_unknown: ForgetUnknown = CsmsChoices.stranger_days,
    password_required: Annotated[
        bool, typer.Option("--password-required", help="Let in only stations whose password is known.")
    ] = False,
    heartbeat: Annotated[int, typer.Option(help="Seconds between heartbeats, as stations are told.")] = 300,
    ping: Ping = Rules.ping_s,
    retention: Annotated[
        float | None,
        typer.Option(
            help="Days for which meter values, events, commands and what is over are kept.", show_default="for good"
        ),
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
    policy = policy_of(unknown, unknown_tokens, most_stations, heartbeat, vendor or ())
    for option, found in (("port", port), ("http-port", http_port), ("tls-port", tls_port)):
        require_range(option, found, 0, 65_535)
    require_range("forget-unknown", forget_unknown, 0, 100_000)
    require_range("ping", ping, 0, 86_400)
    require_range("retention", retention or 0.0, 0, 100_000)
    require_range("failsafe", failsafe, 0, 1_000)
    require_range("validity", validity, 10, 86_400)
    steered = SteeredChoices(_site(site), failsafe * 1e3, validity) if site is not None else None
    certificates = certificates_of(tls_cert, tls_key, tls_ca)
    rules = Rules(password_required, ping)
    choices = CsmsChoices(data, store, policy, rules, full_sync, retention_days=retention, stranger_days=forget_unknown)
    # Stations on other machines are let in by their own rules; the API there is for who has the token.
    api_host = host if token is not None or is_loopback(host) else "127.0.0.1"
    with ExitStack() as sockets:
        plain = sockets.enter_context(listening(host, port))
        tls = sockets.enter_context(listening(host, tls_port, "tls-port")) if certificates is not None else None
        http = sockets.enter_context(listening(api_host, http_port, "http-port"))
        asyncio.run(_serve(choices, steered, Doors(plain, tls, certificates), trust_for(api_host, token), http))


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
