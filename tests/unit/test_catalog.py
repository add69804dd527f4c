"""The catalog: every model in it is plausible, a user's shadow ours, and a bad file says what is wrong with it."""

import re

import pytest

from voltbench.adapters.catalog import Catalog
from voltbench.battery.pack import Pack, charge
from voltbench.charging.vehicle import CONNECTOR_TYPES, fits
from voltbench.errors import InvalidInput, NotFound
from voltbench.quantities import SECONDS_PER_HOUR

CATALOG = Catalog()
VEHICLES, STATIONS, STORAGES = CATALOG.vehicles(), CATALOG.stations(), CATALOG.storages()

OTHER_PUBLISHED_MINUTES = {
    "dacia-spring-27": (0.0, 0.8, 56),
    "fiat-500e-42": (0.0, 0.8, 35),
    "mercedes-eactros-600": (0.2, 0.8, 60),
    "peugeot-e-208-50": (0.0, 0.8, 30),
    "renault-5-e-tech-52": (0.15, 0.8, 30),
    "renault-megane-e-tech-60": (0.15, 0.8, 32),
    "renault-zoe-r135-50": (0.0, 0.8, 70),
    "vw-e-up-37": (0.0, 0.8, 60),
    "vw-id3-pro-58": (0.05, 0.8, 35),
    "vw-id4-pro-77": (0.05, 0.8, 38),
}
"""Minutes on DC from one SoC to another, for vehicles whose maker states them for another window than 10 to 80 %."""


def each(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: model.id)


def minutes_on_dc(vehicle, from_soc, to_soc):
    """Time on a station that is no limit, in minutes: the curve alone, piece by piece."""
    stored_wh, target_wh, seconds = from_soc * vehicle.curve.capacity_wh, to_soc * vehicle.curve.capacity_wh, 0.0
    while stored_wh < target_wh:
        piece = vehicle.curve.piece(stored_wh, vehicle.curve.peak_w, target_wh)
        seconds, stored_wh = seconds + piece.duration_s, piece.end_wh
    return seconds / 60


def takes_dc(vehicle):
    return any(CONNECTOR_TYPES[inlet] == "dc" for inlet in vehicle.inlets)


def stations_for(vehicle, *, dc):
    return [s for s in STATIONS if any(c.is_dc == dc and fits(vehicle.inlets, c.type) for c in s.connectors)]


def test_the_catalog_is_large_enough_to_be_useful():
    assert len(VEHICLES) >= 16
    assert len(STATIONS) >= 12
    assert len(STORAGES) >= 4


@each([*VEHICLES, *STATIONS, *STORAGES])
def test_a_model_has_a_readable_id_a_name_and_a_source(model):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", model.id)
    assert model.name
    assert model.source.endswith(".")
    assert "\n" not in model.source


@each(VEHICLES)
def test_a_vehicle_is_one_that_could_stand_on_the_road(model):
    curve = model.curve
    assert 5_000 <= curve.capacity_wh <= 700_000
    assert 0.25 <= curve.peak_w / curve.capacity_wh <= 4.0, "C-rate"
    assert takes_dc(model) or model.ac
    if model.ac:
        assert 3_000 <= model.ac.max_power_w() <= 44_000
        assert 0.8 <= model.ac.efficiency <= 0.97


@each([v for v in VEHICLES if v.acceptance])
def test_a_vehicle_tapers_but_gets_full(model):
    powers_w = list(model.acceptance.power_w)
    assert min(powers_w) == powers_w[-1] > 0.0
    assert powers_w[-1] < 0.35 * model.curve.peak_w
    full, drawn_wh = charge(Pack(model.curve, 0.0), model.curve.peak_w, 5 * SECONDS_PER_HOUR)
    assert full.soc == pytest.approx(1.0)
    assert drawn_wh == pytest.approx(model.usable_capacity_wh)


@each([v for v in VEHICLES if v.published_10_80_min])
def test_the_curve_takes_the_published_time_from_10_to_80_percent(model):
    assert minutes_on_dc(model, 0.1, 0.8) == pytest.approx(model.published_10_80_min, rel=0.06)


@pytest.mark.parametrize(("id", "published"), OTHER_PUBLISHED_MINUTES.items(), ids=OTHER_PUBLISHED_MINUTES)
def test_the_curve_takes_the_published_time_over_its_makers_own_window(id, published):
    from_soc, to_soc, minutes = published
    assert minutes_on_dc(CATALOG.vehicle(id), from_soc, to_soc) == pytest.approx(minutes, rel=0.06)


