"""The digits of scikit-learn."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import torch

from rillnet.data.sources.digits import Digits
from rillnet.errors import MissingExtraError


def test_sizes_and_values() -> None:
    train, test = Digits().examples("train"), Digits().examples("test")

    assert (len(train), len(test)) == (1438, 359)
    for examples in (train, test):
        assert examples.fields() == {"image": ((1, 8, 8), torch.float32), "label": ((), torch.int64)}
        assert examples.tensors["image"].aminmax() == (0, 1)


def test_the_split_is_the_same_share_of_every_digit() -> None:
    train, test = (Digits().examples(phase).tensors["label"].bincount() for phase in ("train", "test"))

    assert torch.equal(test, ((train + test) * 0.2).round().to(torch.int64))


def test_the_split_stays_as_it_is() -> None:
    """Accuracies can be compared only while this holds."""
    assert Digits().examples("test").tensors["label"][:12].tolist() == [0, 2, 4, 5, 2, 3, 6, 3, 5, 9, 0, 9]


def test_no_image_is_in_both_phases() -> None:
    images = [Digits().examples(phase).tensors["image"].flatten(1) for phase in ("train", "test")]

    assert len(torch.cat(images).unique(dim=0)) == 1797


def test_without_the_library_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as raised:
        Digits().examples("train")

    assert str(raised.value) == (
        "the source Digits needs scikit-learn, which is not installed: pip install 'rillnet[data]'"
    )
