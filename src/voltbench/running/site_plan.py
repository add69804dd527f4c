"""A site as it is built: its limits, connectors, battery, load and generation; and how to put it in operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from voltbench.charging.station import ConnectorModel, StationModel
from voltbench.energy.control import ControlOptions
from voltbench.engine import World
from voltbench.events import Fact, LimitSet
from voltbench.quantities import Instant
from voltbench.running.operation import Operation
from voltbench.running.publication import Publication
from voltbench.site.limits import LimitTree
from voltbench.site.series import StepSeries
from voltbench.site.storage import Storage, StorageModel
from voltbench.site.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Place:
    """A connector of a site: which station it belongs to, and what both can do."""

    connector: str
    station: str
    station_model: StationModel
    connector_model: ConnectorModel

    @property
    def rated_by(self) -> str:
        """The name of what its rating is due to: the station, or the connector where that can do less."""
        is_stations = self.station_model.max_power_w <= self.connector_model.max_power_w
        return self.station if is_stations else self.connector


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A site as it is built: its limits, its connectors, its battery, its own load and generation.

    `export_limit_w` is the most it may feed in; generation above that is curtailed.
    """

    id: str
    tree: LimitTree
    places: Sequence[Place]
    storage: StorageModel | None = None
    storage_soc: float | None = None
    load_w: StepSeries = field(default_factory=lambda: StepSeries.constant(0.0))
    generation_w: StepSeries = field(default_factory=lambda: StepSeries.constant(0.0))
    export_limit_w: float = inf

    def in_operation(
        self,
        world: World,
        options: ControlOptions,
        tree: LimitTree | None = None,
        on_fact: Callable[[Fact], None] | None = None,
        on_limit: Callable[[LimitSet], None] | None = None,
        tariff: Tariff | None = None,
        published: Publication | None = None,
        ends_at: Instant | None = None,
    ) -> Operation:
        """The site in operation on a World, from now on; with a tree of its own where its limits are to change.

        A plan goes by the tariff as far as it is published, and has everything done when the story ends.
        """
        storage = Storage(self.storage, world.now, self.storage_soc) if self.storage is not None else None
        return Operation(
            world,
            tree or self.tree,
            options,
            storage,
            self.load_w,
            self.generation_w,
            self.export_limit_w,
            raters={place.connector: place.rated_by for place in self.places},
            tariff=tariff,
            published=published,
            ends_at=ends_at,
            on_fact=on_fact,
            on_limit=on_limit,
        )
