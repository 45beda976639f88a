"""What a document may say of optimisers."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.training.optimizer_family import OPTIMIZERS, check_factors, check_optimizer, read_parts
from rillnet.training.rates import Cosine

PLACE = "learning/main.optimizer"


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ("SDG", [".type: unknown optimizer (got 'SDG'); did you mean 'SGD'?"]),
        ({"lr": 0.1}, [".type: is required"]),
        (3, [": must be a mapping with a type (got 3)"]),
        ([], [": must have at least one optimizer (got [])"]),
        ({"type": "SGD", "lr": -1}, [".lr: must be at least 0 (got -1)"]),
        ({"type": "SGD", "lr": "0.1"}, [".lr: must be a number (got '0.1')"]),
        ({"type": "SGD", "lr": float("nan")}, [".lr: must be a number (got nan)"]),
        ({"type": "SGD", "lr": True}, [".lr: must be a number (got True)"]),
        (
            {"type": "SGD", "lr": -1, "momentum": -0.1, "weight_decay": -2},
            [
                ".lr: must be at least 0 (got -1)",
                ".momentum: must be at least 0 (got -0.1)",
                ".weight_decay: must be at least 0 (got -2)",
            ],
        ),
        ({"type": "SGD", "momentun": 0.9}, [".momentun: unknown key; did you mean 'momentum'?"]),
        ({"type": "SGD", "max_nrom": 3}, [".max_nrom: unknown key; did you mean 'max_norm'?"]),
        (
            {"type": "Momentum", "zebra": 3},
            [".zebra: unknown key; known: lr, momentum, weight_decay, of, rate, l1, max_norm"],
        ),
        (
            {"type": "Momentum", "lambd": -3},
            [".lambd: unknown key; known: " + "lr, momentum, weight_decay, of, rate, l1, max_norm"],
        ),
        ({"type": "Adam", "fused": True}, [".fused: unknown key; run.execution says how a step is executed"]),
        ({"type": "Adam", "betas": 0.9}, [".betas: must be a list of two numbers (got 0.9)"]),
        (
            {"type": "Adam", "betas": [0.9, 1.0]},
            [".betas: must be from 0 to less than 1, both of them (got [0.9, 1.0])"],
        ),
        ({"type": "Adam", "eps": 0}, [".eps: must be more than 0 (got 0)"]),
        ({"type": "Adam", "amsgrad": "perhaps"}, [".amsgrad: must be true or false (got 'perhaps')"]),
        ({"type": "Adadelta", "rho": 2}, [".rho: must be a number from 0 to 1 (got 2)"]),
        (
            {"type": "Rprop", "etas": [1.2, 0.5]},
            [".etas: must be one number between 0 and 1 and one above 1 (got [1.2, 0.5])"],
        ),
        ({"type": "Rprop", "step_sizes": [0, 1]}, [".step_sizes: must be above 0 and in ascending order (got [0, 1])"]),
        ({"type": "Adafactor", "eps": [None, 0]}, [".eps: must be a list of two numbers above 0 (got [None, 0])"]),
        ({"type": "SGD", "nesterov": True}, [".momentum: must be more than 0 for Nesterov's momentum (got 0)"]),
        (
            {"type": "SGD", "nesterov": True, "momentum": 0.9, "dampening": 0.1},
            [".dampening: must be 0 for Nesterov's momentum (got 0.1)"],
        ),
        ({"type": "Nesterov", "momentum": 0}, [".momentum: must be more than 0 for Nesterov's momentum (got 0)"]),
        ({"type": "SGD", "l1": -1}, [".l1: must be at least 0 (got -1)"]),
        ({"type": "SGD", "max_norm": 0}, [".max_norm: must be more than 0 (got 0)"]),
        ({"type": "SGD", "of": 3}, ['.of: must be a glob or a list of globs, such as "conv*" (got 3)']),
        ({"type": "SGD", "rate": "Cosin"}, [".rate.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?"]),
        (
            [{"type": "SGD", "of": "conv*"}, {"type": "SGD", "lr": -1}, "Adam"],
            ["[1].lr: must be at least 0 (got -1)", "[2].of: is required, as only one part can take the rest"],
        ),
    ],
)
def test_faults(spec: object, messages: list[str]) -> None:
    expected = [PLACE + message for message in messages]
    assert [str(fault) for fault in check_optimizer(spec, PLACE)] == expected
    with pytest.raises(RequestError) as error:
        read_parts(spec, PLACE)
    assert str(error.value).splitlines() == expected


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_bare_name_has_no_fault(name: str) -> None:
    assert check_optimizer(name, PLACE) == []


def test_parts_of_a_document() -> None:
    first, second = read_parts(
        [
            {"type": "SGD", "of": ["conv*", "*.bias"], "lr": 0.1, "l1": 1e-4, "max_norm": 3, "rate": "Cosine"},
            {"type": "Adam", "betas": [0.5, 0.9]},
        ],
        PLACE,
    )
    assert first.spec.arguments == {"lr": 0.1}
    assert (first.of, first.l1, first.max_norm, first.rate) == (("conv*", "*.bias"), 1e-4, 3, Cosine())
    assert (first.label, second.label) == ("conv*, *.bias", "*")
    assert second.spec.arguments == {"betas": (0.5, 0.9)}
    assert (first.address, second.address) == (f"{PLACE}[0]", f"{PLACE}[1]")


def test_an_optimizer_of_an_import_path_is_checked_by_its_signature() -> None:
    messages = [str(fault) for fault in check_optimizer({"type": "torch.optim:SGD", "lr": -1, "momentun": 1}, "o")]
    assert messages == ["o.momentun: unknown key; did you mean 'momentum'?", "o.lr: must be at least 0 (got -1)"]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (2, "main.factors: must be a mapping from globs to {rate: ..., decay: ...} (got 2)"),
        ({"*.bias": 2}, "main.factors['*.bias']: must be a mapping of rate and decay (got 2)"),
        ({"*.bias": {"rate": -1}}, "main.factors['*.bias'].rate: must be at least 0 (got -1)"),
        ({"*.bias": {"decy": 0}}, "main.factors['*.bias'].decy: unknown key; did you mean 'decay'?"),
        ({"*.bias": {"zebra": 0}}, "main.factors['*.bias'].zebra: unknown key; known: rate, decay"),
    ],
)
def test_faults_of_factors(factors: object, message: str) -> None:
    assert [str(fault) for fault in check_factors(factors, "main.factors")] == [message]


def test_no_factors_have_no_fault() -> None:
    assert check_factors(None, "main.factors") == check_factors({"*": {"rate": 2.0, "decay": 0}}, "main.factors") == []
