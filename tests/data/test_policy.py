"""How batches are counted and transformed."""

from __future__ import annotations

import pytest
import torch

from rillnet.data.policy import Policy
from rillnet.data.transforms import Noise, Rescale


@pytest.mark.parametrize(
    ("examples", "size", "drop_last", "batches"),
    [(10, 4, False, 3), (10, 4, True, 2), (8, 4, False, 2), (8, 4, True, 2), (3, 4, False, 1), (3, 4, True, 0)],
)
def test_batches_of_an_epoch(examples: int, size: int, drop_last: bool, batches: int) -> None:
    assert Policy(batch_size=size, drop_last=drop_last).batches(examples) == batches


def test_augmentation_comes_before_preparation() -> None:
    policy = Policy(augment=(Rescale(mean=1, field="x"),), prepare=(Rescale(std=0.5, field="x"),))
    fields = {"x": torch.tensor([[3.0]])}

    assert policy.transform(fields, 0, 0, augment=True)["x"].item() == 4
    assert policy.transform(fields, 0, 0, augment=False)["x"].item() == 6
    assert fields["x"].item() == 3


def test_draws_depend_on_seed_phase_epoch_and_batch_alone() -> None:
    def drawn(policy: Policy, epoch: int, batch: int) -> float:
        return float(policy.transform({"x": torch.zeros(1, 1)}, epoch, batch, augment=True)["x"])

    noise = (Noise(1.0, field="x"),)
    policy = Policy(seed=1, augment=noise)
    others = [drawn(policy, 0, 1), drawn(policy, 1, 0), drawn(Policy(seed=2, augment=noise), 0, 0)]
    others.append(drawn(Policy(phase="val", seed=1, augment=noise), 0, 0))

    assert drawn(policy, 0, 0) == drawn(Policy(seed=1, batch_size=7, augment=noise), 0, 0)
    assert len({drawn(policy, 0, 0), *others}) == 5


def test_without_transforms_fields_are_passed_on() -> None:
    fields = {"x": torch.zeros(1)}

    assert Policy().transform(fields, 0, 0, augment=True) is fields
