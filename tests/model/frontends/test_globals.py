"""Globals: values by name, and the expressions of a document that are computed from them."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read_text, write

NET = "net: {inputs: {x: [3]}, blocks: {a: {type: Linear, out_features: %s}}}\n"


def width(text: str, overrides: tuple[str, ...] = ()) -> Any:
    """The width of the net's only block."""
    return read_text(text, "x.yaml", overrides).net().blocks["a"].arguments["out_features"]


def message_of(text: str, overrides: tuple[str, ...] = ()) -> str:
    with pytest.raises(RequestError) as raised:
        read_text(text, "x.yaml", overrides).experiment()
    return str(raised.value)


def test_expressions_are_computed_wherever_a_value_stands() -> None:
    document = read_text(
        """
globals: {features: 16, wide: = 2 * features + 4, sizes: [= features, 7, 7], rule: SGD}
net:
  inputs: {x: [= features]}
  blocks:
    a: {type: Linear, out_features: = wide}
    b: {type: Pool, shape: = sizes, from: {source: a, via: Linear, out_features: = wide // 2}}
rollout: {delays: {"a->b": = 1 + 1}}
data: {source: {type: Digits, size: "= sizes[1]"}, batch_size: = 2 ** 5}
learning: {main: {type: Backprop, optimizer: {type: = rule, lr: = 1 / 8}}}
run: {epochs: "= max(3, 4)"}
"""
    )

    experiment = document.experiment()

    assert experiment.net.inputs["x"].shape == (16,)
    assert experiment.net.blocks["a"].arguments == {"out_features": 36}
    assert experiment.net.blocks["b"].shape == (16, 7, 7)
    assert experiment.net.blocks["b_a"].arguments == {"out_features": 18}
    assert experiment.rollout.delays == {"a->b": 2}
    assert experiment.data is not None
    assert (experiment.data.source.arguments, experiment.data.batch_size) == ({"size": 7}, 32)
    assert experiment.learning["main"].arguments["optimizer"] == {"type": "SGD", "lr": 0.125}
    assert experiment.run.epochs == 4
    assert "globals" not in document.values


def test_globals_may_stand_in_any_order() -> None:
    assert width("globals: {a: = b + 1, b: = c * 2, c: 3}\n" + NET % "= a") == 7


def test_a_long_chain_of_globals() -> None:
    chain = ", ".join(f"g{number}: = g{number + 1} + 1" for number in range(3000))

    assert width(f"globals: {{{chain}, g3000: 0}}\n" + NET % "= g0") == 3000


def test_text_that_begins_with_an_equals_sign_is_said_with_two() -> None:
    document = read_text("net: {blocks: {a: {type: Own, text: == b, more: ['==', ==== c]}}}")

    assert document.net().blocks["a"].arguments == {"text": "= b", "more": ["=", "=== c"]}
    assert read_text(write(document.net())).net() == document.net()


def test_overrides_compute_anew() -> None:
    text = "globals: {n: 2, wide: = 3 * n}\n" + NET % "= wide"

    assert width(text, ("globals.n=5",)) == 15
    assert width(text, ("globals.wide== n + 1",)) == 3
    assert width(text, ("net/a.out_features== n * 10",)) == 20
    assert width(NET % "3", ("globals.n=4", "net/a.out_features== n")) == 4


def test_a_base_gives_globals_that_the_document_changes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text("globals: {n: 2, wide: = 3 * n}\n" + NET % "= wide")

    assert width("extends: base.yaml\nglobals: {n: 5}\n") == 15


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "globals: {features: 16}\n" + NET % "= 2 * featurs",
            "net/a.out_features: unknown name 'featurs' in \"2 * featurs\"; did you mean 'features'?  [x.yaml:2]",
        ),
        (NET % "= n", "net/a.out_features: unknown name 'n' in \"n\"; there are no globals  [x.yaml:1]"),
        (
            "globals: {zebra: 1}\n" + NET % "= n",
            "net/a.out_features: unknown name 'n' in \"n\"; known: zebra  [x.yaml:2]",
        ),
        ("globals: {a: = 3 / 0}\n" + NET % "= a", 'globals.a: divides by zero in "3 / 0"  [x.yaml:1]'),
        (
            "globals:\n  a: = b\n  b: = c\n  c: = b\n" + NET % "= a",
            "globals.b: depends on itself: b -> c -> b  [x.yaml:3]",
        ),
        ("globals: {a: = a}\n" + NET % "3", "globals.a: depends on itself: a -> a  [x.yaml:1]"),
        (
            "globals: {a: {b: 3}}\n" + NET % "3",
            "globals.a: must be a number, a text, true, false or null, or a list of these (got {'b': 3})  [x.yaml:1]",
        ),
        (
            "globals: 3\n" + NET % "3",
            "globals: must be numbers, texts or lists by name, as in {features: 16} (got 3)  [x.yaml:1]",
        ),
        (
            "globals: {lambda: 3}\n" + NET % "3",
            "globals.lambda: must be letters, digits and _, not begin with a digit, and be no word such as if, true "
            "or lambda (got 'lambda')  [x.yaml:1]",
        ),
        (
            "globals: {n: 7}\n" + NET % "3" + "run: {epochs: = n / 2}\n",
            "run.epochs: must be a whole number (got 3.5)  [x.yaml:3]",
        ),
        (
            "globals: {n: 7}\n" + NET % "3" + "run: {epochs: n}\n",
            "run.epochs: must be a whole number (got 'n'); for its value write '= n'  [x.yaml:3]",
        ),
        (
            "globals: {n: 7}\n" + NET % "3" + "run: {epochs: 2 * n}\n",
            "run.epochs: must be a whole number (got '2 * n'); for its value write '= 2 * n'  [x.yaml:3]",
        ),
        (
            "globals: {n: [1, = 2 +]}\n" + NET % "'= n[0]'",
            'globals.n.1: cannot be read: invalid syntax in "2 +"  [x.yaml:1]',
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert message_of(text) == message


def test_all_faults_of_a_document_are_told_at_once() -> None:
    text = "globals: {a: = b, c: = 1 / 0}\nnet: {inputs: {x: 3}, blocks: {y: {type: Linear, n: = c, m: = d}}}\nrn: {}\n"

    assert message_of(text).splitlines() == [
        "globals.a: unknown name 'b' in \"b\"; known: a, c  [x.yaml:1]",
        'globals.c: divides by zero in "1 / 0"  [x.yaml:1]',
        "net.inputs.x: must be a shape such as [1, 28, 28], or a mapping with shape and dtype (got 3)  [x.yaml:2]",
        "net/y.m: unknown name 'd' in \"d\"; known: a, c  [x.yaml:2]",
        "rn: unknown key; did you mean 'run'?  [x.yaml:3]",
    ]


def test_a_fault_of_an_override_names_the_option() -> None:
    assert message_of("globals: {n: 2}\n" + NET % "= n", ("globals.n== m",)) == (
        "globals.n: unknown name 'm' in \"m\"; known: n  [--set globals.n== m]"
    )
