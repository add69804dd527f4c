"""What names may look like: as patterns for the API's description, and in words for who wrote another one."""

from __future__ import annotations

from voltbench.adapters import strict

SITE_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
ONE_LINE = f"^[^{strict.CONTROL_CHARACTERS}]*$"
CURSOR = r"^[0-9]{1,15},.{1,255}$"

IN_WORDS = {
    SITE_ID: ("is no id", "letters, digits, dot, dash and underscore, up to 64, a letter or digit first"),
    ONE_LINE: ("has a control character in it", "letters, digits, signs and spaces"),
    CURSOR: ("is no place to go on from", "`next` of the page before"),
}
"""What is wrong, and what is allowed."""
