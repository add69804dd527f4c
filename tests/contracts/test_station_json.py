"""The contract's station configuration: what is accepted, what it becomes, and how it is refused."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltbench.adapters import json_text, station_json
from voltbench.adapters.catalog import Catalog
from voltbench.adapters.scenario_files.changes import Changes
from voltbench.adapters.scenario_files.plain_files import of_station
from voltbench.adapters.station_json import BASE_EXAMPLE, LIVE_STRATEGIES
from voltbench.apps.sites.keeping import hosted_plan
from voltbench.energy.commit import Confirmation
from voltbench.errors import InvalidInput
from voltbench.quantities import MS_PER_MINUTE
from voltbench.running.scenario import Run

COMMENTED = """
{
  // the station in Paris
  "stationId": "ELECTRA_PARIS_15 // no comment", /* kW, as
     everything here */
  "gridCapacity": 400,
  "staticLoad": 3,
  "chargers": [
    {"id": "CP001", "maxPower": 300, "connectors": 2}, // shared
    {"id": "CP002", "maxPower": 300, "connectors": [
      {"connector_id": 1, "connector_type": "CCS", "max_power": 150},
      {"connector_id": 7, "connector_type": "CHAdeMO"}
    ]}
  ],
  "battery": {"initialCapacity": 200, "power": 100, "minSOC": 20, "maxSOC": 90, "initialSoc": 50}
}
"""


def the_base(**changes):
    return station_json.to_json(BASE_EXAMPLE) | changes


# --- what is accepted ------------------------------------------------------------------------------------------------


def test_the_base_example_is_the_contracts():
    site = station_json.site_plan(BASE_EXAMPLE)
    assert [place.connector for place in site.places] == [f"CP00{i}:{k}" for i in (1, 2, 3) for k in (1, 2)]
    assert site.tree.bounds(0) == [400_000.0, 200_000.0, 200_000.0, 300_000.0]
    assert site.storage is not None
    assert (site.storage.capacity_wh, site.storage.charge_max_w, site.storage.discharge_max_w) == (2e5, 1e5, 1e5)
    assert (site.storage.soc_min, site.storage_soc, site.storage.discharge_efficiency) == (0.1, 1.0, 1.0)
    assert site.load_w.at(0) == 0.0


def test_comments_are_left_out_and_texts_left_alone():
    config = station_json.parse(COMMENTED)
    assert config.station_id == "ELECTRA_PARIS_15 // no comment"
    assert [c.id for c in config.chargers] == ["CP001", "CP002"]


def test_all_that_may_be_said_arrives():
    site = station_json.site_plan(station_json.parse(COMMENTED))
    assert [place.connector for place in site.places] == ["CP001:1", "CP001:2", "CP002:1", "CP002:7"]
    assert [place.connector_model.type for place in site.places] == ["cCCS2", "cCCS2", "cCCS2", "cG105"]
    assert [place.connector_model.max_power_w for place in site.places] == [3e5, 3e5, 1.5e5, 3e5]
    assert site.storage is not None
    assert (site.storage.soc_min, site.storage.soc_max, site.storage_soc) == (0.2, 0.9, 0.5)
    assert site.load_w.at(0) == 3_000.0


def test_a_battery_starts_full_where_its_window_ends():
    battery = {"initialCapacity": 100, "power": 50, "maxSOC": 80}
    assert station_json.site_plan(station_json.config_of(the_base(battery=battery))).storage_soc == 0.8


def test_how_the_site_is_run_may_be_said_too():
    config = station_json.config_of(the_base(confirmation="reported", strategy="fcfs", releaseUnused=True))
    options = station_json.control_options(config)
    assert (options.confirmation, options.strategy, config.release_unused) == (Confirmation.REPORTED, "fcfs", True)


def test_a_limit_may_be_valid_for_a_while_only():
    plan = hosted_plan(station_json.config_of(the_base(limitValidity=30)))
    assert plan.validity_ms == 30_000
    assert hosted_plan(station_json.config_of(the_base())).validity_ms is None


kilos = st.one_of(st.integers(1, 10_000), st.floats(0.1, 10_000))
connectors = st.one_of(
    st.integers(1, 4),
    st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True)
    .flatmap(
        lambda ids: st.tuples(
            *(st.fixed_dictionaries({"connector_id": st.just(i)}, optional={"max_power": kilos}) for i in ids)
        )
    )
    .map(list),
)
batteries = st.fixed_dictionaries(
    {"initialCapacity": kilos, "power": kilos},
    optional={"minSOC": st.integers(0, 49), "maxSOC": st.integers(50, 100), "initialSoc": st.floats(49, 50)},
)
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20)


@st.composite
def configurations(draw):
    ids = draw(st.lists(st.text("ABC123", min_size=1, max_size=5), min_size=1, max_size=4, unique=True))
    chargers = [{"id": id, "maxPower": draw(kilos), "connectors": draw(connectors)} for id in ids]
    optional = {
        "battery": batteries,
        "staticLoad": st.one_of(st.just(0), kilos),
        "confirmation": st.sampled_from(["instant", "reported"]),
        "releaseUnused": st.booleans(),
        "limitValidity": st.floats(1, 3_600),
        "strategy": st.sampled_from(sorted(LIVE_STRATEGIES)),
    }
    fixed = {"stationId": names, "gridCapacity": kilos, "chargers": st.just(chargers)}
    return draw(st.fixed_dictionaries(fixed, optional=optional))


@given(configurations())
def test_what_is_read_is_what_was_written(table):
    config = station_json.parse(json.dumps(table))
    assert station_json.config_of(json.loads(json.dumps(station_json.to_json(config)))) == config
    assert station_json.parse(msgspec.json.encode(config)) == config


@settings(max_examples=25)
@given(configurations())
def test_every_station_lives_through_a_morning_within_its_limits(table):
    changes = Changes(days=0.4, strategy=table.get("strategy"), seed=3)
    scenario = of_station(table, "any", changes, Catalog())
    living = Run(scenario)
    for now in range(scenario.starts_at, scenario.ends_at, 20 * MS_PER_MINUTE):
        living.world.advance(now)
        own_load_w = max(0.0, scenario.site.load_w.at(now) - scenario.site.tree.bounds(now)[0])
        assert living.operation.excess(now)[0] <= own_load_w + 1e-6


# --- how it is refused -----------------------------------------------------------------------------------------------

CHARGER = {"id": "A", "maxPower": 100, "connectors": 2}
CONTROL_CHARACTERS = ["\0", "\x1b", "\n", "\x7f", "\x9b", "\u2028", "\u200b", "\u202e", "\ufeff"]

REFUSED = [
    ({"gridCapacity": "400"}, "gridCapacity", "a number"),
    ({"gridCapacity": True}, "gridCapacity", "a number"),
    ({"gridCapacity": 0}, "gridCapacity", "more than 0"),
    ({"gridCapacity": -5}, "gridCapacity", "more than 0"),
    ({"gridCapacity": float("inf")}, "gridCapacity", "finite"),
    ({"gridCapacity": float("nan")}, "gridCapacity", "finite"),
    ({"gridCapacity": 10**400}, "gridCapacity", "finite"),
    ({"staticLoad": -1}, "staticLoad", "at least 0"),
    ({"stationId": ""}, "stationId", "at least 1"),
    ({"stationId": 15}, "stationId", "a text"),
    ({"gridCapacty": 400}, "gridCapacty", "gridCapacity"),
    ({"strategy": "max-min"}, "strategy", "max_min"),
    ({"strategy": "planned"}, "strategy", "max_min"),
    ({"confirmation": "later"}, "confirmation", "instant, reported"),
    ({"releaseUnused": 1}, "releaseUnused", "true or false"),
    ({"limitValidity": 0}, "limitValidity", "at least 1"),
    ({"chargers": []}, "chargers", "at least one"),
    ({"chargers": [CHARGER, CHARGER]}, "chargers[1].id", "each id once"),
    ({"chargers": [CHARGER | {"id": "grid"}]}, "chargers[0].id", "each id once"),
    ({"chargers": [CHARGER | {"maxPower": "100"}]}, "chargers[0].maxPower", "a number"),
    ({"chargers": [CHARGER | {"connectors": 0}]}, "chargers[0].connectors", "at least 1"),
    ({"chargers": [CHARGER | {"connectors": "2"}]}, "chargers[0].connectors", "a whole number or a list"),
    ({"chargers": [CHARGER | {"connectors": True}]}, "chargers[0].connectors", "a whole number or a list"),
    ({"chargers": [CHARGER | {"connectors": []}]}, "chargers[0].connectors", "at least one"),
    (
        {"chargers": [CHARGER | {"connectors": [{"connector_id": 1}, {"connector_id": 1}]}]},
        "chargers[0].connectors[1].connector_id",
        "each id once",
    ),
    (
        {"chargers": [CHARGER | {"connectors": [{"connector_id": 1, "connector_type": "CSS2"}]}]},
        "chargers[0].connectors[0].connector_type",
        "CCS2",
    ),
    (
        {"chargers": [CHARGER | {"connectors": [{"connector_id": 1, "max_power": 0}]}]},
        "chargers[0].connectors[0].max_power",
        "more than 0",
    ),
    ({"battery": {"power": 100}}, "battery.initialCapacity", ""),
    ({"battery": {"initialCapacity": 200, "power": -1}}, "battery.power", "more than 0"),
    ({"battery": {"initialCapacity": 200, "power": 1, "minSOC": 90, "maxSOC": 80}}, "battery.minSOC", "maxSOC"),
    ({"battery": {"initialCapacity": 200, "power": 1, "initialSoc": 101}}, "battery.initialSoc", "at most 100"),
    ({"battery": {"initialCapacity": 200, "power": 1, "initialSoc": 9}}, "battery.initialSoc", "10 to 100"),
    (
        {"battery": {"initialCapacity": 200, "power": 1, "maxSOC": 80, "initialSoc": 81}},
        "battery.initialSoc",
        "10 to 80",
    ),
    (
        {"chargers": [{"id": f"C{i}", "maxPower": 1, "connectors": 100} for i in range(21)]},
        "chargers",
        "2000 or fewer",
    ),
    ({"chargers": [CHARGER] * 1_001}, "chargers", "a list, at most 1000 long"),
    *(({"stationId": f"S{sign}1"}, "stationId", "letters") for sign in CONTROL_CHARACTERS),
    ({"stationId": "  "}, "stationId", "letters"),
    *(({"chargers": [CHARGER | {"id": f"A{sign}"}]}, "chargers[0].id", "letters") for sign in CONTROL_CHARACTERS),
]


@pytest.mark.parametrize(
    ("changes", "field", "allowed"), REFUSED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_every_refusal_names_the_field_and_what_is_allowed(changes, field, allowed):
    with pytest.raises(InvalidInput) as refusal:
        station_json.config_of(the_base(**changes))
    assert refusal.value.field == field
    assert allowed in refusal.value.allowed
    assert not isinstance(refusal.value, json_text.UnreadableJson)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": 1,}',
        "{'a': 1}",
        "[1 2]",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        "[" * 100_000,
        '"\\',
        "9" * 5_000,
        "/*",
    ],
)
def test_what_is_not_json_is_another_refusal(text):
    with pytest.raises(json_text.UnreadableJson):
        station_json.parse(text)


@pytest.mark.parametrize("text", ["null", "[]", "7", '"S1"'])
def test_json_that_is_no_object_is_told_what_a_configuration_is(text):
    with pytest.raises(InvalidInput, match="no JSON object") as refusal:
        station_json.parse(text)
    assert refusal.value.field == "configuration"
    assert refusal.value.found is not None
    assert "stationId, gridCapacity and chargers" in refusal.value.allowed


def test_a_number_of_thousands_of_digits_is_not_repeated():
    with pytest.raises(json_text.UnreadableJson, match="number") as refusal:
        station_json.parse("9" * 5_000)
    assert len(str(refusal.value)) < 120
    assert "sys." not in str(refusal.value)


def test_a_place_in_the_text_counts_its_comments():
    with pytest.raises(json_text.UnreadableJson) as refusal:
        station_json.parse("// one\n/* two\nthree */ {\n  nonsense\n}")
    assert refusal.value.field == "line 4, column 3"


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.recursive(
        texts | st.integers(-5, 5) | st.booleans() | st.none(), lambda s: st.lists(s) | st.dictionaries(texts, s)
    )
)
def test_comments_inside_texts_survive(tree):
    text = json.dumps(tree, indent=1, ensure_ascii=False).replace("\n", ' // "a comment\n/* [{ */')
    assert json_text.parse(f"/* first */{text}// last") == tree


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("grid"),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=8,
)


@given(configurations(), st.data())
def test_whatever_is_written_is_read_or_refused(table, data):
    place = table
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(nonsense)
            break
        place = place[key]
    try:
        station_json.site_plan(station_json.config_of(table))
    except InvalidInput as refusal:
        assert str(refusal).encode().isascii() or refusal.field  # noqa: PT017  it can be printed


@given(st.binary(max_size=60) | st.text('{}[]":,/*\\0e-+.NaIn \n', max_size=60))
def test_whatever_bytes_come_only_a_refusal_comes_back(text):
    with pytest.raises(InvalidInput):
        station_json.parse(text)
