"""Documents as they are laid out for people, and what cannot be written."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read_text, write
from rillnet.spec import BlockSpec, ExecutionSpec, ExperimentSpec, NetSpec, RunSpec, TypedSpec


def net(**blocks: Any) -> NetSpec:
    return NetSpec.model_validate({"blocks": blocks})


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("ReLU", "a: ReLU"),
        ({"type": "ReLU", "from": "b"}, "a: {type: ReLU, from: b}"),
        ({"type": "Sum", "from": ["b", "c@-1"]}, 'a: {type: Sum, from: [b, "c@-1"]}'),
        ({"bias": False, "type": "Linear", "exclude": "train"}, "a: {type: Linear, bias: false, exclude: [train]}"),
        ({"type": "Linear", "share": {"weight": "b.weight"}}, "a: {type: Linear, share: {weight: b.weight}}"),
        (
            {"type": "Linear", "share": {"weight": {"of": "b.weight", "transpose": True}}},
            "a: {type: Linear, share: {weight: {of: b.weight, transpose: true}}}",
        ),
        ({"type": "Pool", "shape": []}, "a: {type: Pool, shape: []}"),
        ({"type": "Linear", "from": []}, "a: {type: Linear, from: []}"),
    ],
)
def test_blocks(block: Any, line: str) -> None:
    assert write(net(a=block)) == f"net:\n  blocks:\n    {line}\n"


def test_nested_nets_are_laid_out_like_nets() -> None:
    spec = net(unit={"repeat": 3, "inputs": ["x"], "blocks": {"a": "ReLU", "sum": {"type": "Sum", "from": ["a", "x"]}}})

    assert write(spec) == (
        "net:\n"
        "  blocks:\n"
        "    unit:\n"
        "      repeat: 3\n"
        "      inputs: [x]\n"
        "      blocks:\n"
        "        a: ReLU\n"
        "        sum: {type: Sum, from: [a, x]}\n"
    )


def test_long_values_go_over_several_lines() -> None:
    spec = net(a={"type": "Linear", "wide": list(range(40)), "items": [{"x": "y" * 60, "z": "w" * 60}, 1]})

    text = write(spec)

    assert text == (
        "net:\n"
        "  blocks:\n"
        "    a:\n"
        "      type: Linear\n"
        "      wide:\n" + "".join(f"        - {i}\n" for i in range(40)) + "      items:\n"
        f"        - x: {'y' * 60}\n"
        f"          z: {'w' * 60}\n"
        "        - 1\n"
    )
    assert read_text(text).net() == spec


def test_defaults_are_left_out() -> None:
    assert write(ExperimentSpec(net=NetSpec())) == "experiment: experiment\nnet: {}\n"
    spec = ExperimentSpec(net=NetSpec(), run=RunSpec(epochs=1, execution=ExecutionSpec()), rollout=2)  # type: ignore[arg-type]
    assert write(spec) == "experiment: experiment\nnet: {}\nrollout: 2\nrun: {epochs: 1, execution: {}}\n"


def test_plain_values_are_written_as_they_are() -> None:
    values = {"net": {"blocks": {"a": {"type": "ReLU"}}}, "run": {}, "observe": []}

    assert write(values) == "net:\n  blocks:\n    a: {type: ReLU}\nrun: {}\nobserve: []\n"
    assert write({}) == "{}\n"


def test_numbers_and_paths_of_python_are_plain_data() -> None:
    spec = TypedSpec(
        type="Arrays", arguments={"a": np.int64(3), "b": np.float32(0.5), "c": (1, 2), "d": PurePosixPath("x/y")}
    )

    assert write({"data": spec}) == "data: {type: Arrays, a: 3, b: 0.5, c: [1, 2], d: x/y}\n"


def test_what_is_no_data_is_refused_with_its_address() -> None:
    spec = net(a={"type": "Linear", "f": len, "g": [b"x"]}, b={"type": "Linear", "h": {1: 2}, "i": "\ud83d"})

    with pytest.raises(RequestError) as raised:
        write(spec)

    assert str(raised.value) == (
        "net/a.f: cannot be written to a document: it is no number, text, list or mapping "
        "(got <built-in function len>)\n"
        "net/a.g.0: cannot be written to a document: it is no number, text, list or mapping (got b'x')\n"
        "net/b.h: a key must be text (got 1)\n"
        "net/b.i: half of a surrogate pair cannot be written (got '\\ud83d')"
    )


def test_arguments_named_like_keys_of_a_block_are_refused() -> None:
    spec = NetSpec(blocks={"a": BlockSpec(type="Reshape", arguments={"shape": [2, 3], "repeat": 1})})

    with pytest.raises(RequestError) as raised:
        write(spec)

    assert str(raised.value) == (
        "net/a.repeat: an argument of this name cannot be written: the key means something else\n"
        "net/a.shape: an argument of this name cannot be written: the key means something else"
    )


def test_keys_have_a_limit_as_parsers_do() -> None:
    assert read_text(write({"net": {}, "x" * 1000: 1})).values["x" * 1000] == 1
    with pytest.raises(RequestError, match="a key has at most 1,000 characters"):
        write({"x" * 1001: 1})


def test_depth_has_a_limit() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]

    with pytest.raises(RequestError, match="more than 100 lists and mappings in each other"):
        write({"a": value})
