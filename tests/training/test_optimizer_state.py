"""State of optimisers by address: names, JSON, layouts, misfits."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn import Parameter

from rillnet.errors import CheckpointError
from rillnet.training.optimizer_state import laid_out_as
from rillnet.training.optimizers import Optimizer
from rillnet.training.rates import Progress, Step


class Lion(torch.optim.Optimizer):
    """A foreign optimiser that keeps a plain number and, if asked to, a word."""

    def __init__(self, params: object, lr: float = 0.1, word: bool = False) -> None:
        super().__init__(params, {"lr": lr, "word": word})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["count"] = state.get("count", 0) + 1
                if group["word"]:
                    state["mood"] = "good"
                parameter -= group["lr"] / state["count"] * parameter.grad.sign()


LION = f"{__name__}:Lion"


def two(shape: tuple[int, ...] = (4, 3, 2, 2)) -> dict[str, Parameter]:
    generator = torch.Generator().manual_seed(5)
    return {
        "net/a/weight": Parameter(torch.randn(shape, generator=generator)),
        "net/b/bias": Parameter(torch.randn(4, generator=generator)),
    }


def step(optimizer: Optimizer, number: int, only: str = "") -> None:
    for address, parameter in optimizer.parameters.items():
        generator = torch.Generator().manual_seed(number)
        gradient = torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.empty_like(parameter).copy_(gradient) if only in address else None
    optimizer.step()


def test_tensors_are_named_by_address_and_state() -> None:
    optimizer = Optimizer("Adam", two())
    assert optimizer.state_tensors() == {}
    step(optimizer, 1)
    assert sorted(optimizer.state_tensors()) == [
        "net/a/weight#exp_avg",
        "net/a/weight#exp_avg_sq",
        "net/a/weight#step",
        "net/b/bias#exp_avg",
        "net/b/bias#exp_avg_sq",
        "net/b/bias#step",
    ]
    assert optimizer.state_tensors()["net/a/weight#step"].shape == ()


def test_values_are_json_and_say_what_there_is() -> None:
    optimizer = Optimizer({"type": "AdamW", "lr": 0.1, "betas": [0.8, 0.9]}, two(), factors={"*.bias": {"rate": 2}})
    step(optimizer, 1, only="a/")
    (part,) = json.loads(json.dumps(optimizer.state_values()))["parts"]
    assert part["type"] == "AdamW"
    assert part["base"] == 0.1
    assert [(group["lr"], group["betas"]) for group in part["groups"]] == [(0.1, [0.8, 0.9]), (0.2, [0.8, 0.9])]
    assert part["state"] == ["exp_avg", "exp_avg_sq", "step"]
    assert part["without"] == ["net/b/bias"]


def test_hyperparameters_and_rates_come_back() -> None:
    saved = Optimizer({"type": "Adam", "lr": 0.4, "betas": [0.8, 0.9]}, two())
    saved.set_base(0.2)
    saved.set_rate(Step(every=1, factor=0.5), Progress(1, 0.1, None, 10))
    loaded = Optimizer("Adam", two())
    loaded.load_state(saved.state_tensors(), json.loads(json.dumps(saved.state_values())))
    assert (loaded.bases(), loaded.rates()) == ({"*": 0.2}, {"*": 0.1})
    assert loaded.param_groups[0]["betas"] == (0.8, 0.9)
    assert loaded.param_groups[0]["lr"] == 0.1


def test_loaded_tensors_are_copies() -> None:
    saved, loaded = Optimizer("Adam", two()), Optimizer("Adam", two())
    step(saved, 1)
    loaded.load_state(saved.state_tensors(), saved.state_values())
    ours, theirs = loaded.state_tensors(), saved.state_tensors()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert all(ours[name].data_ptr() != theirs[name].data_ptr() for name in theirs)


def test_a_parameter_that_had_no_step_has_none_after_loading() -> None:
    saved, loaded = Optimizer("Adam", two()), Optimizer("Adam", two())
    step(saved, 1, only="a/")
    step(loaded, 1)
    loaded.load_state(saved.state_tensors(), saved.state_values())
    assert {name.partition("#")[0] for name in loaded.state_tensors()} == {"net/a/weight"}


@pytest.mark.parametrize("implementation", ["single", "foreach", "fused"])
def test_a_file_without_layouts_is_laid_out_as_the_parameters_are(implementation: str) -> None:
    def channels_last() -> dict[str, Parameter]:
        parameters = two()
        weight = parameters["net/a/weight"]
        weight.data = weight.data.to(memory_format=torch.channels_last)
        return parameters

    whole = Optimizer("Adam", channels_last(), implementation=implementation)  # type: ignore[arg-type]
    for number in range(4):
        step(whole, number)
    as_in_a_file = {
        name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in whole.state_tensors().items()
    }
    resumed = Optimizer("Adam", channels_last(), implementation=implementation)  # type: ignore[arg-type]
    for address, parameter in whole.parameters.items():
        resumed.parameters[address].data.copy_(parameter.data)
    resumed.load_state(as_in_a_file, whole.state_values())
    for number in range(4, 8):
        step(whole, number)
        step(resumed, number)
    for address, parameter in whole.parameters.items():
        assert torch.equal(resumed.parameters[address], parameter)


def test_counters_keep_their_element_type() -> None:
    def doubles() -> dict[str, Parameter]:
        return {name: Parameter(value.detach().double()) for name, value in two().items()}

    saved, loaded = Optimizer("NAdam", doubles()), Optimizer("NAdam", doubles())
    step(saved, 1)
    loaded.load_state(saved.state_tensors(), saved.state_values())
    dtypes = {name: tensor.dtype for name, tensor in saved.state_tensors().items()}
    assert {name: tensor.dtype for name, tensor in loaded.state_tensors().items()} == dtypes
    assert dtypes["net/a/weight#mu_product"] == torch.float32


def test_state_of_single_is_taken_up_by_fused() -> None:
    saved, loaded = Optimizer("Adam", two(), implementation="single"), Optimizer("Adam", two(), implementation="fused")
    for number in range(3):
        step(saved, number)
    for address, parameter in saved.parameters.items():
        loaded.parameters[address].data.copy_(parameter.data)
    loaded.load_state(saved.state_tensors(), saved.state_values())
    step(saved, 3)
    step(loaded, 3)
    assert loaded.param_groups[0]["fused"]
    for address, parameter in saved.parameters.items():
        torch.testing.assert_close(loaded.parameters[address], parameter)


def test_plain_numbers_of_foreign_optimizers_are_kept() -> None:
    saved, loaded = Optimizer(LION, two()), Optimizer(LION, two())
    for number in range(3):
        step(saved, number)
    values = json.loads(json.dumps(saved.state_values()))
    assert values["parts"][0]["numbers"] == {"net/a/weight#count": 3, "net/b/bias#count": 3}
    loaded.load_state(saved.state_tensors(), values)
    assert loaded.state_values() == saved.state_values()


def test_what_cannot_be_saved_is_told() -> None:
    optimizer = Optimizer({"type": LION, "word": True}, two())
    step(optimizer, 1)
    with pytest.raises(CheckpointError) as error:
        optimizer.state_values()
    assert str(error.value) == (
        f"the state 'mood' of net/a/weight cannot be saved: {LION} keeps it as str, not as a tensor or a number"
    )


def test_misfits_are_named_and_nothing_is_loaded() -> None:
    saved, loaded = Optimizer("Adam", two()), Optimizer("Adam", two((4, 3)))
    step(saved, 1)
    step(loaded, 2)
    before = {name: tensor.clone() for name, tensor in loaded.state_tensors().items()}
    tensors = dict(saved.state_tensors())
    del tensors["net/b/bias#exp_avg"], tensors["net/b/bias#step"]
    tensors["net/c/weight#step"] = torch.tensor(1.0)
    with pytest.raises(CheckpointError) as error:
        loaded.load_state(tensors, saved.state_values())
    assert str(error.value) == (
        "the saved state of the optimizer does not fit: no exp_avg, step of net/b/bias; "
        "net/a/weight#exp_avg has shape [4, 3, 2, 2], not [4, 3]; "
        "net/a/weight#exp_avg_sq has shape [4, 3, 2, 2], not [4, 3]; unknown net/c/weight#step"
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.state_tensors().items())


@pytest.mark.parametrize(
    ("specs", "factors", "problem"),
    [
        ("SGD", None, "it is of Adam, not of SGD"),
        ("Adam", {"*.bias": {"rate": 2}}, "it has 1 groups of factors, not 2"),
        ([{"type": "Adam", "of": "a"}, "Adam"], None, "it has 1 parts, not 2"),
    ],
)
def test_another_optimizer_does_not_fit(
    specs: object, factors: dict[str, dict[str, float]] | None, problem: str
) -> None:
    saved, other = Optimizer("Adam", two()), Optimizer(specs, two(), factors=factors)
    with pytest.raises(CheckpointError) as error:
        other.load_state(saved.state_tensors(), saved.state_values())
    assert str(error.value) == f"the saved state of the optimizer does not fit: {problem}"


def test_a_value_takes_the_layout_of_its_parameter() -> None:
    parameter = Parameter(torch.zeros(4, 3, 2, 2).to(memory_format=torch.channels_last))
    value, scalar = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1)), torch.tensor(1.0)
    laid_out = laid_out_as(parameter, value)
    assert laid_out.stride() == parameter.stride()
    assert not laid_out.requires_grad
    assert torch.equal(laid_out, value)
    assert laid_out_as(parameter, scalar) is scalar
