"""What can be listed is what can be used, and says something of itself."""

from __future__ import annotations

import typing
from typing import Annotated, Any

import pytest
from pydantic import Field

from rillnet.errors import RequestError
from rillnet.model.nets import ready_nets
from rillnet.serving import catalogue
from rillnet.spec import CheckpointSpec, RunSpec
from rillnet.training.optimizer_family import OPTIMIZERS
from rillnet.training.rates import RATES


def named(kind: str) -> dict[str, catalogue.Entry]:
    return {entry.name: entry for entry in catalogue.entries(kind)}


@pytest.mark.parametrize("kind", catalogue.kinds())
def test_every_member_says_what_it_is(kind: str) -> None:
    entries = catalogue.entries(kind)
    assert entries
    assert [entry.name for entry in entries if not entry.told] == []


def test_members_are_those_that_documents_name() -> None:
    assert set(named("optimizers")) == set(OPTIMIZERS)
    assert set(named("rates")) == set(RATES)
    assert list(named("nets")) == ready_nets()
    assert {"Conv2d", "Linear", "Sum", "Pool", "CrossEntropy"} <= set(named("blocks"))
    assert {"Accuracy", "CrossEntropy"} <= set(named("metrics")) < set(named("blocks"))


def test_every_key_of_run_is_there_with_those_below_it() -> None:
    keys = named("run")
    assert set(RunSpec.model_fields) <= set(keys)
    assert {f"checkpoint.{name}" for name in CheckpointSpec.model_fields} <= set(keys)
    assert "execution.memory_format" in keys
    assert keys["log"].arguments[0].default == "50 steps"


def test_a_call_shows_what_must_be_given_and_what_is_inferred() -> None:
    conv = named("blocks")["Conv2d"]
    arguments = {argument.name: argument for argument in conv.arguments}
    assert str(conv).startswith("Conv2d(out_channels, kernel_size, stride=1, padding=0")
    assert arguments["in_channels"].inferred
    assert (arguments["out_channels"].default, arguments["bias"].default) == (None, "true")
    assert "device" not in arguments
    assert str(named("blocks")["Sum"]) == "Sum"


def test_what_the_experiment_supplies_is_left_out() -> None:
    assert not {"net", "address"} & {argument.name for argument in named("rules")["Backprop"].arguments}
    adam = [argument.name for argument in named("optimizers")["Adam"].arguments]
    assert adam[0] == "lr"
    assert adam[-4:] == ["of", "rate", "l1", "max_norm"]
    assert not {"params", "fused", "foreach"} & set(adam)


def test_members_are_found_in_every_kind() -> None:
    assert [kind for kind, _ in catalogue.find("CrossEntropy")] == ["blocks", "metrics"]
    with pytest.raises(RequestError) as error:
        catalogue.find("Conv2D")
    assert str(error.value) == "is neither a kind nor a member of one (got 'Conv2D'); did you mean 'Conv2d'?"
    with pytest.raises(RequestError) as error:
        catalogue.entries("block")
    assert str(error.value) == "unknown kind (got 'block'); did you mean 'blocks'?"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Annotated[int, Field(ge=1)], "int"),
        (float | None, "float or null"),
        (typing.Literal["a", "b"], "a or b"),
        (list[int], "a list"),
        (dict[str, Any], "a mapping"),
        (CheckpointSpec, "a mapping"),
        (str | bool, "text or true or false"),
        (Annotated[Any, Field()] | None, ""),
        (Any, ""),
    ],
)
def test_what_an_argument_takes_is_said_in_words(annotation: Any, text: str) -> None:
    assert catalogue.kind_text(annotation) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-8, "1e-08"), ([1, None], "[1, null]"), ({"a": False}, "{a: false}"), ("same", "same"), (len, "len")],
)
def test_defaults_are_written_as_in_a_document(value: Any, text: str) -> None:
    assert catalogue.written(value) == text
