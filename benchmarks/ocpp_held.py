"""Many stations that are connected and do little: each boots, then all send heartbeats in turn.

    python -m benchmarks.ocpp_held URL STATIONS SECONDS PER_SECOND

Prints JSON lines: `{"held": N}` once all have booted and the heartbeats begin, and in the end how many were answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

AT_ONCE = 50
"""Connections that are made at a time."""


class Held(WSListener):  # type: ignore[misc]
    """One station's line."""

    answered = 0

    def __init__(self, number: int) -> None:
        self._number = number
        self._sent = 0
        self.has_booted = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._send("BootNotification", '{"chargePointVendor":"bench","chargePointModel":"held"}')

    def beat(self) -> None:
        """Send a heartbeat."""
        self._send("Heartbeat", "{}")

    def _send(self, action: str, payload: str) -> None:
        self._sent += 1
        self._transport.send(WSMsgType.TEXT, f'[2,"{self._number}-{self._sent}","{action}",{payload}]'.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            assert b"Accepted" in frame.get_payload_as_bytes() or self.has_booted.is_set()
            Held.answered += self.has_booted.is_set()
            self.has_booted.set()


async def connected(url: str, number: int, turn: asyncio.Semaphore) -> Held:
    """A station that has booted."""
    async with turn:
        _, line = await ws_connect(
            lambda: Held(number),
            f"{url}/H-{number}",
            extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
            websocket_handshake_timeout=60,
            read_buffer_init_size=2_048,
        )
        await line.has_booted.wait()
    return line


async def main() -> None:
    """Hold them."""
    url, count, seconds, per_second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    turn, begun = asyncio.Semaphore(AT_ONCE), time.monotonic()
    lines = await asyncio.gather(*(connected(url, number, turn) for number in range(count)))
    booted_s = time.monotonic() - begun
    print(json.dumps({"held": count}), flush=True)
    begun, sent = time.monotonic(), 0
    while (passed_s := time.monotonic() - begun) < seconds:
        while sent < passed_s * per_second:
            lines[sent % count].beat()
            sent += 1
        await asyncio.sleep(0.01)
    await asyncio.sleep(1.0)
    print(json.dumps({"booted_s": booted_s, "sent": sent, "answered": Held.answered}), flush=True)
    sys.stdin.readline()  # held until whoever asked has looked at the CSMS


if __name__ == "__main__":
    asyncio.run(main())
