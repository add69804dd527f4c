"""The configuration keys of OCPP 1.6: what they may be set to, and what they are at first.

OCPP 1.6 edition 2, chapter 9, and the security whitepaper (edition 3), section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from voltbench.ocpp.v16.station.meters import MEASURED
from voltbench.ocpp.v16.station.wiring import rotations

Check: TypeAlias = Callable[[str], bool]


class Access(Enum):
    """Who may read and write a key."""

    READ_WRITE = "RW"
    READ = "R"
    WRITE = "W"


@dataclass(frozen=True, slots=True)
class Key:
    """A configuration key. Changing one that is `at_boot` takes a reboot to show."""

    name: str
    access: Access
    is_allowed: Check
    default: str
    at_boot: bool = False


def _whole(least: int = 0, most: int = 2**31 - 1) -> Check:
    def check(text: str) -> bool:
        return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 12 and least <= int(text) <= most

    return check


def _boolean(text: str) -> bool:
    return text.lower() in ("true", "false")


def _text(longest: int) -> Check:
    return lambda text: len(text) <= longest


def _measurands(text: str) -> bool:
    asked = listed(text)
    return set(asked) <= set(MEASURED) and len(set(asked)) == len(asked)


def _units(text: str) -> bool:
    return bool(listed(text)) and set(listed(text)) <= {"Current", "Power"}


def _rotations(text: str) -> bool:
    return rotations(listed(text)) is not None


def _authorization_key(text: str) -> bool:
    """16 to 20 bytes, as text or in hexadecimal digits (whitepaper, section 2.4)."""
    return 16 <= len(text) <= 40 and text.isascii() and text.isprintable()


def listed(text: str) -> list[str]:
    """The members of a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


RW, R, W = Access.READ_WRITE, Access.READ, Access.WRITE
SAMPLED = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC"
PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"

KEYS = (
    # Core
    Key("AllowOfflineTxForUnknownId", RW, _boolean, "false"),
    Key("AuthorizationCacheEnabled", RW, _boolean, "true"),
    Key("AuthorizeRemoteTxRequests", RW, _boolean, "false"),
    Key("BlinkRepeat", RW, _whole(), "0"),
    Key("ClockAlignedDataInterval", RW, _whole(0, 86_400), "0"),
    Key("ConnectionTimeOut", RW, _whole(1), "60"),
    Key("ConnectorPhaseRotation", RW, _rotations, ""),
    Key("ConnectorPhaseRotationMaxLength", R, _whole(), "10"),
    Key("GetConfigurationMaxKeys", R, _whole(), "100"),
    Key("HeartbeatInterval", RW, _whole(1), "300"),
    Key("LightIntensity", RW, _whole(0, 100), "100"),
    Key("LocalAuthorizeOffline", RW, _boolean, "true"),
    Key("LocalPreAuthorize", RW, _boolean, "false"),
    Key("MaxEnergyOnInvalidId", RW, _whole(), "0"),
    Key("MeterValuesAlignedData", RW, _measurands, "Energy.Active.Import.Register"),
    Key("MeterValuesAlignedDataMaxLength", R, _whole(), str(len(MEASURED))),
    Key("MeterValuesSampledData", RW, _measurands, SAMPLED),
    Key("MeterValuesSampledDataMaxLength", R, _whole(), str(len(MEASURED))),
    Key("MeterValueSampleInterval", RW, _whole(0, 86_400), "60"),
    Key("MinimumStatusDuration", RW, _whole(0, 86_400), "0"),
    Key("NumberOfConnectors", R, _whole(), "1"),
    Key("ResetRetries", RW, _whole(), "1"),
    Key("StopTransactionOnEVSideDisconnect", RW, _boolean, "true"),
    Key("StopTransactionOnInvalidId", RW, _boolean, "true"),
    Key("StopTxnAlignedData", RW, _measurands, ""),
    Key("StopTxnAlignedDataMaxLength", R, _whole(), str(len(MEASURED))),
    Key("StopTxnSampledData", RW, _measurands, ""),
    Key("StopTxnSampledDataMaxLength", R, _whole(), str(len(MEASURED))),
    Key("SupportedFeatureProfiles", R, _text(500), PROFILES),
    Key("SupportedFeatureProfilesMaxLength", R, _whole(), "6"),
    Key("TransactionMessageAttempts", RW, _whole(1), "3"),
    Key("TransactionMessageRetryInterval", RW, _whole(), "60"),
    Key("UnlockConnectorOnEVSideDisconnect", RW, _boolean, "true"),
    Key("WebSocketPingInterval", RW, _whole(), "60"),
    # Local authorization list
    Key("LocalAuthListEnabled", RW, _boolean, "true"),
    Key("LocalAuthListMaxLength", R, _whole(), "1000"),
    Key("SendLocalListMaxLength", R, _whole(), "1000"),
    # Reservation
    Key("ReserveConnectorZeroSupported", R, _boolean, "true"),
    # Smart charging
    Key("ChargeProfileMaxStackLevel", R, _whole(), "100"),
    Key("ChargingScheduleAllowedChargingRateUnit", R, _units, "Current,Power"),
    Key("ChargingScheduleMaxPeriods", R, _whole(), "200"),
    Key("ConnectorSwitch3to1PhaseSupported", R, _boolean, "false"),
    Key("MaxChargingProfilesInstalled", R, _whole(), "100"),
    # Firmware
    Key("SupportedFileTransferProtocols", R, _text(50), "HTTP,HTTPS,FTP"),
    # Security whitepaper
    Key("AdditionalRootCertificateCheck", R, _boolean, "false"),
    Key("AuthorizationKey", W, _authorization_key, ""),
    Key("CertificateSignedMaxChainSize", R, _whole(), "10000"),
    Key("CertificateStoreMaxLength", R, _whole(), "20"),
    Key("CpoName", RW, _text(500), "", at_boot=True),
    Key("SecurityProfile", RW, _whole(0, 3), "0"),
)

BY_NAME = {key.name.lower(): key for key in KEYS}
"""Keys by their name in lower case: a CiString, which case does not tell apart."""
