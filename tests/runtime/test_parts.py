"""What a session asks of its parts is what those that are handed to it have."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from rillnet.runtime.parts import Assembly, Trainer
from rillnet.training import trainer
from rillnet.training.experiment import Experiment


@pytest.mark.parametrize(("asked", "given"), [(Assembly, Experiment), (Trainer, trainer.Trainer)])
def test_every_call_takes_the_same_arguments(asked: Any, given: Any) -> None:
    calls = {name: call for name, call in vars(asked).items() if inspect.isfunction(call) and name[0] != "_"}
    assert len(calls) > 5
    for name, call in calls.items():
        assert list(inspect.signature(getattr(given, name)).parameters) == list(inspect.signature(call).parameters), (
            name
        )
