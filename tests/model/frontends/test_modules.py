"""Modules: blocks that are written once, and stand in a net wherever a block has their name as its type."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends import expansion
from rillnet.model.frontends.yaml import read_text, write
from rillnet.model.net import Net

MODULES = """\
globals: {base: 4}
modules:
  column:
    parameters: {features: = base, wide: = 2 * features}
    inputs: [x]
    blocks:
      lower: {type: Linear, out_features: = wide}
      upper: {type: Linear, out_features: = features}
    outputs: [lower, upper]
  pair:
    parameters: [features]
    inputs: [a, b]
    blocks:
      left: {type: column, from: a, features: = features + 1}
      right: {type: column, from: b}
      both: {type: Concat, from: ["left[1]", right]}
net:
  inputs: {x: [3], y: [3]}
  blocks:
"""


def blocks_of(text: str) -> dict[str, Any]:
    return dict(read_text(MODULES + text, "x.yaml").values["net"]["blocks"])


def net_of(text: str) -> Net:
    return Net.from_spec(read_text(MODULES + text, "x.yaml").net(), seed=0)


def message_of(text: str) -> str:
    with pytest.raises(RequestError) as raised:
        read_text(text, "x.yaml").experiment()
    return str(raised.value)


def test_an_instance_is_a_net_of_its_own() -> None:
    assert blocks_of("    c: {type: column, from: x, features: 5, exclude: [test]}\n") == {
        "c": {
            "from": "x",
            "exclude": ["test"],
            "inputs": ["x"],
            "blocks": {
                "lower": {"type": "Linear", "out_features": 10},
                "upper": {"type": "Linear", "out_features": 5},
            },
            "outputs": ["lower", "upper"],
        }
    }


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("    c: column\n", [8, 4]),
        ("    c: {type: column, features: 3}\n", [6, 3]),
        ("    c: {type: column, wide: 1}\n", [1, 4]),
        ("    c: {type: column, features: = base - 1, wide: = base}\n", [4, 3]),
    ],
)
def test_parameters_given_and_left_out(text: str, widths: list[int]) -> None:
    blocks = blocks_of(text)["c"]["blocks"]

    assert [block["out_features"] for block in blocks.values()] == widths


def test_instances_nest_and_build() -> None:
    net = net_of("    p: {type: pair, from: [x, y], features: 2}\n    q: {type: column, repeat: 2}\n")

    shapes = {name: tuple(block.weight.shape) for name, block in net.leaves() if hasattr(block, "weight")}

    assert shapes["p/left/lower"] == (6, 3)
    assert shapes["p/left/upper"] == (3, 6)
    assert shapes["p/right/lower"] == (8, 3)
    assert shapes["q/2/upper"] == (4, 8)


def test_what_is_written_again_has_everything_in_place() -> None:
    document = read_text(MODULES + "    p: {type: pair, from: [x, y], features: 2}\n")

    text = write(document.net())

    assert read_text(text).net() == document.net()
    assert (
        Net.from_spec(read_text(text).net(), seed=0).to_spec()
        == net_of("    p: {type: pair, from: [x, y], features: 2}\n").to_spec()
    )
    assert "column" not in text
    assert "=" not in text


def test_a_module_without_inputs_reads_nothing() -> None:
    text = "modules: {clock: {inputs: [], blocks: {tick: {type: Pool, shape: [1], from: tick@-1}}}}\n"
    document = read_text(text + "net: {inputs: {x: [3]}, blocks: {c: clock}}")

    net = Net.from_spec(document.net(), seed=0)

    assert document.values["net"]["blocks"]["c"]["from"] == []
    assert net.infer_shapes()["c"].shape == (1,)  # type: ignore[union-attr]


def test_a_module_without_a_name_for_its_input() -> None:
    document = read_text(
        "modules: {act: {blocks: {r: ReLU}}}\nnet: {inputs: {x: [3]}, blocks: {a: act, b: {type: act}}}"
    )

    assert list(Net.from_spec(document.net(), seed=0).infer_shapes()) == ["x", "a", "b"]


def test_types_may_be_parameters() -> None:
    text = "modules: {act: {blocks: {r: ReLU}}, m: {parameters: {cell: LSTMCell, inner: act}, "
    text += "blocks: {c: {type: = cell, hidden_size: 3}, r: = inner}}}\n"
    text += "net: {inputs: {x: [3]}, blocks: {a: {type: m, cell: GRUCell}}}"

    blocks = read_text(text).values["net"]["blocks"]["a"]["blocks"]

    assert blocks["c"]["type"] == "GRUCell"
    assert blocks["r"] == {"blocks": {"r": "ReLU"}}


def test_a_source_may_pass_through_an_instance() -> None:
    net = net_of("    s: {type: Pool, shape: [8], from: [{source: x, via: column}, {source: y, via: column}]}\n")

    assert list(net.blocks) == ["s_x", "s_y", "s"]
    assert list(net["s_x"].blocks) == ["lower", "upper"]  # type: ignore[arg-type]


def test_an_instance_may_change_single_blocks() -> None:
    changes = "{lower: {bias: false}, upper: {type: Bilinear}, more: {type: Linear, out_features: = wide}}"
    blocks = blocks_of(f"    c: {{type: column, from: x, blocks: {changes}}}\n")["c"]["blocks"]

    assert blocks["lower"] == {"type": "Linear", "out_features": 8, "bias": False}
    assert blocks["upper"] == {"type": "Bilinear", "out_features": 4}
    assert blocks["more"] == {"type": "Linear", "out_features": 8}


def test_overrides_reach_into_instances_and_modules() -> None:
    text = MODULES + "    c: {type: column, from: x}\n    d: column\n"

    def widths(*overrides: str) -> list[int]:
        blocks = read_text(text, "x.yaml", overrides).values["net"]["blocks"]
        return [blocks[name]["blocks"]["lower"]["out_features"] for name in "cd"]

    assert widths() == [8, 8]
    assert widths("net/c.features=5") == [10, 8]
    assert widths("net/c/lower.out_features== features") == [4, 8]
    assert widths("net/d/lower.out_features=3") == [8, 3]
    assert widths("globals.base=6") == [12, 12]
    assert widths("modules.column.parameters.wide=1") == [1, 1]


def test_tags_work_in_modules_and_on_instances() -> None:
    text = "globals: {p: 0.5}\ntags: {half: {p: = p}, big: {n: 7}}\n"
    text += "modules: {m: {parameters: {n: 1}, "
    text += "blocks: {d: {type: Dropout, tags: half}, l: {type: Linear, out_features: = n}}}}\n"
    block = read_text(text + "net: {blocks: {a: {type: m, tags: big}}}").values["net"]["blocks"]["a"]

    assert block["tags"] == ["big"]
    dropout = {"type": "Dropout", "p": 0.5, "tags": ["half"]}
    assert block["blocks"] == {"d": dropout, "l": {"type": "Linear", "out_features": 7}}


def test_a_fault_of_a_module_is_told_with_the_instance_and_the_place_of_the_module() -> None:
    document = read_text(MODULES.replace("= wide}", "-3}") + "    c: {type: column, from: x}\n", "x.yaml")

    with pytest.raises(RequestError) as raised:
        Net.from_spec(document.net(), seed=0)

    assert [str(fault) for fault in document.located(raised.value.faults)] == [
        "net/c/lower.out_features: must be at least 1 (got -3)  [x.yaml:7]"
    ]


def test_a_module_without_instances_is_noted() -> None:
    document = read_text(MODULES + "    a: {type: Linear, out_features: 3}\n", "x.yaml")

    assert list(map(str, document.notes)) == [
        "modules.column: has no instance: no block is of type column; "
        "write a block {type: column}, or take the module away  [x.yaml:3]",
        "modules.pair: has no instance: no block is of type pair; "
        "write a block {type: pair}, or take the module away  [x.yaml:10]",
    ]
    assert read_text(MODULES + "    a: {type: pair, from: [x, y], features: 3}\n").notes == []


BODY = "    a: {type: Linear, from: x, out_features: 3}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            MODULES + "    c: {type: column, from: x, featres: 3}\n",
            "net/c.featres: module 'column' has no such parameter; did you mean 'features'?  [x.yaml:20]",
        ),
        (
            MODULES + "    c: {type: column, from: x, inputs: [x]}\n",
            "net/c.inputs: module 'column' has no such parameter; "
            "known: features, wide, from, repeat, exclude, blocks  [x.yaml:20]",
        ),
        (MODULES + "    c: {type: pair, from: [x, y]}\n", "net/c.features: is required by module 'pair'  [x.yaml:20]"),
        (
            MODULES + "    c: {type: pair, features: 3}\n",
            "net/c.from: is required: module 'pair' reads 2 sources (a, b)  [x.yaml:20]",
        ),
        (
            MODULES + "    c: {type: column, from: [x, y]}\n",
            "net/c.from: module 'column' reads 1 source (x), and 2 are given (got ['x', 'y'])  [x.yaml:20]",
        ),
        (
            MODULES.replace("type: Linear, out_features: = wide", "type: column") + "    c: {type: column, from: x}\n",
            "net/c/lower.type: the module contains itself: column -> column (got 'column')  [x.yaml:7]",
        ),
        (
            MODULES.replace("type: Linear, out_features: = wide", "type: pair") + "    c: {type: column, from: x}\n",
            "net/c/lower.from: is required: module 'pair' reads 2 sources (a, b)  [x.yaml:7]\n"
            "net/c/lower.features: is required by module 'pair'  [x.yaml:7]\n"
            "net/c/lower/left.type: the module contains itself: column -> pair -> column (got 'column')  [x.yaml:14]\n"
            "net/c/lower/right.type: the module contains itself: column -> pair -> column (got 'column')  [x.yaml:15]",
        ),
        (
            MODULES.replace("= wide}", "= wide * featurs}") + "    c: {type: column, from: x}\n    d: column\n",
            "net/c/lower.out_features: unknown name 'featurs' in \"wide * featurs\"; "
            "did you mean 'features'?  [x.yaml:7]",
        ),
        (
            MODULES.replace("  column:", "  ReLU:") + BODY,
            "modules.ReLU: a module's name is letters, digits and _, and begins with a small letter; "
            "types begin with a capital (got 'ReLU')  [x.yaml:3]",
        ),
        (
            MODULES.replace("  pair:", "  column:") + BODY,
            "modules.column: is given twice, first on line 3  [x.yaml:10]",
        ),
        (
            MODULES.replace("outputs:", "output:") + BODY,
            "modules.column.output: unknown key; did you mean 'outputs'?  [x.yaml:9]",
        ),
        (
            MODULES.replace("features: = base", "type: = base") + BODY,
            "modules.column.parameters.type: cannot be called 'type': every block has a key of this name (got 'type')  "
            "[x.yaml:4]",
        ),
        (
            MODULES.replace("wide: = 2 * features", "wide: = 2 * later, later: 3") + "    c: {type: column, from: x}\n",
            "modules.column.parameters.wide: unknown name 'later' in \"2 * later\"; known: features, base  [x.yaml:4]",
        ),
        (
            "modules: {m: {inputs: x}}\nnet: {inputs: {x: [3]}, blocks: {a: m}}",
            "modules.m.blocks: is required  [x.yaml:1]",
        ),
        (
            "modules: {m: {blocks: {}}}\nnet: {inputs: {x: [3]}, blocks: {a: m}}",
            "modules.m.blocks: must have at least 1 items (got {})  [x.yaml:1]",
        ),
        (
            "modules: {m: ReLU}\nnet: {inputs: {x: [3]}, blocks: {a: m}}",
            "modules.m: must be a mapping (got 'ReLU')  [x.yaml:1]",
        ),
        (
            "modules: [m]\nnet: {inputs: {x: [3]}, blocks: {a: m}}",
            "modules: must be modules by name, as in {column: {blocks: ...}} (got ['m'])  [x.yaml:1]",
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert message_of(text) == message


def test_a_misspelt_module_is_an_unknown_type_with_the_right_name() -> None:
    document = read_text(MODULES + "    c: {type: colum, from: x}\n", "x.yaml")

    with pytest.raises(RequestError) as raised:
        Net.from_spec(document.net(), seed=0)

    assert [str(fault) for fault in document.located(raised.value.faults)] == [
        "net/c.type: unknown block type (got 'colum'); did you mean 'column'?  [x.yaml:20]"
    ]


def test_a_name_that_stands_for_its_value_is_explained() -> None:
    document = read_text(MODULES.replace("= wide}", "2 * wide}") + "    c: {type: column, from: x}\n", "x.yaml")

    with pytest.raises(RequestError) as raised:
        Net.from_spec(document.net(), seed=0)

    assert [str(fault) for fault in document.located(raised.value.faults)] == [
        "net/c/lower.out_features: must be a whole number (got '2 * wide'); "
        "for its value write '= 2 * wide'  [x.yaml:7]"
    ]


def test_modules_do_not_blow_a_document_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "LARGEST_EXPANSION", 2_000)
    inner = ", ".join(f"b{number}: m%d" for number in range(10))
    levels = ", ".join(f"m{level}: {{blocks: {{{inner.replace('%d', str(level + 1))}}}}}" for level in range(8))
    text = f"modules: {{{levels}, m8: {{blocks: {{r: ReLU}}}}}}\nnet: {{inputs: {{x: [3]}}, blocks: {{a: m0}}}}"

    assert (
        message_of(text) == "net/a/b0/b0/b0/b0/b0/b6.type: modules make more than 2,000 values (got 'm6')  [x.yaml:1]"
    )


def test_modules_in_each_other_have_a_limit() -> None:
    levels = ", ".join(f"m{level}: {{blocks: {{a: m{level + 1}}}}}" for level in range(30))
    text = f"modules: {{{levels}, m30: {{blocks: {{r: ReLU}}}}}}\nnet: {{inputs: {{x: [3]}}, blocks: {{a: m0}}}}"

    assert "more than 20 modules in each other (got 'm20')" in message_of(text)
