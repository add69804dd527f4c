"""How a station gets to the CSMS and stays there: connecting again and again, booting, heartbeats, restarting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET, Struct

from voltbench.charging import wishes
from voltbench.charging.status import StopReason
from voltbench.ocpp.orders import Connect, HangUp
from voltbench.ocpp.v16.messages import (
    BootNotification,
    BootNotificationResponse,
    Heartbeat,
)
from voltbench.ocpp.v16.station.desk import Desk
from voltbench.quantities import MS_PER_SECOND, DurationMs, Instant, earliest

SHORTEST_WAIT_MS = 1 * MS_PER_SECOND
LONGEST_WAIT_MS = 120 * MS_PER_SECOND
"""Between two attempts to connect: doubled each time, and spread by half to one and a half of it."""

REBOOT_MS = 5 * MS_PER_SECOND
"""How long a station is away when it boots."""

LAST_WORDS_MS = 20 * MS_PER_SECOND
"""How long a soft reset, or a boot with new firmware, waits until all is told and heard."""

UNASKED_WAIT_S = 60
"""Between two boot notifications where the CSMS did not say."""

LONGEST_INTERVAL_S = 2**31 - 1
"""Between two heartbeats: the most that the key HeartbeatInterval may be set to."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a station says of itself. `id` is the last part of the URL it connects to."""

    id: str
    vendor: str = "voltbench"
    model: str = "Twin"
    serial_number: str | None = None
    firmware_version: str = "1.0.0"


