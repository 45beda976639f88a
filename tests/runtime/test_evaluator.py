"""Frames without learning: where a net and its inputs lie, and what they draw."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.rollout import Rollout
from rillnet.runtime.evaluator import Evaluator, find_device, lay_out
from rillnet.spec import ExecutionSpec
from tests.training.small_experiments import image_net, images

PLAIN = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")


def evaluator(net: rn.Net, execution: ExecutionSpec = PLAIN) -> Evaluator:
    lay_out(net, execution)
    return Evaluator(net, Rollout.sequential(net), execution=execution)


def test_frames_follow_each_other_through_the_state_that_is_handed_on() -> None:
    net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
    ours, state, totals = evaluator(net), None, []
    for index in range(3):
        sent, state = ours.look({"x": torch.ones(2, 1)}, ["total"], "test", index, state)
        totals.append(float(sent["total"][0]))
    assert totals == [1.0, 2.0, 3.0]
    assert float(ours.evaluate({"x": torch.ones(2, 1)}, ["total"], "test", 3)["total"][0]) == 1.0


def test_draws_are_of_the_phase_and_the_frame() -> None:
    net = rn.Net("noise", inputs={"x": (100,)}).add("drop", torch.nn.Dropout(0.5))
    ours = evaluator(net)

    def drawn(index: int) -> torch.Tensor:
        return ours.evaluate({"x": torch.ones(2, 100)}, ["drop"], "train", index)["drop"]

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_channels_last_lays_out_parameters_and_images() -> None:
    execution = PLAIN.model_copy(update={"memory_format": "channels_last"})
    net = rn.Net("c", inputs={"image": (3, 6, 6)}).add("conv", rn.Conv2d(out_channels=4, kernel_size=3))
    ours = evaluator(net, execution)
    assert ours.place({"image": torch.randn(2, 3, 6, 6)})["image"].is_contiguous(memory_format=torch.channels_last)
    assert net["conv"].weight.is_contiguous(memory_format=torch.channels_last)
    placed = ours.place({"image": torch.randn(2, 3, 6, 6)})
    assert ours.place(placed)["image"] is placed["image"]


def test_fields_that_are_no_inputs_are_left_behind() -> None:
    assert evaluator(image_net()).place({**images(2), "position": torch.arange(2)}).keys() == {"image", "label"}


def test_devices() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(RequestError) as error:
        find_device("abacus")
    assert str(error.value).startswith("run.device: is not available here: ")
    assert str(error.value).endswith("(got 'abacus'); rillnet doctor lists what is")


def test_a_program_is_made_once_and_known_again_until_it_is_forgotten() -> None:
    ours, asked = evaluator(image_net()), ("logits", "loss")
    first = ours.program("test", asked)

    assert ours.program("test", asked) is first
    assert ours.program("test", list(asked)) is first
    assert ours.program("val", asked) is not first
    assert ours.program("test", ("logits",)) is not first
    ours.forget_programs()
    assert ours.program("test", asked) is not first
