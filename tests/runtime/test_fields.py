"""What is sent to a net against what it takes."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.runtime.fields import as_inputs, check_fields, check_sequences

KINDS = {"image": ((1, 6, 6), torch.float32), "label": ((), torch.int64)}


def net() -> rn.Net:
    made = rn.Net("n", inputs={"image": (1, 6, 6), "label": rn.Scalar("int64")})
    made.add("flat", rn.Flatten(), source="image").add("logits", rn.Linear(out_features=2))
    return made.add("loss", rn.CrossEntropy(), source=["logits", "label"], exclude="test")


def test_fields_that_fit_have_no_faults() -> None:
    assert check_fields(net(), {**KINDS, "position": ((), torch.int64)}, "train") == []
    assert check_fields(net(), {**KINDS, "label": ((), torch.int32)}, "train") == []


def test_every_fault_is_told() -> None:
    sent = {"image": ((3, 6, 6), torch.float32), "labels": ((), torch.int64)}
    assert [str(fault) for fault in check_fields(net(), sent, "train")] == [
        "net.inputs.image: the data sends [3, 6, 6], the net takes [1, 6, 6]",
        "net.inputs.label: the data sends no field 'label'; did you mean 'labels'?",
    ]
    sent = {"image": ((1, 6, 6), torch.uint8), "label": ((), torch.float32)}
    assert [str(fault) for fault in check_fields(net(), sent, "val")] == [
        "net.inputs.image.dtype: the data sends uint8, the net takes float32",
        "net.inputs.label.dtype: the data sends float32, the net takes int64",
    ]


def test_what_no_block_of_the_phase_reads_may_be_absent() -> None:
    assert check_fields(net(), {"image": KINDS["image"]}, "test") == []
    assert len(check_fields(net(), {"image": KINDS["image"]}, "val")) == 1


def test_what_is_handed_in_becomes_tensors_of_the_nets_types() -> None:
    given = {"image": torch.zeros(2, 1, 6, 6, dtype=torch.float64), "label": [1, 0]}
    assert {name: value.dtype for name, value in as_inputs(net(), given).items()} == {
        "image": torch.float32,
        "label": torch.int64,
    }
    assert as_inputs(net(), given, double=True)["image"].dtype == torch.float64


@pytest.mark.parametrize(
    ("inputs", "reset", "has_state", "addresses"),
    [
        (("x", "mask"), "begins", True, []),
        (("x", "ends"), "begins", True, []),
        (("x", "mask"), None, False, []),
        (("x",), "begins", True, ["net.inputs"]),
        (("x",), None, True, ["net.inputs", "run.reset"]),
    ],
)
def test_sequences_ask_for_a_mask_and_a_reset(
    inputs: tuple[str, ...], reset: str | None, has_state: bool, addresses: list[str]
) -> None:
    net = rn.Net("n", inputs=dict.fromkeys(inputs, (1,)))
    sent = dict.fromkeys(("x", "begins", "ends", "mask"), ((), torch.bool))

    assert [fault.address for fault in check_sequences(net, sent, reset, has_state)] == addresses
    assert check_sequences(net, {"x": ((), torch.bool)}, None, True) == []
