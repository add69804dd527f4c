"""What became of a fleet of stations at a CSMS."""

from __future__ import annotations

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """A fleet at one instant; messages are those of the second before."""

    number: int
    after_s: float
    connected: int
    accepted: int
    charging: int
    power_w: float
    messages_per_s: float

    def line(self) -> str:
        """The same in words."""
        return (
            f"{self.after_s:7.1f} s  {self.connected} connected, {self.accepted} accepted, {self.charging} charging, "
            f"{self.power_w / 1e3:.1f} kW, {self.messages_per_s:.0f} messages/s"
        )


class FleetReport(msgspec.Struct, frozen=True):
    """What became of a fleet, to be written down. Latencies in s, by quantile; energy in Wh at the connectors.

    The same `seed` and `starts_at` bring the same drivers. `overdue` calls had no answer in time, `deauthorized`
    transactions were begun and then not allowed by the CSMS, `stumbles` are mistakes of ours, `waiting_messages` are
    those about transactions that were not told.
    """

    csms: str
    model: str
    arrivals: str
    speed: float
    speed_reached: float
    seed: int
    starts_at: str
    stations: int
    lasted_s: float
    all_accepted_after_s: float | None
    calls: int
    frames_sent: int
    frames_received: int
    latency_s: dict[str, float | None]
    errors_received: int
    errors_sent: int
    overdue: int
    stumbles: int
    connections_failed: int
    connections_lost: int
    transactions: int
    turned_away: int
    refused: int
    deauthorized: int
    energy_wh: float
    waiting_messages: int
    cpu_s: float
    moments: list[Moment]
    figures: dict[str, str]
