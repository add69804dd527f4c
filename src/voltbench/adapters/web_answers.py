"""What an answer over HTTP means before its words are read, and how many of them are."""

from __future__ import annotations

import httpx

from voltbench.errors import InvalidInput, RemoteProtocolError, Unavailable, VoltbenchError

OK, MISSING = 200, 404
REFUSED = (401, 403)
RETRIED = (408, 425, 429)


def refusal(
    response: httpx.Response, service: str, missing: VoltbenchError, otherwise: VoltbenchError
) -> VoltbenchError:
    """What a status that is no success is: of a token, of nothing being there, of this moment, or `otherwise`."""
    status = response.status_code
    if status in REFUSED:
        return InvalidInput("token", "was refused", found=status, allowed="one that is valid", source=service)
    if status == MISSING:
        return missing
    if status >= 500 or status in RETRIED:
        return Unavailable(f"{service} answers {status} {response.reason_phrase}".rstrip())
    return otherwise


async def whole(response: httpx.Response, largest: int, service: str) -> bytes:
    """All that is answered. RemoteProtocolError once it is more than the largest answer, and no more is read."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > largest:
            raise RemoteProtocolError(f"{service} answers with more than {largest} bytes")
    return bytes(content)
