"""The other side of a fleet that is measured: accepts everything at once, at next to no cost.

    python -m benchmarks.ocpp_answerer [CERTIFICATE KEY]

Prints its port; with a certificate (PEM) and its key it answers behind TLS.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, WSUpgradeResponse, ws_create_server
from picows import WSUpgradeResponseWithListener as Upgraded

ANSWERS = {
    "BootNotification": b'{"status":"Accepted","currentTime":"2026-03-02T00:00:00Z","interval":3600}',
    "Heartbeat": b'{"currentTime":"2026-03-02T00:00:00Z"}',
    "Authorize": b'{"idTagInfo":{"status":"Accepted"}}',
    "StartTransaction": b'{"idTagInfo":{"status":"Accepted"},"transactionId":7}',
}


class Answerer(WSListener):  # type: ignore[misc]
    """One station's line."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            _, id, action, _ = msgspec.json.decode(frame.get_payload_as_bytes())
            transport.send(WSMsgType.TEXT, b'[3,"' + id.encode() + b'",' + ANSWERS.get(action, b"{}") + b"]")


def _listener(request: WSUpgradeRequest) -> Upgraded:
    answer = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": "ocpp1.6"})
    return Upgraded(answer, Answerer())


async def main() -> None:
    """Answer until killed."""
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*sys.argv[1:])
    server = await ws_create_server(_listener, "127.0.0.1", 0, ssl=tls, read_buffer_init_size=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
