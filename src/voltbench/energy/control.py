"""The site controller: what sessions want goes in, what each should have comes out.

It knows what sessions may draw in all, with the battery's help and without, shares that by the strategy and its gate,
and says what the battery does beside. `running.operation` asks it at every event and makes it so by its `commitments`.
It keeps no clock and no sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from voltbench.energy.allocate import BY_CLASS, BY_NEED, Situation, strategy_named
from voltbench.energy.claim import Bounds, Claim
from voltbench.energy.commit import Aim, Commitments, Confirmation
from voltbench.energy.gate import Gate, Turns
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_SECOND, POWER_TOLERANCE_W, DurationMs, Instant, energy_wh
from voltbench.site.limits import LimitTree
from voltbench.site.storage import Storage

REACTION_S = 120.0
"""How long a device may take to show that it follows a lower limit, where decreases count only then: two reports, of
which there is one a minute at least."""

_MORE_THAN_ANY_CONNECTION_W = 1e15


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """How a site is run.

    `interval_ms` is how often the controller acts while a shared limit binds and some demand drifts. With
    `on_events` off sessions are attended to at whole intervals only; limits, loads, turns and the battery's edges are
    not waited with. With `by_rating` a session's demand is its ceiling until it is satisfied, as controllers see it
    that do not know the battery. `recharge_band_w`: spare power at which the stationary battery starts to recharge (it
    goes on while there is any).
    """

    strategy: str = "max_min"
    interval_ms: DurationMs = 10 * MS_PER_SECOND
    on_events: bool = True
    by_rating: bool = False
    confirmation: Confirmation = Confirmation.INSTANT
    turns: Turns = field(default_factory=Turns)
    recharge_band_w: float = 1_000.0

    def __post_init__(self) -> None:
        strategy_named(self.strategy)
        if self.interval_ms <= 0:
            raise InvalidInput("interval", "is no length of time", found=self.interval_ms, allowed="more than 0")
        if not (isfinite(self.recharge_band_w) and self.recharge_band_w >= 0):
            raise InvalidInput("recharge_band_w", "is no power", found=self.recharge_band_w, allowed="0 or more")


@dataclass(slots=True)
class Target:
    """What the controller aims at: a power and a binding row for each claim.

    `own` are the bounds without the stationary battery, `bounds` those with all the help it can give. `is_tight` says
    that the limits do not hold everybody's ceiling, so that what one leaves may serve another.
    """

    powers_w: list[float]
    binding: list[int]
    own: Bounds
    bounds: Bounds
    is_tight: bool


class SiteController:
    """Decides limits and the battery's setpoint for one site."""

    def __init__(self, tree: LimitTree, options: ControlOptions, storage: Storage | None = None) -> None:
        self.tree = tree
        self.options = options
        self.storage = storage
        self.commitments = Commitments(options.confirmation)
        self.gate = Gate(options.turns, by_class=options.strategy in BY_CLASS)
        self._strategy = strategy_named(options.strategy)
        self._limits: list[float] = []
        self._limits_until: Instant | None = None
        self._lines = tree.line_bounds()
        self.limits_changed()
        if storage is not None and options.confirmation is Confirmation.REPORTED:
            taken_out_w = storage.model.discharge_max_w / storage.model.discharge_efficiency
            storage.kept_back_wh = energy_wh(taken_out_w, REACTION_S)

    @property
    def goes_by_need(self) -> bool:
        """Whether the strategy looks at the energy each session still needs."""
        return self.options.strategy in BY_NEED

    def limits_changed(self) -> None:
        """Somebody has set or cleared a limit of the tree."""
        self._limits = []

    # --- aiming --------------------------------------------------------------------------------------------------

    def shared(self, now: Instant, claims: Sequence[Claim], demand_w: Sequence[float], own: Bounds) -> Target:
        """The target when sessions that want `demand_w` now have to share, with all the help the battery can give."""
        help_w = self.storage.offerable_w(now) if self.storage is not None else 0.0
        bounds = self._with_help(own, help_w)
        turn = now // self.options.turns.rotation_ms
        situation = Situation(now, self.tree, bounds, claims, demand_w, turn)
        powers, binding = self.gate.shares(situation, self._strategy)
        return Target(powers, binding, own, bounds, True)

    def storage_setpoint_w(self, now: Instant, own: Bounds, worst: Sequence[Aim], drawn: Sequence[Aim]) -> float:
        """The battery's setpoint beside what devices draw: what the connection lacks, or what it can spare for sure.

        It gives what is lacking for `drawn`, and stands by for the rest of `worst`; it takes what is left beside that.
        """
        if self.storage is None:
            return 0.0
        lacking_w = -self.spare_w(own, drawn)
        if lacking_w > 0.0:
            return -min(lacking_w, self.storage.dischargeable_w(now))
        return self._recharge_w(now, self.spare_w(own, worst))

    def bounds_in_force(self, now: Instant, background_w: float) -> Bounds:
        """The bounds with all the help the battery can give at this instant, or with what it takes."""
        own = self.own_bounds(now, background_w)
        if self.storage is None:
            return own
        takes_w = self.storage.setpoint_w
        return self._with_help(own, -takes_w if takes_w > 0.0 else self.storage.dischargeable_w(now))

    def own_bounds(self, now: Instant, background_w: float) -> Bounds:
        """What sessions may draw under the limits of this instant without the battery's help; negative is a lack.

        A background that is not a number counts as more than any connection carries: fail closed.
        """
        if not isfinite(background_w):
            background_w = _MORE_THAN_ANY_CONNECTION_W
        if not self._limits or (self._limits_until is not None and now >= self._limits_until):
            self._limits = self.tree.bounds(now)
            self._limits_until = self.tree.next_change(now)
        linear = self._limits[:]
        for row, per_w in self.tree.root_rows:
            linear[row] -= background_w * per_w
        own = Bounds(linear, self._lines, self.tree.line_groups)
        silent = self.commitments.silent()
        return own.less((known.claim, known.worst_w(now)) for known in silent) if silent else own

    def _with_help(self, own: Bounds, help_w: float) -> Bounds:
        linear = own.linear[:]
        for row, per_w in self.tree.root_rows:
            linear[row] += help_w * per_w
        return Bounds([bound if bound > 0.0 else 0.0 for bound in linear], own.lines, own.groups)

    # --- the stationary battery ------------------------------------------------------------------------------------

    def spare_w(self, own: Bounds, drawn: Sequence[Aim]) -> float:
        """What the grid connection has left beside these draws (negative: what it lacks), in W."""
        left = own.less((known.claim, power_w) for known, power_w in drawn).linear
        return min(left[row] / per_w for row, per_w in self.tree.root_rows)

    def _recharge_w(self, now: Instant, spare_w: float) -> float:
        """Power to recharge with: from spare power only, once that exceeds the band, and then while there is any."""
        assert self.storage is not None
        starts_at_w = POWER_TOLERANCE_W if self.storage.setpoint_w > 0.0 else self.options.recharge_band_w
        return min(spare_w, self.storage.chargeable_w(now)) if spare_w > starts_at_w else 0.0
