"""Passwords of stations, as salted hashes. They are random, so a fast hash keeps them well enough.

Whether a station has taken a new password is certain once it has shown it: its answer may be lost. Until then those
before it count too. So what is kept are the hashes of all that it may show, the oldest first, between spaces.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

NONE_YET = "*"
"""Stands in front where no password had to be shown before."""

MOST_PASSWORDS = 8
"""That may be shown: the one that was shown last, and so many less one that were asked for since."""


def hashed(password: str | bytes, salt: str) -> str:
    """What is kept of a password."""
    return f"{salt}:{sha256(salt.encode() + _octets(password)).hexdigest()}"


def is_password(shown: str | bytes, kept: str) -> bool:
    """Whether this is a password that may be shown."""
    return _place(shown, kept.split(" ")) is not None


def is_needed(kept: str | None) -> bool:
    """Whether a password has to be shown at all."""
    return kept is not None and not kept.startswith(NONE_YET)


def with_another(kept: str | None, another: str) -> str:
    """What is kept once a station is asked to take another password, whose hash this is."""
    first, *others = (kept or NONE_YET).split(" ")
    return " ".join([first, *[*others, another][1 - MOST_PASSWORDS :]])


def without(kept: str | None, password: str) -> str | None:
    """What is kept once a station has refused to take a password."""
    first, *others = (kept or NONE_YET).split(" ")
    place = _place(password, others[::-1])
    if place is not None:
        del others[len(others) - 1 - place]
    return None if first == NONE_YET and not others else " ".join([first, *others])


def once_shown(kept: str, shown: str | bytes) -> str:
    """What is kept once a station has shown a password: those before it count no more."""
    known = kept.split(" ")
    return " ".join(known[_place(shown, known) or 0 :])


def _place(shown: str | bytes, known: list[str]) -> int | None:
    return next((i for i, one in enumerate(known) if compare_digest(hashed(shown, one.partition(":")[0]), one)), None)


def _octets(password: str | bytes) -> bytes:
    """A key may be configured in hexadecimal and shown as the octets that this stands for (OCPP-J 1.6, section 6.2)."""
    octets = password.encode() if isinstance(password, str) else password
    try:
        return bytes.fromhex(octets.decode("ascii")) if octets.isalnum() else octets
    except ValueError:
        return octets
