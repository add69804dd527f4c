"""Meter values as fast as a CSMS takes them: many lines, one call under way on each, distinct values.

    python -m benchmarks.ocpp_flood URL LINES SECONDS

Prints JSON: how many were answered while it counted, and how many in all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class Flooder(WSListener):  # type: ignore[misc]
    """One line: boots, starts a transaction, then sends values one after the other until it is stopped."""

    counting = False
    stopped = False
    answered = 0
    in_all = 0

    def __init__(self, number: int) -> None:
        self._number = number
        self._sent = 0
        self._transaction = 0
        self.is_ready = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._send("BootNotification", '{"chargePointVendor":"bench","chargePointModel":"flood"}')

    def _send(self, action: str, payload: str) -> None:
        self._sent += 1
        self._transport.send(WSMsgType.TEXT, f'[2,"{self._number}-{self._sent}","{action}",{payload}]'.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        if self._sent == 1:
            start = (
                f'{{"connectorId":1,"idTag":"TAG","meterStart":0,"timestamp":"2026-03-02T00:00:00.{self._number:03}Z"}}'
            )
            self._send("StartTransaction", start)
        elif self._sent == 2:
            self._transaction = json.loads(frame.get_payload_as_bytes())[2]["transactionId"]
            self.is_ready.set()
        else:
            Flooder.in_all += 1
            Flooder.answered += Flooder.counting
            if not Flooder.stopped:
                self.value()

    def value(self) -> None:
        """Send one more value."""
        n = self._sent
        watts, context = f"{11_040 - n % 977}.0", '"context":"Sample.Periodic"'
        sampled = (
            f'{{"value":"{n}",{context},"measurand":"Energy.Active.Import.Register","unit":"Wh"}},'
            f'{{"value":"{watts}",{context},"measurand":"Power.Active.Import","unit":"W"}}'
        )
        stamp = f"2026-03-02T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}.000Z"
        self._send(
            "MeterValues",
            f'{{"connectorId":1,"transactionId":{self._transaction},'
            f'"meterValue":[{{"timestamp":"{stamp}","sampledValue":[{sampled}]}}]}}',
        )


async def main() -> None:
    """Flood."""
    url, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    lines = []
    for number in range(count):
        _, line = await ws_connect(
            lambda number=number: Flooder(number),  # type: ignore[misc]
            f"{url}/F-{number}",
            extra_headers={"Sec-WebSocket-Protocol": "ocpp1.6"},
            websocket_handshake_timeout=30,
        )
        lines.append(line)
    for line in lines:
        await line.is_ready.wait()
    for line in lines:
        line.value()
    await asyncio.sleep(1.0)
    print(json.dumps({"begun": True}), flush=True)
    Flooder.counting, begun = True, time.monotonic()
    await asyncio.sleep(seconds)
    Flooder.counting = False
    lasted_s, answered = time.monotonic() - begun, Flooder.answered
    print(json.dumps({"ended": True}), flush=True)
    Flooder.stopped = True
    await asyncio.sleep(2.0)
    print(json.dumps({"answered": answered, "seconds": lasted_s, "in_all": Flooder.in_all}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
