"""What an EVSE is to whoever looks at it from outside: one status, made of the facts about it."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of an EVSE, in the words of OCPP 1.6 (ChargePointStatus), which has the finest ones."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class StopReason(StrEnum):
    """Why a transaction ended (Reason of OCPP 1.6)."""

    EV_DISCONNECTED = "EVDisconnected"
    HARD_RESET = "HardReset"
    LOCAL = "Local"
    OTHER = "Other"
    POWER_LOSS = "PowerLoss"
    REBOOT = "Reboot"
    REMOTE = "Remote"
    SOFT_RESET = "SoftReset"
    UNLOCK_COMMAND = "UnlockCommand"
    DE_AUTHORIZED = "DeAuthorized"


KEEPING_THE_CABLE = (StopReason.EV_DISCONNECTED, StopReason.DE_AUTHORIZED)
"""Ends of a transaction after which a socket lets nobody but its driver take the cable."""
