"""Bidding zones of the European day-ahead market by their short names, with their Energy Identification Codes (EIC)."""

from __future__ import annotations

import re

from voltbench.adapters import strict
from voltbench.errors import InvalidInput

EIC = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE-LU": "10Y1001A1001A82H",
    "DK1": "10YDK-1--------W",
    "DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IE-SEM": "10Y1001A1001A59C",
    "IT-NORTH": "10Y1001A1001A73I",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "NL": "10YNL----------L",
    "NO1": "10YNO-1--------2",
    "NO2": "10YNO-2--------T",
    "NO3": "10YNO-3--------J",
    "NO4": "10YNO-4--------9",
    "NO5": "10Y1001A1001A48H",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "SE1": "10Y1001A1001A44P",
    "SE2": "10Y1001A1001A45N",
    "SE3": "10Y1001A1001A46L",
    "SE4": "10Y1001A1001A47J",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}
"""ENTSO-E's list of area codes, https://www.entsoe.eu/data/energy-identification-codes-eic/."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
_CODE = re.compile(r"[0-9A-Z][0-9A-Z-]{14}[0-9A-Z]")


def eic_of(area: str) -> str:
    """The code of a zone that is named by its short name or by the code itself."""
    if area.upper() in EIC:
        return EIC[area.upper()]
    if _CODE.fullmatch(area) is None:
        return strict.chosen(area, EIC, "area")
    if check_character(area[:15]) != area[15]:
        raise InvalidInput("area", "is no EIC: its last character does not fit", found=area, allowed="a correct code")
    return area


def check_character(code: str) -> str:
    """The last character of an EIC, which follows from the 15 before it (ENTSO-E, EIC reference manual, annex)."""
    total = sum(_LETTERS.index(letter) * (16 - i) for i, letter in enumerate(code))
    return _LETTERS[36 - (total - 1) % 37]
