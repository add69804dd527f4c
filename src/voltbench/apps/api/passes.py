"""What a browser shows instead of the token: a pass, which is a cookie.

Whoever opens `/ui?token=TOKEN` or `/docs?token=TOKEN` is given one and sent on to the page without the token. Scripts
cannot read it, pages of other sites do not send it, and it is gone when the browser is closed. It is made of the
token but does not betray it, holds over a restart, and ends when there is another token. A browser sends cookies to
every port of a host: another server on this machine that it visits could use the pass as its own.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import parse_qs

from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, Response

PAGES = frozenset({"/ui", "/docs"})

_ON = '<!doctype html><title>voltbench</title><meta http-equiv="refresh" content="0;url={page}">'
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def same(sent: str, known: str) -> bool:
    """Whether two secrets are the same, found out in a time that does not tell where they differ."""
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), known.encode())


def token_in(query: str) -> str | None:
    """The token that a URL brings along."""
    return parse_qs(query).get("token", [None])[0]


def welcome(page: str, token: str, host: str) -> Response:
    """Give a pass, and send the browser on.

    The page does it, not a redirect: a browser that came by a link from elsewhere would not show its pass there.
    """
    answer = HTMLResponse(_ON.format(page=page), headers=_HEADERS)
    answer.set_cookie(_name_at(host), _made_of(token), httponly=True, samesite="strict")
    return answer


def has_pass(headers: Mapping[str, str], token: str) -> bool:
    """Whether a request shows the pass."""
    shown = cookie_parser(headers.get("cookie", "")).get(_name_at(headers.get("host", "")), "")
    return same(shown, _made_of(token))


def _name_at(host: str) -> str:
    """The cookie's name: browsers keep cookies by host, and several benches may have ports of one."""
    port = host.rpartition(":")[2]
    return f"voltbench-{port}" if port.isdecimal() else "voltbench"


def _made_of(token: str) -> str:
    return hmac.new(token.encode(), b"voltbench: a pass for a browser", sha256).hexdigest()