def test_nearly_every_fast_charging_vehicle_is_measured_against_a_published_time():
    measured = {v.id for v in VEHICLES if v.published_10_80_min} | OTHER_PUBLISHED_MINUTES.keys()
    by_cells = {v.id for v in VEHICLES if v.charge_map is not None}
    assert {v.id for v in VEHICLES if takes_dc(v)} - measured - by_cells == {"chevrolet-bolt-ev-66"}


@each(VEHICLES)
def test_a_vehicle_finds_a_station_for_each_way_it_charges(model):
    assert not takes_dc(model) or stations_for(model, dc=True)
    assert not model.ac or stations_for(model, dc=False)


@each(STATIONS)
def test_a_station_gives_what_a_station_can(model):
    assert 3_000 <= model.max_power_w <= 1_000_000
    assert max(c.max_power_w for c in model.connectors) <= model.max_power_w
    assert model.max_power_w <= sum(c.max_power_w for c in model.connectors)
    assert 0.9 <= model.efficiency <= 1.0
    for connector in model.connectors:
        if not connector.is_dc:
            current_a = connector.max_power_w / connector.phases / connector.voltage_v
            assert current_a in (pytest.approx(16), pytest.approx(32))
            assert model.efficiency == 1.0, "AC is only switched"


@each(STATIONS)
def test_a_station_finds_a_vehicle(model):
    assert any(fits(vehicle.inlets, c.type) for vehicle in VEHICLES for c in model.connectors)


@each(STORAGES)
def test_a_battery_is_one_that_could_stand_in_a_yard(model):
    assert 5_000 <= model.capacity_wh <= 5_000_000
    assert 0.2 <= model.charge_max_w / model.capacity_wh <= 2.0, "C-rate"
    assert model.charge_max_w <= model.discharge_max_w
    assert 0.8 <= model.charge_efficiency * model.discharge_efficiency <= 1.0


def test_the_contracts_examples_are_in_the_catalog():
    station, battery = CATALOG.station("dc-300-2"), CATALOG.storage("bess-200kwh-200kw")
    assert [c.max_power_w for c in station.connectors] == [300_000, 300_000]
    assert station.max_power_w == 300_000
    assert (battery.capacity_wh, battery.discharge_max_w, battery.soc_min) == (200_000, 200_000, 0.1)


# A user's own models.

SUV = """
name = "Our SUV"
source = "Measured by us."
usable_capacity_wh = 80_000
inlets = ["cCCS2", "cType2"]

[acceptance]
soc     = [0.0, 0.6, 1.0]
power_w = [150_000, 150_000, 5_000]

[ac]
phases = 3
max_current_a = 16
"""

COLUMN = """
name = "Our column"
source = "Its label."
max_power_w = 22_080

[[connectors]]
type = "sType2"
max_power_w = 22_080
"""


@pytest.fixture
def own(tmp_path):
    """Writes a model into a user's catalog, and returns that catalog as it then is."""

    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Catalog(tmp_path)

    return write


def refusal(read, id):
    """The sentence with which a model is refused, without the folder."""
    with pytest.raises(InvalidInput) as caught:
        read(id)
    return str(caught.value).rpartition("/")[2]


def test_a_users_car_stands_beside_ours(own):
    catalog = own("vehicles/our-suv.toml", SUV)
    assert catalog.vehicle("our-suv").name == "Our SUV"
    assert [v.id for v in catalog.vehicles()] == sorted([*(v.id for v in VEHICLES), "our-suv"])


def test_a_users_car_shadows_ours_of_the_same_id(own):
    catalog = own("vehicles/kia-ev6-77.toml", SUV)
    assert catalog.vehicle("kia-ev6-77").name == "Our SUV"
    assert len(catalog.vehicles()) == len(VEHICLES)
    assert catalog.stations() == STATIONS


def test_a_user_without_a_catalog_has_ours(tmp_path):
    assert Catalog(tmp_path / "nothing-here").storages() == STORAGES


def test_a_model_is_read_once(own, tmp_path):
    catalog = own("vehicles/our-suv.toml", SUV)
    first = catalog.vehicle("our-suv")
    own("vehicles/our-suv.toml", SUV.replace("Our SUV", "Their SUV"))
    assert catalog.vehicle("our-suv") is first
    assert Catalog(tmp_path).vehicle("our-suv").name == "Their SUV"


def test_a_bad_file_does_not_hide_the_others(own):
    catalog = own("vehicles/broken.toml", "name =")
    assert catalog.vehicle("kia-ev6-77").name == "Kia EV6 77.4 kWh"


def test_an_unknown_id_brings_the_ones_spelled_like_it():
    with pytest.raises(NotFound, match="no vehicle model 'kia-ev6' in the catalog; similar: kia-ev6-77") as caught:
        CATALOG.vehicle("kia-ev6")
    assert (caught.value.kind, caught.value.id) == ("vehicle model", "kia-ev6")
    with pytest.raises(NotFound, match=r"no station model 'kettle' in the catalog$"):
        CATALOG.station("kettle")


