"""Where numbers cease to be finite, in so many words."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.errors import RunError
from rillnet.runtime.health import check_parameters, first_nonfinite, kept_by, loss_error
from rillnet.runtime.session import Session
from tests.training.small_experiments import differing, experiment, image_net, images, state_of

ADVICE = "lower the learning rate, clip the gradient, or look at the data; no checkpoint was saved before"


class Logarithm(nn.Module):
    """log(-1) of everything."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(x * 0 - 1)


def spoiled(**parts: Any) -> Session:
    session = Session(experiment(run={"execution": "eager"}, **parts), record=False)
    for _ in range(3):
        session.learn()
    return session


def test_data_are_looked_at_first() -> None:
    class Bad:
        """The fifth batch of every epoch holds an infinity."""

        def __iter__(self) -> Any:
            given = images()
            given["image"][17, 0, 2, 2] = math.inf
            return iter([{"image": i, "label": n} for i, n in zip(*given.values(), strict=True)])

        def __len__(self) -> int:
            return 22

    with (
        Session(experiment(data={"source": Bad(), "batch_size": 4}), record=False) as session,
        pytest.raises(RunError) as error,
    ):
        session.run(epochs=2)
    assert str(error.value) == (
        "learning/main: its change of net/conv/weight holds NaN or infinity in frame 5: the data send NaN or infinity "
        f"as 'image' in batch 5 of epoch 1; it was not applied; {ADVICE}"
    )


def fill(session: Session, address: str, value: float) -> None:
    """Sets what no command would."""
    session.net.state_by_address()[address].detach().fill_(value)


def test_then_parameters() -> None:
    session = spoiled()
    fill(session, "net/logits/bias", math.nan)
    fill(session, "net/norm/running_mean", math.nan)  # of no consequence in training
    said = "the first block to send NaN or infinity is net/logits, and net/logits/bias holds it"
    assert first_nonfinite(session, 3) == said


def test_of_many_parameters_the_first_is_named() -> None:
    session = spoiled()
    for address in ("net/conv/weight", "net/norm/bias", "net/logits/weight"):
        fill(session, address, math.inf)
    said = "the first block to send NaN or infinity is net/conv, and net/conv/weight and 2 more hold it"
    assert first_nonfinite(session, 3) == said


def test_what_is_safe_is_told(tmp_path: Path) -> None:
    with Session(experiment(run={"execution": "eager"}), root=tmp_path, say=lambda text: None) as session:
        assert kept_by(session.open_record) == kept_by(session.record) == "no checkpoint was saved before"
        session.step()
        session.checkpoint()
        assert kept_by(session.record) == "checkpoint step-0000000001 is intact"


def test_then_blocks_in_the_order_of_a_frame() -> None:
    session = spoiled()
    session.net._modules["norm"] = Logarithm()
    assert first_nonfinite(session, 2) == "the first block to send NaN or infinity is net/norm"


def test_blocks_of_nested_nets_are_named_by_path() -> None:
    inner = rn.Net("inner", inputs={"x": (3, 4, 4)}).add("log", Logarithm()).add("relu", rn.ReLU())
    session = Session(experiment(net=image_net(deep=inner), run={"execution": "eager"}), record=False)
    assert first_nonfinite(session, 1) == "the first block to send NaN or infinity is net/deep/log"


def test_what_has_passed_is_told() -> None:
    session = spoiled()
    state, position = state_of(session), session.feed.state()
    said = "with the parameters of now, all that its batch makes is finite"
    assert first_nonfinite(session, 3) == said
    error = loss_error(session, "loss", math.inf, 3)
    assert str(error) == f"net/loss: is inf in step 3: {said}; {ADVICE}"
    assert error.exit_code == 4
    assert session.feed.state() == position
    assert {address.rpartition("/")[0] for address in differing(state, state_of(session))} <= {"net/norm"}


@pytest.mark.parametrize(
    ("values", "is_bad"),
    [([1.0, 2.0], False), ([1.0, math.nan], True), ([math.inf, -math.inf], True), ([3e38, 3e38], False)],
)
def test_parameters_are_checked(values: list[float], is_bad: bool) -> None:
    parameters = {"net/a/weight": torch.zeros(3), "net/b/weight": torch.tensor(values)}
    check: Callable[[], None] = lambda: check_parameters(parameters, 7, "no checkpoint was saved before")  # noqa: E731
    if not is_bad:
        check()
        return
    with pytest.raises(RunError) as error:
        check()
    assert str(error.value) == f"net/b/weight: holds NaN or infinity after step 7, which is not saved; {ADVICE}"


def test_no_parameters_are_healthy() -> None:
    check_parameters({}, 1, "")
    check_parameters({"net/a/count": torch.zeros(2, dtype=torch.int64)}, 1, "")


class Large(nn.Module):
    """What it reads times ten thousand million: infinite in the fourth turn."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1e10 * x


@pytest.mark.parametrize(
    ("rollout", "frame", "where"), [("sequential", 5, "net/back;"), ("streaming", 6, "net/grow, 1 frame before;")]
)
def test_what_an_earlier_frame_left_counts(rollout: str, frame: int, where: str) -> None:
    net = rn.Net("growing", inputs={"x": (1,)}, seed=1).add("back", Large(), source="grow@-1")
    net.add("grow", rn.Sum(), source=["x", "back"])
    net.add("fit", rn.Linear(out_features=2)).add("act", rn.Tanh())
    parts: dict[str, Any] = {
        "data": {"source": {"x": torch.ones(8, 1)}, "batch_size": 1},
        "learning": {"type": "Hebbian", "parameters": "fit.weight", "post": "act", "lr": 1e-38},
    }
    run = {"execution": "eager", "steps": 8}
    growing = rn.Experiment(net=net, rollout=rollout, run=run, **parts)
    with Session(growing, record=False) as session, pytest.raises(RunError) as error:
        session.run(progress=False)
    told = f"learning/main: its change of net/fit/weight holds NaN or infinity in frame {frame}: "
    assert str(error.value).startswith(f"{told}the first block to send NaN or infinity is {where}")
