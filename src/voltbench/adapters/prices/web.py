"""Asking a service on the web: once, patiently for a while, up to a size, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from voltbench.adapters import json_text, strict
from voltbench.adapters.web_answers import OK, refusal, whole
from voltbench.errors import InvalidInput, NotFound, RemoteProtocolError, Unavailable, VoltbenchError

PATIENCE_S = 15.0
"""How long a service may take for an answer, from the first word to the last."""

LARGEST_ANSWER = 4 << 20
MOST_VALUES = 100_000
"""Values in an answer in JSON; a month of quarters has ten thousand. Only to read more would take seconds."""

NO_CONTENT, BAD_REQUEST = 204, 400

logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it logs whole URLs, and in ENTSO-E's there is the token

Struct = TypeVar("Struct")


@contextmanager
def sense_of(service: str) -> Iterator[None]:
    """What makes no sense inside is the fault of the service that said it, and of nobody who asked."""
    try:
        yield
    except InvalidInput as error:
        raise RemoteProtocolError(f"{service} makes no sense: {error}") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said: its status, which is one of those that were asked for, and its words."""

    status: int
    content: bytes
    source: str

    def read(self, model: type[Struct]) -> Struct:
        """The struct that it is in JSON. RemoteProtocolError, in the name of the service, where it is not."""
        with sense_of(self.source):
            if self.content.count(b",") > MOST_VALUES:
                raise InvalidInput("answer", "holds too many values", allowed=f"<= {MOST_VALUES}")
            try:
                table = json_text.parse_plain(self.content)
            except ValueError as error:
                raise InvalidInput("answer", "is not JSON", found=self.start(), allowed="JSON") from error
            return strict.convert(table, model, "" if isinstance(table, dict) else "answer")

    def start(self) -> str:
        """How it begins, for a message."""
        text = self.content[:200].decode("utf-8", "replace")
        return str(strict.shown(" ".join("".join(c if c.isprintable() else " " for c in text).split())))


@dataclass(frozen=True)
class Service:
    """A service below a URL. `headers` go with every question; what is secret in them is told to nobody else."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience_s: float = PATIENCE_S
    largest: int = LARGEST_ANSWER

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            allowed = "such as https://example.org/api"
            raise InvalidInput("url", "is no address of a service", found=strict.shown(self.url), allowed=allowed)

    @property
    def name(self) -> str:
        """How it is called in a message: its host."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    async def get(self, path: str, query: Mapping[str, str] | None = None, *expected: int) -> Answer:
        """What it answers to GET, with status 200 or another that is expected."""
        return await self._ask("GET", path, expected, params=query or {})

    async def post(self, path: str, body: Any, *expected: int) -> Answer:
        """What it answers to a POST of JSON."""
        return await self._ask("POST", path, expected, json=body)

    async def _ask(self, method: str, path: str, expected: tuple[int, ...], **content: Any) -> Answer:
        try:
            async with (
                asyncio.timeout(self.patience_s),
                self._client() as client,
                client.stream(method, self.url.rstrip("/") + path, **content) as response,
            ):
                if response.status_code not in (OK, *expected):
                    raise self._refusal(response)
                return Answer(response.status_code, await whole(response, self.largest, self.name), self.name)
        except TimeoutError as error:
            raise Unavailable(f"{self.name} does not answer within {self.patience_s:g} s") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.name} cannot be asked: {str(error) or type(error).__name__}") from error

    def _client(self) -> httpx.AsyncClient:
        headers = {"User-Agent": "voltbench", **self.headers}
        return httpx.AsyncClient(headers=headers, timeout=self.patience_s, follow_redirects=False, verify=_trusted())

    def _refusal(self, response: httpx.Response) -> VoltbenchError:
        status = response.status_code
        if response.has_redirect_location:
            return Unavailable(f"{self.name} answers {status} {response.reason_phrase}, and elsewhere is not asked")
        missing = NotFound(f"page of {self.name}", response.url.path)
        odd = InvalidInput("request", "was refused", found=status, allowed="status 200", source=self.name)
        return refusal(response, self.name, missing, odd)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed: read once, as that takes a tenth of a second."""
    return httpx.create_ssl_context()
