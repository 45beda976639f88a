"""The records of modules and imports."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.definitions import STANDING, ImportSpec, ModuleSpec
from rillnet.model.frontends.yaml import validated
from rillnet.spec import BlockSpec, NestedSpec


def test_a_list_of_parameters_has_no_defaults() -> None:
    spec = validated(
        ModuleSpec, {"parameters": ["size", "act"], "inputs": "x", "blocks": {"a": "ReLU"}, "outputs": "a"}
    )

    assert spec.parameters == {"size": None, "act": None}
    assert spec.inputs == ["x"]
    assert [str(source) for source in spec.outputs] == ["a"]


def test_an_import_may_be_one_word() -> None:
    assert validated(ImportSpec, "a.yaml") == ImportSpec(document="a.yaml")
    assert validated(ImportSpec, {"document": "a.yaml", "only": "x", "as": "lib"}).as_ == "lib"


def test_standing_keys_are_those_of_blocks() -> None:
    fields = {
        field.alias or name
        for record in (BlockSpec, NestedSpec)
        for name, field in record.model_fields.items()
        if name != "arguments"
    }

    assert set(STANDING) == fields | {"tags"}


@pytest.mark.parametrize("name", STANDING)
def test_no_parameter_is_called_like_a_key_of_every_block(name: str) -> None:
    with pytest.raises(RequestError, match=f"cannot be called '{name}': every block has a key of this name"):
        validated(ModuleSpec, {"parameters": {name: 1}, "blocks": {"a": "ReLU"}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blocks": {}}, "blocks: must have at least 1 items (got {})"),
        ({"blocks": {"a b": "ReLU"}}, "blocks.a b: must be letters, digits and _ only (got 'a b')"),
        (
            {"parameters": ["lambda"], "blocks": {"a": "ReLU"}},
            "parameters: must be letters, digits and _, not begin with a digit, and be no word such as if or lambda",
        ),
        ({"parameters": 3, "blocks": {"a": "ReLU"}}, "parameters: must be a mapping (got 3)"),
    ],
)
def test_faults(values: Any, message: str) -> None:
    with pytest.raises(RequestError) as raised:
        validated(ModuleSpec, values)

    assert str(raised.value).startswith(message.partition(":")[0])
    assert message.partition(": ")[2] in str(raised.value)
