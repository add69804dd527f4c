"""Names of configuration keys, which case does not tell apart (CiString), and which of them hold secrets."""

from __future__ import annotations

import json
from typing import Any

HIDDEN = "***"


def key_name(key: str) -> str:
    """A configuration key under the one name that it has in any spelling."""
    return key.strip().casefold()


def is_secret(key: str) -> bool:
    """Whether what a key is set to is kept nowhere but in the station."""
    return key_name(key) == _AUTHORIZATION_KEY


_AUTHORIZATION_KEY = key_name("AuthorizationKey")
_SIGN = _AUTHORIZATION_KEY.encode()


def without_secrets(message: bytes) -> bytes:
    """A message, or part of one, as JSON, without what secret keys are set to, wherever it says so.

    Of what names such a key and is no JSON nothing is left.
    """
    if _SIGN not in message.lower():
        return message
    try:
        content = json.loads(message)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() if _hide(content) else message
    except (ValueError, RecursionError):
        return HIDDEN.encode()


def _hide(content: Any) -> bool:
    """Hide the secrets in content; return whether there are any."""
    if isinstance(content, list):
        hides = [_hide(one) for one in content]
    elif isinstance(content, dict):
        hides = [_hide_setting(content), *(_hide(one) for one in content.values())]
    else:
        return False
    return any(hides)


def _hide_setting(content: dict[str, Any]) -> bool:
    members = {name.casefold(): name for name in content}
    key = content.get(members.get("key", ""))
    if not isinstance(key, str) or not is_secret(key) or "value" not in members:
        return False
    content[members["value"]] = HIDDEN
    return True
