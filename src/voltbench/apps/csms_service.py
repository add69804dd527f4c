"""A CSMS with its doors: made of choices, for `voltbench csms` and `voltbench up` alike."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from voltbench.adapters.ocpp_csms.authority import OwnAuthority
from voltbench.adapters.ocpp_csms.csms import ANSWER_WITHIN_S, Csms
from voltbench.adapters.ocpp_csms.door import Rules, open_door, tls_context
from voltbench.adapters.ocpp_csms.files import Files
from voltbench.apps.api.csms.addressing import CsmsService
from voltbench.apps.steered_site import SteeredChoices, SteeredSite
from voltbench.clock import wall_instant
from voltbench.errors import InvalidInput, Unavailable
from voltbench.ocpp.v16.csms.central import Policy
from voltbench.quantities import MS_PER_DAY, MS_PER_SECOND

_log = logging.getLogger("voltbench")

CSMS_FILE, CSMS_DIRECTORY, FILES_DIRECTORY = "csms.db", "csms", "files"


PRUNE_EVERY_S = 3_600.0
FAR_APART_MS = 60_000


@dataclass(frozen=True)
class Certificates:
    """TLS, by PEM files. Stations may show a certificate of `authorities`, and always one of our own authority."""

    certificate: Path
    key: Path | None = None
    authorities: Path | None = None


@dataclass(frozen=True)
class CsmsChoices:
    """What a CSMS is made of. Without `store` it is kept in `data`.

    Meter values, events, commands, and charging profiles and reservations that are over are kept for `retention_days`,
    or for good; transactions always are. Stations that never took part are remembered for `stranger_days` after they
    were heard of last.
    """

    data: Path
    store: str | None = None
    policy: Policy = field(default_factory=Policy)
    rules: Rules = field(default_factory=Rules)
    full_sync: bool = False
    answer_within_s: float = ANSWER_WITHIN_S
    retention_days: float | None = None
    stranger_days: float = 30.0


@dataclass(frozen=True)
class Doors:
    """Sockets that listen for stations: a plain one, and one with TLS, each where there is one."""

    plain: socket.socket | None = None
    tls: socket.socket | None = None
    certificates: Certificates | None = None


@asynccontextmanager
async def csms_opened(
    choices: CsmsChoices, doors: Doors, steered: SteeredChoices | None = None
) -> AsyncIterator[CsmsService]:
    """A CSMS that goes on where it stopped, and lets stations in for as long as this lasts; it may steer a site."""
    directory = choices.data / CSMS_DIRECTORY
    try:
        authority = OwnAuthority(directory)
    except OSError as error:
        problem = f"cannot be used ({error.strerror})"
        raise InvalidInput("data", problem, found=str(choices.data), allowed="a directory of yours") from error
    context = tls_of(doors.certificates, authority.root_file) if doors.certificates is not None else None
    csms = await Csms.open(
        csms_url(choices),
        choices.policy,
        authority=authority,
        full_sync=choices.full_sync,
        answer_within_s=choices.answer_within_s,
    )
    async with AsyncExitStack() as open_things:
        open_things.push_async_callback(csms.close)
        files = Files(directory / FILES_DIRECTORY)
        await files.clear()
        site = await SteeredSite.open(csms, steered) if steered is not None else None
        if site is not None:
            await open_things.enter_async_context(_alive(site))
        pruning = asyncio.create_task(_prune(csms, choices), name="csms pruning")
        open_things.push_async_callback(_cancelled, pruning)
        if doors.plain is not None:
            await open_things.enter_async_context(open_door(csms, doors.plain, choices.rules))
        if doors.tls is not None:
            await open_things.enter_async_context(open_door(csms, doors.tls, choices.rules, context))
        yield CsmsService(csms, files, site.status if site is not None else None)


@asynccontextmanager
async def _alive(site: SteeredSite) -> AsyncIterator[None]:
    """Let a site be steered for as long as this lasts."""
    life = asyncio.create_task(site.live(), name="steered site")
    try:
        yield
    finally:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def _prune(csms: Csms, choices: CsmsChoices) -> None:
    """Forget what is old by the CSMS's clock and by the wall's: one that was wrong for a moment costs no records."""
    while True:
        now, wall = csms.now(), wall_instant()
        if now - wall > FAR_APART_MS:
            _log.warning(
                "the CSMS is %d s ahead of the wall's clock, which has been set back", (now - wall) // MS_PER_SECOND
            )
        now = min(now, wall)
        try:
            if choices.retention_days is not None:
                await csms.store.prune(now - round(choices.retention_days * MS_PER_DAY))
            gone = await csms.forget_strangers(now - round(choices.stranger_days * MS_PER_DAY))
            if gone:
                _log.info("%d stations that never took part are forgotten", gone)
        except Unavailable as error:
            _log.warning("what is old could not be forgotten: %s", error)
        await asyncio.sleep(PRUNE_EVERY_S)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def csms_url(choices: CsmsChoices) -> str:
    """Where the CSMS is kept: a SQLite file of its own, or a PostgreSQL database that others may share."""
    url = choices.store
    if url is None:
        return f"sqlite:///{choices.data.absolute() / CSMS_FILE}"
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        return f"sqlite:///{file.with_name(f'{file.stem}-csms{file.suffix}')}"
    return url


def tls_of(certificates: Certificates, own_root: Path) -> ssl.SSLContext:
    """TLS as chosen. Raises InvalidInput where a file is no good."""
    key = str(certificates.key) if certificates.key is not None else None
    authorities = str(certificates.authorities) if certificates.authorities is not None else None
    try:
        context = tls_context(str(certificates.certificate), key, authorities or str(own_root))
        context.load_verify_locations(str(own_root))
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput("tls-cert", f"cannot be used with its key: {error}", allowed="PEM files") from error
    return context


def announce(doors: Doors) -> None:
    """Say where stations may connect."""
    for door, scheme in ((doors.plain, "ws"), (doors.tls, "wss")):
        if door is not None:
            host, port = door.getsockname()[:2]
            _log.info("stations connect to %s://%s:%d/STATION-ID", scheme, f"[{host}]" if ":" in host else host, port)
