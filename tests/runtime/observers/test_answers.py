from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from rillnet.runtime.observers.answers import Answers
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reduction import Reduced, Reduction
from rillnet.runtime.observers.reductions.scalar import Scalar
from rillnet.runtime.observers.reductions.thumbnail import Thumbnail


@dataclass(frozen=True)
class Noting(Reduction):
    """Notes what comes in one call."""

    calls: tuple[list[int], ...] = ()

    def __hash__(self) -> int:
        return 1

    def __call__(self, values: Sequence[Tensor]) -> Reduced:
        if any(value.numel() == 3 for value in values):
            raise RuntimeError("three is too many")
        self.calls[0].append(len(values))
        return Reduced(torch.stack([value.sum() for value in values]))


def test_what_has_one_shape_is_reduced_in_one_call() -> None:
    calls: list[int] = []
    made = Noting((calls,))
    shapes = [(2, 2), (4,), (2, 2), (2, 2)]
    values = {Query((f"net/{n}/weight",), made): [torch.full(shape, float(n))] for n, shape in enumerate(shapes)}
    rows = Answers(values).rows()
    assert sorted(calls) == [1, 3]
    assert {query.addresses[0]: float(data) for query, (data, _, _) in rows.items()} == {
        "net/0/weight": 0.0,
        "net/1/weight": 4.0,
        "net/2/weight": 8.0,
        "net/3/weight": 12.0,
    }


def test_several_addresses_are_put_together_in_their_order() -> None:
    query = Query(("a", "b", "c"), Scalar("largest"), is_list=True)
    values = {query: [torch.tensor([1.0, 5.0]), torch.tensor(2, dtype=torch.int64), torch.tensor([[3.0]])]}
    data, low, high = Answers(values).rows()[query]
    assert (data.tolist(), low, high) == ([5.0, 2.0, 3.0], 0.0, 0.0)


def test_each_picture_has_a_range_of_its_own() -> None:
    values = {Query((name,), Thumbnail()): [torch.tensor([low, low + 1.0])] for name, low in (("a", 0.0), ("b", 7.0))}
    rows = Answers(values).rows()
    assert [(low, high) for _, low, high in rows.values()] == [(0.0, 1.0), (7.0, 8.0)]


def test_what_fails_is_told_and_harms_no_other() -> None:
    good, bad = Query(("a",), Scalar()), Query(("b",), Noting(([],)))
    answers = Answers({good: [torch.ones(2)], bad: [torch.ones(3)]})
    assert list(answers.rows()) == [good]
    assert answers.faults == {bad: "cannot be reduced: three is too many"}
    assert answers.is_here()


def test_on_a_device_nobody_waits() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    values = {Query((str(n),), Thumbnail()): [torch.randn(8, 8, device="cuda")] for n in range(3)}
    answers = Answers(values)
    answers.wait()
    assert answers.is_here()
    for query, (data, low, high) in answers.rows().items():
        expected = Thumbnail()([values[query][0].cpu()])
        np.testing.assert_allclose(data.astype(float), expected.data[0].numpy().astype(float), atol=1)
        assert (low, high) == pytest.approx((float(expected.low[0]), float(expected.high[0])))  # type: ignore[index]
