"""Vehicles that charge by a measured curve, or by a model of their pack; fresh and aged."""

import pytest

from tests.builders import a_vehicle_model
from tests.packs import CAPACITY_WH, a_car_of_cells, a_cell_map
from voltbench.adapters.catalog import Catalog
from voltbench.battery.charge_map import toml_text
from voltbench.charging.path import ChargingPath
from voltbench.charging.session import ChargingSession
from voltbench.charging.vehicle import Vehicle
from voltbench.charging.warm_session import WarmSession, session_of
from voltbench.errors import InvalidInput

DC = ChargingPath(200_000.0, 0.0, 0.0, 3, 0.95, 0.95)

PACK = """
name = "Our pack"
source = "Made up for tests."
charge_map = "contract"
series = 96
parallel = 44
resistance_ohm = 0.1

[thermal]
heat_capacity_j_per_k = 450_000
conductance_w_per_k = 20
"""

CAR = """
name = "Our car"
source = "Made up for tests."
usable_capacity_wh = 77_000
inlets = ["cCCS2"]
pack = "our-pack"
"""

MEASURED = "\n[acceptance]\nsoc = [0.0, 1.0]\npower_w = [100_000, 5_000]\n"


@pytest.fixture
def own(tmp_path):
    """A user's catalog with a cell's map, a pack of it, and a car as it is written."""

    def write(car: str = CAR, pack: str = PACK) -> Catalog:
        texts = {"charge_maps/contract": toml_text(a_cell_map()), "packs/our-pack": pack, "vehicles/our-car": car}
        for name, text in texts.items():
            file = tmp_path / f"{name}.toml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return Catalog(tmp_path)

    return write


def refusal(catalog, read="vehicle", id="our-car"):
    with pytest.raises(InvalidInput) as caught:
        getattr(catalog, read)(id)
    return str(caught.value).rpartition("/")[2]


def session(vehicle):
    return session_of(vehicle, "s", DC, 50_000.0, 0)


def test_a_car_without_a_measured_curve_charges_by_its_pack(own):
    catalog = own()
    car = catalog.vehicle("our-car")
    assert car.pack == catalog.pack("our-pack")
    assert car.pack is not None
    assert car.pack.charge_map == catalog.charge_map("contract")
    assert isinstance(session(Vehicle("car", car, 0.2)), WarmSession)
    assert car.curve.power_at(0.5 * CAPACITY_WH) == pytest.approx(90_000, rel=0.04)


def test_a_measured_curve_overrides_the_model_unless_the_car_is_told_otherwise(own):
    measured = own(CAR + MEASURED).vehicle("our-car")
    assert type(session(Vehicle("car", measured, 0.2))) is ChargingSession
    assert measured.curve.peak_w == 100_000
    modelled = own('charges_by = "pack"\n' + CAR + MEASURED).vehicle("our-car")
    assert isinstance(session(Vehicle("car", modelled, 0.2)), WarmSession)


@pytest.mark.parametrize(
    ("car", "sentence"),
    [
        (CAR.replace('pack = "our-pack"', ""), "acceptance: is missing"),
        (CAR.replace('"our-pack"', '"our-bag"'), "pack: is unknown, found 'our-bag', allowed: our-pack, lg-m50-96s44p"),
        (CAR.replace('"our-pack"', "3"), "pack: is not allowed, found 3, allowed: a text in quotes"),
        (
            'charges_by = "pack"\n' + CAR.replace('pack = "our-pack"', "") + MEASURED,
            "pack: is missing, allowed: a pack, by which the vehicle is to charge",
        ),
        (
            'charges_by = "wind"\n' + CAR,
            "charges_by: is not allowed, found 'wind', allowed: acceptance, pack",
        ),
    ],
)
def test_a_car_is_refused_in_one_sentence(own, car, sentence):
    assert refusal(own(car)) == f"our-car.toml: {sentence}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"contract"', '"covenant"', "charge_map: is unknown, found 'covenant', allowed: contract, lg-m50-okane2022"),
        ("series = 96", "series = 0", "series: is no number of cells, found 0, allowed: 1 or more"),
        ('charge_map = "contract"\n', "", "charge_map: is missing"),
        (
            "heat_capacity_j_per_k = 450_000",
            "heat_capacity_j_per_k = 0",
            "thermal.heat_capacity_j_per_k: is none, found 0.0, allowed: more than 0",
        ),
    ],
)
def test_a_pack_is_refused_in_one_sentence_that_names_its_own_file(own, old, new, sentence):
    assert refusal(own(pack=PACK.replace(old, new))).endswith(sentence)
    assert refusal(own(pack=PACK.replace(old, new)), "pack", "our-pack").startswith("our-pack.toml: ")


def test_an_aged_car_holds_less_however_it_charges():
    for model in (a_vehicle_model(), a_car_of_cells()):
        aged = Vehicle("car", model, 0.5, soh=0.8)
        assert aged.capacity_wh == pytest.approx(0.8 * model.usable_capacity_wh)
        assert aged.curve.capacity_wh == pytest.approx(aged.capacity_wh)
        assert session(aged).soc(0) == pytest.approx(0.5)
    assert Vehicle("car", model, 0.5).curve is model.curve


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"soc": 1.1}, "soc"),
        ({"battery_degc": 200.0}, "battery_degc"),
        ({"soh": 0.0}, "soh"),
        ({"resistance": 0.0}, "resistance"),
    ],
)
def test_a_vehicle_in_no_possible_condition_is_refused(change, field):
    with pytest.raises(InvalidInput) as caught:
        Vehicle(**{"id": "car", "model": a_vehicle_model(), "soc": 0.5} | change)
    assert caught.value.field == field


def test_the_catalogs_own_packs_say_that_they_are_models():
    catalog = Catalog()
    for pack in catalog.packs():
        assert pack.source.startswith("A model")
    for map in catalog.charge_maps():
        assert map.provenance.label == "model"
        assert map.provenance.simulator.startswith("PyBaMM")
        assert len(map.provenance.parameters_sha256) == len(map.provenance.inputs_sha256) == 64
