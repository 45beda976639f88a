from __future__ import annotations

import json

import pytest
import torch

from rillnet.training.means import Means


def test_each_value_counts_as_often_as_it_has_examples() -> None:
    means = Means()
    means.add({"loss": torch.tensor(1.0), "accuracy": torch.tensor(0.5)}, examples=64)
    means.add({"loss": torch.tensor(3.0)}, examples=16)

    assert means.take() == {"loss": pytest.approx(1.4), "accuracy": 0.5}
    assert means.take() == {}


def test_means_are_those_of_all_steps_however_many() -> None:
    means, values = Means(), torch.randn(1000, generator=torch.Generator().manual_seed(1))
    for value in values:
        means.add({"loss": value}, examples=2)

    assert means.take()["loss"] == pytest.approx(float(values.double().mean()), abs=1e-9)


def test_means_go_on_exactly_where_they_were_kept() -> None:
    values = torch.randn(300, generator=torch.Generator().manual_seed(1))
    whole, first, second = Means(), Means(), Means()
    for number, value in enumerate(values):
        whole.add({"loss": value}, examples=7)
        (first if number < 77 else second).add({"loss": value}, examples=7)
        if number == 76:
            second.load(json.loads(json.dumps(first.state())))

    assert second.take() == whole.take()
