"""Errors, by who can act on them.

    VoltbenchError
    ├── InvalidInput          the caller; never retry. Names the field, what was found, what is allowed
    ├── NotFound              the caller; the thing named does not exist
    ├── Conflict              the caller; the thing exists, but its state forbids the request
    ├── Infeasible            the caller; no answer satisfies the limits. Says which, and by how much
    ├── Unavailable           nobody yet; may be retried
    ├── Failed                us; the work was tried and came to no good end. Says how
    ├── LocalProtocolError    us; a bug of voltbench
    └── RemoteProtocolError   the peer; it broke the protocol

The facts are attributes; the sentence is made from them.
"""

from __future__ import annotations

from typing import Any


class VoltbenchError(Exception):
    """Anything voltbench itself raises."""


class InvalidInput(VoltbenchError):
    """A value that cannot be used: which field, what is wrong, what was found and what is allowed."""

    def __init__(self, field: str, problem: str, *, found: Any = None, allowed: str = "", source: str = "") -> None:
        self.field = field
        self.problem = problem
        self.found = found
        self.allowed = allowed
        self.source = source
        super().__init__(field, problem)

    def __str__(self) -> str:
        place = f"{self.source}: " if self.source else ""
        found = f", found {self.found!r}" if self.found is not None else ""
        allowed = f", allowed: {self.allowed}" if self.allowed else ""
        return f"{place}{self.field}: {self.problem}{found}{allowed}"

    def at(self, field: str) -> InvalidInput:
        """The same error, where the field has another name for whoever gave it."""
        return InvalidInput(field, self.problem, found=self.found, allowed=self.allowed, source=self.source)

    def within(self, source: str) -> InvalidInput:
        """The same error, with the file or request it was found in."""
        return InvalidInput(self.field, self.problem, found=self.found, allowed=self.allowed, source=source)


class NotFound(VoltbenchError):
    """Nothing of this kind has this id."""

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.id = id
        super().__init__(kind, id)

    def __str__(self) -> str:
        return f"there is no {self.kind} {self.id!r}"


class Conflict(VoltbenchError):
    """The request does not fit the present state of the thing it names."""

    def __init__(self, kind: str, id: str, problem: str) -> None:
        self.kind = kind
        self.id = id
        self.problem = problem
        super().__init__(kind, id, problem)

    def __str__(self) -> str:
        return f"{self.kind} {self.id!r}: {self.problem}"


class Infeasible(VoltbenchError):
    """No answer satisfies every limit; names the limit that is broken and by how much."""

    def __init__(self, limit: str, excess: float, unit: str) -> None:
        self.limit = limit
        self.excess = excess
        self.unit = unit
        super().__init__(limit, excess, unit)

    def __str__(self) -> str:
        return f"limit {self.limit!r} cannot be kept: {self.excess:g} {self.unit} too much"


class Unavailable(VoltbenchError):
    """Something needed is not there now; the same request may succeed later."""


class Failed(VoltbenchError):
    """Work that was tried and came to no good end: of which kind (a word for programs), and why."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = reason
        super().__init__(kind, reason)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class LocalProtocolError(VoltbenchError):
    """voltbench broke one of its own rules: a bug of ours."""


class RemoteProtocolError(VoltbenchError):
    """The peer broke the protocol."""