def test_an_id_is_no_way_out_of_the_catalog(own, tmp_path):
    (tmp_path / "secret.toml").write_text(SUV)
    catalog = own("vehicles/our-suv.toml", SUV)
    with pytest.raises(NotFound):
        catalog.vehicle("../secret")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "Our SUV"\n', "", "name: is missing"),
        ("phases = 3\n", "", "ac.phases: is missing"),
        ("80_000", '"80 kWh"', "usable_capacity_wh: is not allowed, found '80 kWh', allowed: a number"),
        ("80_000", "-80_000", "usable_capacity_wh: is not a capacity, found -80000.0, allowed: more than 0"),
        ("80_000", "inf", "usable_capacity_wh: is not a usable number, found inf, allowed: finite numbers"),
        ("phases = 3", "phases = 3.5", "ac.phases: is not allowed, found 3.5, allowed: a whole number"),
        ("phases = 3", "phases = 4", "ac.phases: is not a number of phases, found 4, allowed: 1, 2 or 3"),
        ("0.0, 0.6", '0.0, "60 %"', "acceptance.soc[1]: is not allowed, found '60 %', allowed: a number"),
        ("[0.0, 0.6, 1.0]", "0.5", "acceptance.soc: is not allowed, found 0.5, allowed: a list"),
        (
            "0.6, 1.0",
            "0.6, 0.9",
            "soc: does not rise from 0 to 1, found [0.0, 0.6, 0.9], allowed: rising, first 0, last 1",
        ),
        (
            "phases = 3",
            "phases = 3\nplug = 2",
            "ac.plug: is unknown, allowed: phases, max_current_a, min_current_a, efficiency",
        ),
        ("80_000", "80_000\nid = 'suv'", "id: is not the file's name, found 'suv', allowed: our-suv, or leave it out"),
        ("[ac]", "[ac", "line 11, column 4: is not TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_a_bad_vehicle_is_refused_in_one_sentence(own, old, new, sentence):
    catalog = own("vehicles/our-suv.toml", SUV.replace(old, new))
    assert refusal(catalog.vehicle, "our-suv") == f"our-suv.toml: {sentence}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"sType2"', '"Type2"', f"connectors.type: is unknown, found 'Type2', allowed: {', '.join(CONNECTOR_TYPES)}"),
        ('"sType2"', "2", "connectors[0].type: is not allowed, found 2, allowed: a text in quotes"),
        (
            '"sType2"',
            '"sType2"\nkW = 22',
            "connectors[0].kW: is unknown, allowed: type, max_power_w, phases, voltage_v",
        ),
        ('"sType2"', '"sType2"\nvoltage_v = 0', "connectors.voltage_v: is no voltage, found 0.0, allowed: more than 0"),
        ("22_080", "nan", "connectors[0].max_power_w: is not a usable number, found nan, allowed: finite numbers"),
        (
            '\n[[connectors]]\ntype = "sType2"\nmax_power_w = 22_080\n',
            "connectors = []",
            "connectors: are missing, allowed: at least one",
        ),
    ],
)
def test_a_bad_station_is_refused_in_one_sentence(own, old, new, sentence):
    catalog = own("stations/our-column.toml", COLUMN.replace(old, new))
    assert refusal(catalog.station, "our-column") == f"our-column.toml: {sentence}"


def test_a_file_that_is_no_text_is_refused(own):
    catalog = own("storage/our-battery.toml", b"\x89PNG\r\n")
    assert refusal(catalog.storage, "our-battery") == (
        "our-battery.toml: text: is not UTF-8, found b'\\x89', allowed: TOML in UTF-8"
    )


def test_a_refusal_names_the_file_and_says_each_fact_on_its_own(own, tmp_path):
    catalog = own(
        "storage/our-battery.toml", 'name = "B"\ncapacity_wh = 1_000\ncharge_max_w = 0.5\ndischarge_max_w = []'
    )
    with pytest.raises(InvalidInput) as caught:
        catalog.storages()
    error = caught.value
    assert error.source == str(tmp_path / "storage" / "our-battery.toml")
    assert (error.field, error.found, error.allowed) == ("discharge_max_w", "a list of 0", "a number")


def test_only_where_a_model_is_from_may_take_several_lines(own):
    prose = COLUMN.replace('"Its label."', '"""Its label,\nread by us."""')
    assert own("stations/our-column.toml", prose).station("our-column").source == "Its label,\nread by us."
    named = COLUMN.replace('"Our column"', '"""Our\ncolumn"""')
    assert "name: has a control character" in refusal(own("stations/our-column.toml", named).station, "our-column")
