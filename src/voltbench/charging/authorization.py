"""Who may charge, as far as a station knows by itself: the list it was given and the answers it remembers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from voltbench.quantities import Instant

LARGEST_CACHE = 1_000
"""Answers that are remembered; who has not been seen for longest is forgotten first."""


def token_name(token: str) -> str:
    """An id token, or a group of them, under the one name it has in any spelling: case does not tell them apart."""
    return token.casefold()


def is_same_token(token: str | None, other: str | None) -> bool:
    """Whether two id tokens, or two groups, are one."""
    return token is not None and other is not None and token_name(token) == token_name(other)


class TokenStatus(StrEnum):
    """What is thought of an id token (AuthorizationStatus of OCPP 1.6)."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


class TokenInfo(msgspec.Struct, frozen=True):
    """What is known of an id token: its standing, until when that holds, and the group it belongs to."""

    status: TokenStatus
    expires_at: Instant | None = None
    group: str | None = None

    def at(self, now: Instant) -> TokenInfo:
        """The same at an instant: what was accepted may have expired."""
        if self.status is TokenStatus.ACCEPTED and self.expires_at is not None and now >= self.expires_at:
            return TokenInfo(TokenStatus.EXPIRED, self.expires_at, self.group)
        return self

    @property
    def accepted(self) -> bool:
        """Whether it may charge."""
        return self.status is TokenStatus.ACCEPTED


class TokenBook:
    """The local authorization list and the authorization cache of a station.

    OCPP 1.6 edition 2, section 3.5: the list comes first, and what is on it is not cached.
    """

    __slots__ = ("cache", "list", "list_version")

    def __init__(self) -> None:
        self.list: dict[str, TokenInfo] = {}
        self.list_version = 0
        self.cache: OrderedDict[str, TokenInfo] = OrderedDict()

    def known(self, now: Instant, token: str, *, by_list: bool, by_cache: bool) -> TokenInfo | None:
        """What is known of a token now, by the list or else by the cache."""
        key = token_name(token)
        if by_list and key in self.list:
            return self.list[key].at(now)
        if by_cache and key in self.cache:
            self.cache.move_to_end(key)
            return self.cache[key].at(now)
        return None

    def remember(self, token: str, info: TokenInfo) -> bool:
        """Keep what the CSMS said of a token. Return whether that is news; then see `forget_oldest` too."""
        key = token_name(token)
        if key in self.list or self.cache.get(key) == info:
            return False
        self.cache[key] = info
        self.cache.move_to_end(key)
        return True

    def forget_oldest(self) -> list[str]:
        """Forget those that are too many in the cache; return their names."""
        return [self.cache.popitem(last=False)[0] for _ in range(len(self.cache) - LARGEST_CACHE)]

    def replace_list(self, version: int, entries: Mapping[str, TokenInfo]) -> None:
        """Take another list instead."""
        self.list = {token_name(token): info for token, info in entries.items()}
        self.list_version = version

    def change_list(self, version: int, entries: Mapping[str, TokenInfo | None]) -> None:
        """Take entries over into the list; without an info one is removed."""
        for token, info in entries.items():
            if info is None:
                self.list.pop(token_name(token), None)
            else:
                self.list[token_name(token)] = info
        self.list_version = version
