"""What is not one clear JSON object is refused, and told where."""

from __future__ import annotations

import pytest

from voltbench.adapters.json_text import UnreadableJson, parse, parse_object


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"a": 1, "b": {"c": 2, "d": 3, "c": 4}}', "text: says the same thing twice in one object, found 'c'"),
        (b'{"a": [NaN]}', "line 1, column 8: is not a number, found 'NaN'"),
        (b'{"a": 1}\xff', "text: is not UTF-8"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: bytes, told: str):
    with pytest.raises(UnreadableJson) as refused:
        parse(text)
    assert str(refused.value).startswith(told)


def test_an_object_with_many_names_is_read():
    many = {f"name {number}": number for number in range(50_000)}
    assert parse_object("{" + ",".join(f'"{name}": {number}' for name, number in many.items()) + "}") == many
