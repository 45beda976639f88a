"""The feed of iterables: the same promises as any feed, but seeking by going through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from rillnet.data.iterable import PassesFeed
from rillnet.data.passes import Passes
from rillnet.data.policy import Policy
from rillnet.data.transforms import Noise
from rillnet.errors import CheckpointError, DataError


def examples() -> Iterator[dict[str, float]]:
    return ({"x": float(index)} for index in range(5))


def feed_of(source: Any = examples, **policy: Any) -> PassesFeed:
    return PassesFeed(Passes(source, ("x",)), Policy(**{"batch_size": 2, "seed": 1, **policy}))


def test_epochs_follow_each_other() -> None:
    feed = feed_of()

    assert [feed.next()["x"].tolist() for _ in range(5)] == [[0, 1], [2, 3], [4], [0, 1], [2, 3]]
    assert feed.state() == {"epoch": 1, "batch": 2}
    assert (feed.examples, feed.batches_per_epoch) == (5, 3)


def test_a_short_last_batch_can_be_left_out() -> None:
    feed = feed_of(drop_last=True)

    assert [feed.next()["x"].tolist() for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]
    assert [batch.size for batch in feed.once()] == [2, 2, 1]


def test_no_batch_at_all() -> None:
    with pytest.raises(DataError) as raised:
        feed_of(drop_last=True, batch_size=9).next()

    assert str(raised.value) == (
        "data.batch_size: must be at most 5, the examples of the train phase, where drop_last leaves out a short "
        "batch (got 9)"
    )


def test_seeking_skips_what_comes_before() -> None:
    begun = []

    def counted() -> Iterator[dict[str, float]]:
        begun.append(True)
        return examples()

    feed = feed_of(counted)
    feed.seek({"epoch": 4, "batch": 1})
    passes = len(begun)
    batches = [feed.next() for _ in range(3)]

    assert [(b.epoch, b.index, b["x"].tolist()) for b in batches] == [(4, 1, [2, 3]), (4, 2, [4]), (5, 0, [0, 1])]
    assert len(begun) == passes + 2


def test_augmentation_is_that_of_an_unbroken_feed() -> None:
    noise = (Noise(1.0, field="x"),)
    unbroken, sought = feed_of(augment=noise), feed_of(augment=noise)
    expected = [unbroken.next() for _ in range(5)][-1]
    sought.seek({"epoch": 1, "batch": 1})

    assert torch.equal(sought.next()["x"], expected["x"])
    assert torch.equal(torch.cat([b["x"] for b in sought.once()]), torch.arange(5.0))


def test_positions_beyond_an_epoch_are_refused() -> None:
    with pytest.raises(CheckpointError):
        feed_of().seek({"epoch": 0, "batch": 3})


def test_an_epoch_that_is_shorter_than_the_others_is_told() -> None:
    lengths = iter([5, 5, 2])
    feed = feed_of(lambda: ({"x": 0.0} for _ in range(next(lengths))))
    for _ in range(4):
        feed.next()

    with pytest.raises(DataError) as raised:
        feed.next()

    assert str(raised.value) == (
        "data: the pass of epoch 1 ended after 1 batches, 3 were expected: an iterable must give the same number of "
        "examples every time"
    )


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_an_evaluation_does_not_disturb_a_loader_with_workers(persistent: bool) -> None:
    dataset = TensorDataset(torch.arange(6.0))
    loader = DataLoader(dataset, batch_size=2, shuffle=True, num_workers=1, persistent_workers=persistent)
    undisturbed, feed = (feed_of(loader) for _ in range(2))
    expected = [undisturbed.next()["x"].tolist() for _ in range(3)]
    undisturbed.close()

    drawn = [feed.next()["x"].tolist()]
    assert sorted(value for batch in feed.once() for value in batch["x"].tolist()) == list(range(6))
    drawn += [feed.next()["x"].tolist() for _ in range(2)]

    assert drawn == expected
    feed.close()
