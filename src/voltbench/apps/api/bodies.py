"""How the bodies of requests are read: as JSON in which each key stands once, since of two one would be ignored."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from voltbench.adapters import json_text


class PlainRequest(Request):
    """A request whose body is JSON in which nothing is said twice. Raises JSONDecodeError or UnreadableJson."""

    async def json(self) -> Any:
        """What the body says."""
        return json_text.parse_plain(await self.body())


class PlainRoute(APIRoute):
    """A route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def answer_plain(request: Request) -> Response:
            return await answer(PlainRequest(request.scope, request.receive))

        return answer_plain
