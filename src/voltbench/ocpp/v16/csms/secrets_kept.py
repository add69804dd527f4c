"""Passwords of stations, as salted hashes. They are random, so a fast hash keeps them well enough."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest


def hashed(password: str | bytes, salt: str) -> str:
    """What is kept of a password."""
    return f"{salt}:{sha256(salt.encode() + _octets(password)).hexdigest()}"


def is_password(shown: str | bytes, kept: str) -> bool:
    """Whether this is the password."""
    salt = kept.partition(":")[0]
    return compare_digest(hashed(shown, salt), kept)


def _octets(password: str | bytes) -> bytes:
    """A key may be configured in hexadecimal and shown as the octets that this stands for (OCPP-J 1.6, section 6.2)."""
    octets = password.encode() if isinstance(password, str) else password
    try:
        return bytes.fromhex(octets.decode("ascii")) if octets.isalnum() else octets
    except ValueError:
        return octets
