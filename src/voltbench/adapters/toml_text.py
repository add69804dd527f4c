"""TOML texts from people: a table, or a clear word about what is not TOML in it."""

from __future__ import annotations

import tomllib
from typing import Any

from voltbench.adapters import strict
from voltbench.errors import InvalidInput


def parse_toml(text: bytes) -> dict[str, Any]:
    """The table that a TOML text holds. Raises InvalidInput that says where it is not TOML, whatever the text."""
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        found = text[error.start : error.end]
        raise InvalidInput("text", "is not UTF-8", found=found, allowed="TOML in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).removesuffix(")").partition(" (at ")
        raise InvalidInput(place or "text", f"is not TOML: {problem}") from error
    except RecursionError as error:
        raise InvalidInput("text", "is nested too deeply", allowed="a few levels") from error
    except ValueError as error:  # Python's limit on the digits of a number
        raise InvalidInput("text", strict.ENDLESS_NUMBER, allowed=strict.FINITE) from error