class Registration:
    """A station's way to the CSMS. `accepted` hears when it may speak there, and whether it has booted for that."""

    __slots__ = (
        "_accepted",
        "_attempts",
        "_back_at",
        "_desk",
        "_due",
        "_heartbeat_at",
        "_may_boot_at",
        "firmware_version",
        "identity",
        "interval_s",
        "leaves_by",
        "status",
    )

    def __init__(self, desk: Desk, identity: Identity, now: Instant, accepted: Callable[[Instant, bool], None]) -> None:
        self._desk = desk
        self._accepted = accepted
        self.identity = identity
        self.firmware_version = identity.firmware_version
        self.status: Literal["Accepted", "Pending", "Rejected"] | None = None
        self.interval_s = UNASKED_WAIT_S
        self._attempts = 0
        self._due: Instant | None = now
        self._heartbeat_at: Instant | None = None
        self.leaves_by: Instant | None = None  # for a reboot, or as soon as all is told
        self._back_at: Instant | None = None
        self._may_boot_at = now

    # --- connecting -------------------------------------------------------------------------------------------------

    def connected(self, now: Instant) -> None:
        """The line stands: boot as soon as that may be, unless it was done before and only the line was gone."""
        if self._back_at is not None:
            self._desk.orders.append(HangUp())  # nobody is at home until the station has booted
            return
        self._desk.open()
        self._due = None
        if self.status == "Accepted":
            self._desk.may_call = True
            self._heartbeat_in(now)
            self._accepted(now, False)
        elif now < self._may_boot_at:
            self._due = self._may_boot_at
        else:
            self.boot(now)

    def disconnected(self, now: Instant) -> None:
        """The line is gone, or could not be had: try again, or when the station has booted.

        Later each time: a line on which nothing was ever answered is as good as none.
        """
        if self._desk.peer is not None and self._desk.is_heard:
            self._attempts = 0
        self._desk.close(now)
        self._heartbeat_at = None
        if self._back_at is None:
            wait_ms = min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS << min(self._attempts, 16))
            self._attempts += 1
            self._due = now + self._desk.network_ms(wait_ms * (0.5 + self._desk.chance()))

    # --- booting ----------------------------------------------------------------------------------------------------

    def boot(self, now: Instant) -> None:
        """Say who is there. OCPP 1.6 edition 2, section 4.2."""
        identity = self.identity
        self._due = None
        self._desk.call(
            now,
            BootNotification(
                charge_point_vendor=identity.vendor[:20],
                charge_point_model=identity.model[:20],
                charge_point_serial_number=identity.serial_number or UNSET,
                firmware_version=self.firmware_version[:50],
            ),
            self._booted,
        )

    def _booted(self, now: Instant, response: Struct | None) -> None:
        if isinstance(response, BootNotificationResponse):
            self.status = response.status
            self.interval_s = response.interval if response.interval > 0 else UNASKED_WAIT_S
            if response.status == "Accepted":
                self._welcome(now, response.interval)
            else:
                self._heartbeat_at = None
                self._desk.hush(now)
                self._due = self._may_boot_at = now + self._desk.network_ms(self.interval_s * MS_PER_SECOND)
        elif self._desk.peer is not None and self.status != "Accepted":
            self._due = now + self._desk.network_ms(self.interval_s * MS_PER_SECOND)

    def _welcome(self, now: Instant, interval_s: int) -> None:
        if interval_s > 0:
            self._desk.configuration.set("HeartbeatInterval", str(min(interval_s, LONGEST_INTERVAL_S)))
        self._desk.may_call = True
        self._heartbeat_in(now)
        self._accepted(now, True)

    def _heartbeat_in(self, now: Instant) -> None:
        self._heartbeat_at = now + self._desk.configuration.whole("HeartbeatInterval") * MS_PER_SECOND

    def heartbeat_changed(self, now: Instant) -> None:
        """The interval of heartbeats is another one."""
        if self._heartbeat_at is not None:
            self._heartbeat_in(now)

    # --- restarting -------------------------------------------------------------------------------------------------

    def restart(self, now: Instant, reason: StopReason, within_ms: DurationMs = 0) -> None:
        """End transactions, hang up when all is heard or time is over, and come back after a while.

        Nobody is served until then. A station that is booting already goes on doing so.
        """
        if self._back_at is not None:
            return
        wishes.maintain(self._desk.life, now, True)
        wishes.restart(self._desk.life, now, reason)
        self.leaves_by = now + within_ms

    def hang_up(self, now: Instant, all_told: bool) -> None:
        """Go away for the reboot, if it is time; a line that is being dialled is not waited for."""
        is_heard = all_told and (self._desk.peer is None or self._desk.peer.is_idle)
        if self.leaves_by is None or not (is_heard or now >= self.leaves_by):
            return
        self._leave_line(now)
        self.status, self._may_boot_at = None, now
        self.leaves_by, self._due, self._back_at = None, None, now + REBOOT_MS

    def reconnect(self, now: Instant, wait_ms: DurationMs = 0) -> None:
        """Close the line and open it again, with other credentials perhaps."""
        if self._back_at is None:
            self._leave_line(now)
            self._attempts, self._due = 0, now + wait_ms

    def _leave_line(self, now: Instant) -> None:
        """Say what is to be said, and hang up, or stop dialling."""
        self._desk.send()
        self._desk.orders.append(HangUp())
        self._desk.close(now)
        self._heartbeat_at = None

    # --- time -------------------------------------------------------------------------------------------------------

    def next_wakeup(self) -> Instant | None:
        """When something is due."""
        if self._due is None and self.leaves_by is None and self._back_at is None:
            return self._heartbeat_at
        return earliest(self._due, self._heartbeat_at, self.leaves_by, self._back_at)

    def wake(self, now: Instant) -> bool:
        """Do what is due; return whether the station has booted just now."""
        has_booted = self._back_at is not None and self._back_at <= now
        if has_booted:
            self._back_at, self._due = None, now
        if self._due is not None and self._due <= now:
            self._due = None
            if self._desk.peer is None:
                self._desk.orders.append(Connect())
            else:
                self.boot(now)
        if self._heartbeat_at is not None and self._heartbeat_at <= now:
            if self._desk.peer is not None and self._desk.peer.is_idle:  # else it is heard of anyway
                self._desk.tell(now, Heartbeat())
            self._heartbeat_in(now)
        return has_booted
