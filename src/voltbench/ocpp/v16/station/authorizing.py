"""Who may charge: the local list, the cache, the CSMS; and remote starts, which ask nobody or all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from voltbench.charging.authorization import TokenBook, TokenInfo, TokenStatus, token_name
from voltbench.ocpp.v16.messages import (
    Authorize,
    AuthorizeResponse,
    ClearCache,
    ClearCacheResponse,
    GetLocalListVersion,
    GetLocalListVersionResponse,
    IdTagInfo,
    SendLocalList,
    SendLocalListResponse,
)
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.ocpp.wire_types import instant
from voltbench.quantities import Instant

Decided = Callable[[Instant, TokenInfo], None]


class KeptList(msgspec.Struct, frozen=True):
    """The local list as it is kept."""

    version: int
    entries: Mapping[str, TokenInfo]


class Authorizing:
    """What a station knows of id tokens, and whom it asks for the rest."""

    __slots__ = ("_desk", "book")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.book = TokenBook()

    # --- deciding ---------------------------------------------------------------------------------------------------

    def decide(self, now: Instant, token: str, decided: Decided) -> None:
        """Find out what is to be thought of a token. OCPP 1.6 edition 2, sections 3.5 and 4.1."""
        keys = self._desk.configuration
        known = self._known(now, token)
        if not self._desk.may_call:
            decided(now, self._offline(known))
        elif known is not None and known.accepted and keys.is_on("LocalPreAuthorize"):
            decided(now, known)
        else:
            self._ask(now, token, decided)

    def group_of(self, now: Instant, token: str) -> str | None:
        """The group of a token, as far as list and cache know it."""
        known = self._known(now, token)
        return None if known is None else known.group

    def _known(self, now: Instant, token: str) -> TokenInfo | None:
        keys = self._desk.configuration
        return self.book.known(
            now, token, by_list=keys.is_on("LocalAuthListEnabled"), by_cache=keys.is_on("AuthorizationCacheEnabled")
        )

    def _offline(self, known: TokenInfo | None) -> TokenInfo:
        keys = self._desk.configuration
        if known is not None:
            return known if keys.is_on("LocalAuthorizeOffline") else TokenInfo(TokenStatus.INVALID)
        unknown = keys.is_on("AllowOfflineTxForUnknownId")
        return TokenInfo(TokenStatus.ACCEPTED if unknown else TokenStatus.INVALID)

    def _ask(self, now: Instant, token: str, decided: Decided) -> None:
        def answered(at: Instant, response: Struct | None) -> None:
            if isinstance(response, AuthorizeResponse):
                info = info_of(response.id_tag_info)
                self.learn(token, info)
                decided(at, info.at(at))
            else:
                decided(at, self._offline(self._known(at, token)))

        self._desk.call(now, Authorize(id_tag=token), answered)

    def learn(self, token: str, info: TokenInfo) -> None:
        """The CSMS has said something of a token."""
        if self._desk.configuration.is_on("AuthorizationCacheEnabled") and self.book.remember(token, info):
            self._desk.keep_struct(f"cache/{token_name(token)}", info)
            for forgotten in self.book.forget_oldest():
                self._desk.keep(f"cache/{forgotten}", None)

    # --- the list and the cache -------------------------------------------------------------------------------------

    def clear_cache(self, _now: Instant, _request: ClearCache) -> ClearCacheResponse:
        """Forget what the CSMS has said."""
        if not self._desk.configuration.is_on("AuthorizationCacheEnabled"):
            return ClearCacheResponse(status="Rejected")
        for token in self.book.cache:
            self._desk.keep(f"cache/{token}", None)
        self.book.cache.clear()
        return ClearCacheResponse(status="Accepted")

    def list_version(self, _now: Instant, _request: GetLocalListVersion) -> GetLocalListVersionResponse:
        """The version of the list; -1 where there are no lists, 0 where it is empty."""
        if not self._desk.configuration.is_on("LocalAuthListEnabled"):
            return GetLocalListVersionResponse(list_version=-1)
        return GetLocalListVersionResponse(list_version=self.book.list_version if self.book.list else 0)

    def take_list(self, _now: Instant, request: SendLocalList) -> SendLocalListResponse:
        """Take a list, or changes to it. OCPP 1.6 edition 2, section 5.15."""
        keys, book = self._desk.configuration, self.book
        if not keys.is_on("LocalAuthListEnabled"):
            return SendLocalListResponse(status="NotSupported")
        sent = request.local_authorization_list or ()
        entries = {one.id_tag: info_of(one.id_tag_info) if one.id_tag_info else None for one in sent}
        if (
            len(sent) > keys.whole("SendLocalListMaxLength")
            or len({token_name(token) for token in entries}) != len(sent)
            or request.list_version < 0
        ):
            return SendLocalListResponse(status="Failed")
        if request.update_type == "Differential":
            if request.list_version <= book.list_version:
                return SendLocalListResponse(status="VersionMismatch")
            after = len(set(book.list) | {token_name(token) for token in entries})
        elif None in entries.values():
            return SendLocalListResponse(status="Failed")
        else:
            after = len(entries)
        if after > keys.whole("LocalAuthListMaxLength"):
            return SendLocalListResponse(status="Failed")
        if request.update_type == "Full":
            book.replace_list(request.list_version, {t: info for t, info in entries.items() if info is not None})
        else:
            book.change_list(request.list_version, entries)
        self._desk.keep_struct("list", KeptList(book.list_version, book.list))
        return SendLocalListResponse(status="Accepted")

    # --- what is kept -----------------------------------------------------------------------------------------------

    def restore(self, key: str, kept: bytes) -> None:
        """Take up what was kept under a key."""
        if key == "list":
            found = msgspec.json.decode(kept, type=KeptList)
            self.book.replace_list(found.version, found.entries)
        else:
            self.book.cache[key.removeprefix("cache/")] = msgspec.json.decode(kept, type=TokenInfo)


def info_of(info: IdTagInfo) -> TokenInfo:
    """What the CSMS says of a token."""
    expires_at = None if isinstance(info.expiry_date, UnsetType) else instant(info.expiry_date)
    group = None if info.parent_id_tag is UNSET else info.parent_id_tag
    return TokenInfo(TokenStatus(info.status), expires_at, group or None)
