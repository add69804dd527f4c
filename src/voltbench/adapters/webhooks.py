"""Telling programs on the web that something has ended: only those the operator allowed, and signed.

Signatures are those of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. No redirect
is followed and no proxy is asked. A name is looked up once for each attempt, and what was checked is what is called, so
that a name cannot change between the two. Each look-up has a thread of its own: it may take long, whoever gives it up.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from ssl import SSLContext
from urllib.parse import SplitResult, urlsplit

import httpx

from voltbench.adapters import strict
from voltbench.adapters.aside import aside
from voltbench.errors import InvalidInput, NotFound, Unavailable
from voltbench.quantities import MS_PER_SECOND, Instant

PATIENCE_S = 15.0
"""How long a program may take for its answer, from the look-up of its name on."""

CONNECTS_WITHIN_S = 2.0
"""How long an address may take to connect before the next one is tried, as an IPv6 that leads nowhere would."""

LONGEST_URL = 2_000
GONE = 410
SECRET = "VOLTBENCH_WEBHOOK_SECRET"

_PORTS = {"http": 80, "https": 443}
_ENCODED = "whsec_"
_OWN_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""How names end that are never of the public internet."""

_DISGUISES = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fec0::/10")))
"""Translated to IPv4 (NAT64, 6to4), where any private address may be inside; and site-local (RFC 3879)."""

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs whole URLs, and there may be a secret in them

Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A host that may be told things, at a port, or without one at the usual one of http or https."""

    name: str
    port: int | None = None

    @classmethod
    def named(cls, text: str) -> AllowedHost:
        """The host that an operator writes as HOST or HOST:PORT. Raises InvalidInput."""
        try:
            parts = urlsplit(f"//{text}")
            name, port = parts.hostname, parts.port
        except ValueError:
            name, port = None, None
        if name is None or text != parts.netloc or "@" in text or "*" in text or not _is_plain(text):
            raise InvalidInput("webhook-host", "is no host", found=text, allowed="HOST or HOST:PORT")
        return cls(name, port)

    def covers(self, parts: SplitResult) -> bool:
        """Whether this is where a URL leads."""
        usual = _PORTS[parts.scheme]
        return parts.hostname == self.name and (parts.port or usual) == (self.port or usual)


async def looked_up(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises Unavailable."""
    try:
        found = await aside(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # which a name is that nobody can have
        raise Unavailable(f"{host} cannot be looked up: {getattr(error, 'strerror', None) or error}") from error
    return [str(address[4][0]) for address in found]


class Webhooks:
    """Posts signed notices to the hosts that are allowed."""

    def __init__(
        self,
        hosts: Collection[AllowedHost],
        secret: str,
        resolve: Resolve = looked_up,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._hosts = tuple(hosts)
        self._key = key_of(secret) if secret else b""
        self._resolve = resolve
        self._patience_s = patience_s
        if self._hosts and not self._key:
            raise InvalidInput("webhook-host", f"needs a secret to sign with, in {SECRET}", allowed="a secret")

    def check(self, url: str) -> SplitResult:
        """The parts of a URL that may be told things. Raises InvalidInput."""
        parts = parts_of(url, "notify")
        if not any(host.covers(parts) for host in self._hosts):
            allowed = ", ".join(_written(host) for host in self._hosts) or "none; see --webhook-host"
            raise InvalidInput(
                "notify", "is on a host that the operator has not allowed", found=strict.shown(url), allowed=allowed
            )
        return parts

    async def send(self, id: str, url: str, body: bytes, now: Instant) -> None:
        """Post a notice once. Raises Unavailable where it may be tried again, or InvalidInput or NotFound."""
        self.check(url)
        timestamp = now // MS_PER_SECOND
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, id, timestamp, body),
        }
        await post(url, body, headers, self._addresses, self._patience_s)

    async def _addresses(self, name: str, port: int) -> list[str]:
        """Where a name may be called. Raises InvalidInput for a public name that leads into a private network."""
        found = await self._resolve(name, port)
        may = [one for one in found if self._may_call(name, one)]
        if not may:
            raise InvalidInput("notify", "leads to a private address", found=", ".join(found), allowed="a public one")
        return may

    def _may_call(self, name: str, address: str) -> bool:
        is_own = "." not in name or name.endswith(_OWN_NAMES)
        is_named = any(host.name == address for host in self._hosts)
        return is_own or is_named or _is_public(address)


def key_of(secret: str) -> bytes:
    """What is signed with: the bytes behind `whsec_` in base64, or else the text itself. Raises InvalidInput."""
    if not secret.startswith(_ENCODED):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
    except ValueError as error:
        raise InvalidInput(SECRET, "is not base64", allowed=f"{_ENCODED} and base64, or any text") from error


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The signature of a notice."""
    mac = hmac.digest(key, b"%s.%d.%s" % (id.encode(), timestamp, body), "sha256")
    return f"v1,{base64.b64encode(mac).decode()}"


def parts_of(url: str, field: str) -> SplitResult:
    """The parts of an address on the web. Raises InvalidInput."""
    allowed = "such as https://example.org/ended"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidInput(field, "is no address on the web", found=strict.shown(url), allowed=allowed) from None
    if not is_good or parts.fragment or "@" in parts.netloc or len(url) > LONGEST_URL or not _is_plain(url):
        raise InvalidInput(field, "is no address on the web", found=strict.shown(url), allowed=allowed)
    return parts


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    resolve: Resolve = looked_up,
    patience_s: float = PATIENCE_S,
) -> None:
    """Post JSON once. Raises Unavailable, or NotFound where nobody wants it any more."""
    parts = urlsplit(url)
    assert parts.hostname is not None  # whoever says where to post to was refused otherwise
    said = {"Content-Type": "application/json", "User-Agent": "voltbench", **(headers or {})}
    try:
        async with asyncio.timeout(patience_s):
            addresses = await resolve(parts.hostname, parts.port or _PORTS[parts.scheme])
            status = await _status(httpx.URL(url), addresses, body, said, patience_s)
    except TimeoutError as error:
        raise Unavailable(f"no answer within {patience_s:g} s") from error
    except httpx.HTTPError as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    if status == GONE:
        raise NotFound("webhook", f"{url}; it answers that it is gone")
    if not 200 <= status < 300:
        raise Unavailable(f"the answer has status {status}")


async def _status(
    target: httpx.URL, addresses: Sequence[str], body: bytes, headers: Mapping[str, str], patience_s: float
) -> int:
    """The status of the answer, from the first address where anybody is."""
    said, more = {**headers, "Host": target.netloc.decode()}, {"sni_hostname": target.raw_host.decode()}

    async def status_at(address: str, connect_s: float) -> int:
        called, limits = target.copy_with(host=address), httpx.Timeout(patience_s, connect=connect_s)
        answering = client.stream("POST", called, content=body, headers=said, extensions=more, timeout=limits)
        async with answering as answer:
            return answer.status_code

    async with httpx.AsyncClient(trust_env=False, verify=_trusted()) as client:
        *others, last = addresses
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await status_at(address, min(CONNECTS_WITHIN_S, patience_s / len(addresses)))
        return await status_at(last, patience_s)


def _is_public(address: str) -> bool:
    """Whether an address is one of the public internet's, and not another one's in disguise."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast and not any(found in network for network in _DISGUISES)


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _written(host: AllowedHost) -> str:
    return host.name if host.port is None else f"{host.name}:{host.port}"


@lru_cache(maxsize=1)
def _trusted() -> SSLContext:
    return httpx.create_ssl_context()
