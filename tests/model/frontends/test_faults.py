"""One fault for each thing wrong with a record, in the project's words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rillnet.model.frontends.addresses import Path
from rillnet.model.frontends.faults import faults_of, keys_of, records_at
from rillnet.spec import BlockSpec, ExperimentSpec, NetSpec, Record


def messages(model: type[Record], values: Any, prefix: Path = ()) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(values)
    return [str(fault) for fault in faults_of(raised.value, model, values, prefix)]


def run(**values: Any) -> dict[str, Any]:
    return {"net": {}, "run": values}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (run(execution=5), "run.execution: must be 'auto', 'eager' or 'compiled', or a mapping (got 5)"),
        (run(execution={"compil": True}), "run.execution.compil: unknown key; did you mean 'compile'?"),
        (run(execution={"threads": 0}), "run.execution.threads: must be at least 1 (got 0)"),
        (run(early_stopping={}), "run.early_stopping.metric: is required"),
        (
            {"net": {}, "rollout": "Streaming"},
            "rollout: must be 'sequential', 'streaming' or 'sampling', or a whole number (got 'Streaming'); "
            "did you mean 'streaming'?",
        ),
        (
            {"net": {}, "rollout": {"default": 0.5}},
            "rollout.default: must be 'sequential', 'streaming' or 'sampling', or a whole number (got 0.5)",
        ),
    ],
)
def test_a_union_gives_one_fault(values: Any, message: str) -> None:
    assert messages(ExperimentSpec, values) == [message]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (run(epoch=1), "run.epoch: unknown key; did you mean 'epochs'?"),
        ({"net": {}, "epochs": 1}, "epochs: unknown key; did you mean 'run.epochs'?"),
        ({"net": {}, "seed": 1}, "seed: unknown key; did you mean 'run.seed'?"),
        ({"net": {}, "batch_size": 1}, "batch_size: unknown key; did you mean 'data.batch_size'?"),
        (
            {"net": {}, "zebra": 1},
            "zebra: unknown key; known: experiment, net, rollout, data, learning, placement, observe, run, extends, "
            "imports, globals, modules, tags",
        ),
        ({"net": {"block": {}}}, "net.block: unknown key; did you mean 'blocks'?"),
        ({"net": {"inputs": {"x": {"dtyp": "int64"}}}}, "net.inputs.x.dtyp: unknown key; did you mean 'dtype'?"),
        (run(checkpoint={"kep": 1}), "run.checkpoint.kep: unknown key; did you mean 'keep'?"),
    ],
)
def test_unknown_keys_are_told_with_the_nearest(values: Any, message: str) -> None:
    assert messages(ExperimentSpec, values) == [message]


def test_keys_of_nested_nets() -> None:
    values = {"blocks": {"u": {"blocks": {"a": {"repeat": 0, "type": "ReLU"}, "b c": "ReLU"}, "input": ["x"]}}}

    assert messages(NetSpec, values, ("net",)) == [
        "net/u/a.repeat: must be at least 1 (got 0)",
        "net/u/b c: must be letters, digits and _ only (got 'b c')",
        "net/u.input: unknown key; did you mean 'inputs'?",
    ]


def test_one_source_without_a_list_has_its_own_keys() -> None:
    values = {"blocks": {"a": {"type": "ReLU", "from": {"block": "x", "dely": 1}}}}

    assert messages(NetSpec, values, ("net",)) == ["net/a.from.dely: unknown key; did you mean 'delay'?"]


def test_short_forms_are_named_by_what_stands_in_the_document() -> None:
    values = {"inputs": {"x": [0]}, "blocks": {"a": {"type": "ReLU", "from": "b c", "share": {"weight": "b"}}}}

    assert messages(NetSpec, values, ("net",)) == [
        "net.inputs.x.0: must be at least 1 (got 0)",
        "net/a.from: must be a block's name, name[output] or name@-frames (got 'b c')",
        "net/a.share.weight: must be block.parameter (got 'b')",
    ]


def test_a_name_and_its_value_may_both_be_wrong() -> None:
    assert messages(NetSpec, {"blocks": {"a b": 5}}, ("net",)) == [
        "net/a b: must be letters, digits and _ only (got 'a b')",
        "net/a b: must be a type's name, or a mapping with type and arguments (got 5)",
    ]


def test_records_in_place_of_values() -> None:
    values = {"net": NetSpec(), "run": {"epochs": 0}}

    assert messages(ExperimentSpec, values) == ["run.epochs: must be at least 1 (got 0)"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ((), ["ExperimentSpec"]),
        (("net", "blocks", "a"), ["BlockSpec"]),
        (("net", "blocks", "a", "blocks", "b"), ["BlockSpec"]),
        (("net", "blocks", "a", "from", 0), ["SourceSpec"]),
        (("net", "blocks", "a", "from"), ["SourceSpec"]),
        (("run", "execution"), ["ExecutionSpec"]),
        (("run", "early_stopping"), ["EarlyStoppingSpec"]),
        (("run", "epochs"), []),
        (("nothing", "here"), []),
    ],
)
def test_records_at(path: Path, names: list[str]) -> None:
    assert [record.__name__ for record in records_at(ExperimentSpec, path)] == names


def test_keys_of() -> None:
    assert keys_of(NetSpec) == ["name", "inputs", "blocks", "outputs", "seed", "extends"]
    assert {"from", "blocks", "repeat"} <= set(keys_of(BlockSpec))
    assert not {"sources", "arguments"} & set(keys_of(BlockSpec))
