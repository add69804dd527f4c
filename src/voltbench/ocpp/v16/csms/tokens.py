"""Who may charge: the tokens that are known, and what becomes of those that are not."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from voltbench.charging.authorization import token_name
from voltbench.ocpp.v16.csms.records import Token
from voltbench.ocpp.v16.messages import AuthorizationStatus, IdTagInfo
from voltbench.quantities import Instant, rfc3339


class Tokens:
    """The token store. Tokens are the same whatever the case of their letters (CiString20Type)."""

    def __init__(self, unknown: AuthorizationStatus, known: Iterable[Token] = ()) -> None:
        self._unknown = unknown
        self._known = {token_name(token.id_token): token for token in known}

    def put(self, token: Token) -> None:
        """A token is known, or known otherwise."""
        self._known[token_name(token.id_token)] = token

    def get(self, id_token: str) -> Token | None:
        """What is known of a token."""
        return self._known.get(token_name(id_token))

    def all(self) -> list[Token]:
        """Every token that is known, by its name."""
        return [self._known[name] for name in sorted(self._known)]

    def info(self, now: Instant, id_token: str, running: int = 0) -> IdTagInfo:
        """Whether a token may charge that has so many transactions running already."""
        token = self.get(id_token)
        if token is None:
            return IdTagInfo(status=self._unknown)
        return IdTagInfo(
            expiry_date=UNSET if token.expires_at is None else rfc3339(token.expires_at),
            parent_id_tag=UNSET if token.group is None else token.group,
            status=_status(now, token, running),
        )


def _status(now: Instant, token: Token, running: int) -> AuthorizationStatus:
    if token.status != "Accepted":
        return token.status
    if token.expires_at is not None and token.expires_at <= now:
        return "Expired"
    return "ConcurrentTx" if running >= token.concurrent_transactions else "Accepted"
