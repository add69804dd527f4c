"""The catalog on disk: models of vehicles, stations and storage as TOML, ours in the package and a user's beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from voltbench.adapters.strict import convert, like, refuse_odd_text, shown
from voltbench.adapters.toml_text import parse_toml
from voltbench.battery.charge_map import CellChargeMap
from voltbench.battery.circuit import EquivalentCircuit
from voltbench.battery.pack import PackModel
from voltbench.charging.station import StationModel
from voltbench.charging.vehicle import VehicleModel
from voltbench.errors import InvalidInput, NotFound
from voltbench.site.storage import StorageModel

SUFFIX = ".toml"

Model = TypeVar("Model", bound=msgspec.Struct)

Table = dict[str, Any]


class UnknownModel(NotFound):
    """No model of this kind has this id; `similar` are the ids that are spelled like it."""

    def __init__(self, kind: str, id: str, known: Iterable[str]) -> None:
        super().__init__(kind, id)
        self.similar = tuple(get_close_matches(id, list(known), n=3))

    def __str__(self) -> str:
        hint = f" in the catalog; similar: {', '.join(self.similar)}" if self.similar else " in the catalog"
        return super().__str__() + hint


class Shelf(Generic[Model]):
    """The models of one kind. A file is read when it is first asked for, and kept.

    Where two folders hold a model of the same id, the later folder counts. What a file only names, of another shelf, is
    put in its place before the rest is looked at.
    """

    def __init__(
        self,
        kind: str,
        model: type[Model],
        folders: Sequence[Traversable],
        put_in: Callable[[Table], None] = lambda _: None,
    ) -> None:
        self._kind = kind
        self._model = model
        self._folders = folders
        self._put_in = put_in
        self._read: dict[str, Model] = {}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all models, in alphabetical order."""
        return tuple(sorted(self._files))

    def get(self, id: str) -> Model:
        """The model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        if id not in self._read:
            if id not in self._files:
                raise UnknownModel(self._kind, id, self._files)
            self._read[id] = read_model(self._files[id], self._model, self._put_in)
        return self._read[id]

    def named(self, id: Any, field: str) -> Model:
        """The model that a field of another file names. Raises InvalidInput."""
        if not isinstance(id, str):
            raise InvalidInput(field, "is not allowed", found=shown(id), allowed="a text in quotes")
        if id not in self._files:
            raise InvalidInput(field, "is unknown", found=shown(id), allowed=like(id, self.ids))
        return self.get(id)

    def all(self) -> list[Model]:
        """Every model, in the order of their ids. Raises InvalidInput for the first file that is no good."""
        return [self.get(id) for id in self.ids]

    @cached_property
    def _files(self) -> dict[str, Traversable]:
        return {
            file.name.removesuffix(SUFFIX): file
            for folder in self._folders
            if folder.is_dir()
            for file in folder.iterdir()
            if file.name.endswith(SUFFIX)
        }


class Catalog:
    """All models there are: those of the package, and those in a user's folder, which shadow ours of the same id.

    The user's folder (`DATA/catalog`) has the same shape as ours: `vehicles/`, `stations/` and `storage/`, and for
    vehicles that charge by a model of their cells `packs/`, `charge_maps/` and `circuits/`.
    """

    def __init__(self, user_folder: Path | None = None) -> None:
        def folders(name: str) -> list[Traversable]:
            ours = files("voltbench") / "catalog" / name
            return [ours] if user_folder is None else [ours, user_folder / name]

        self._charge_maps = Shelf("charge map", CellChargeMap, folders("charge_maps"))
        self._circuits = Shelf("circuit", EquivalentCircuit, folders("circuits"))
        self._packs = Shelf("pack model", PackModel, folders("packs"), self._put_cells_in)
        self._vehicles = Shelf("vehicle model", VehicleModel, folders("vehicles"), self._put_pack_in)
        self._stations = Shelf("station model", StationModel, folders("stations"))
        self._storages = Shelf("storage model", StorageModel, folders("storage"))

    def vehicle(self, id: str) -> VehicleModel:
        """The vehicle model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._vehicles.get(id)

    def station(self, id: str) -> StationModel:
        """The station model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._stations.get(id)

    def storage(self, id: str) -> StorageModel:
        """The storage model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._storages.get(id)

    def pack(self, id: str) -> PackModel:
        """The pack model with this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._packs.get(id)

    def charge_map(self, id: str) -> CellChargeMap:
        """What a cell takes, by this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._charge_maps.get(id)

    def circuit(self, id: str) -> EquivalentCircuit:
        """The equivalent circuit of a cell, by this id. Raises NotFound, or InvalidInput if its file is no good."""
        return self._circuits.get(id)

    def vehicles(self) -> list[VehicleModel]:
        """Every vehicle model, in the order of their ids."""
        return self._vehicles.all()

    def stations(self) -> list[StationModel]:
        """Every station model, in the order of their ids."""
        return self._stations.all()

    def storages(self) -> list[StorageModel]:
        """Every storage model, in the order of their ids."""
        return self._storages.all()

    def packs(self) -> list[PackModel]:
        """Every pack model, in the order of their ids."""
        return self._packs.all()

    def charge_maps(self) -> list[CellChargeMap]:
        """What each cell takes of which there is a table, in the order of their ids."""
        return self._charge_maps.all()

    def circuits(self) -> list[EquivalentCircuit]:
        """The circuit of each cell of which there is one, in the order of their ids."""
        return self._circuits.all()

    def _put_cells_in(self, table: Table) -> None:
        if "charge_map" in table:
            table["charge_map"] = self._charge_maps.named(table["charge_map"], "charge_map")
        if "circuit" in table:
            table["circuit"] = self._circuits.named(table["circuit"], "circuit")

    def _put_pack_in(self, table: Table) -> None:
        if "pack" in table:
            table["pack"] = self._packs.named(table["pack"], "pack")
            table.setdefault("acceptance", None)


def read_model(file: Traversable, model: type[Model], put_in: Callable[[Table], None] = lambda _: None) -> Model:
    """The model a TOML file describes; its id is the file's name without the suffix. What it names is put in first.

    Raises InvalidInput that names the file, the field, what was found there and what is allowed.
    """
    id = file.name.removesuffix(SUFFIX)
    try:
        refuse_odd_text(id, "file")
        table = parse_toml(file.read_bytes())
        if table.setdefault("id", id) != id:
            raise InvalidInput(
                "id", "is not the file's name", found=shown(table["id"]), allowed=f"{id}, or leave it out"
            )
        put_in(table)
        return convert(table, model, prose=("source",))
    except InvalidInput as error:
        raise error if error.source else error.within(str(file)) from error
