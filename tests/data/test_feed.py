"""The feed: which batches it delivers, and that its position is its whole state."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.conversion import FieldKind
from rillnet.data.examples import ArrayExamples, Request
from rillnet.data.feed import ExamplesFeed
from rillnet.data.policy import Policy
from rillnet.data.transforms import Crop, Flip, Noise
from rillnet.errors import CheckpointError, DataError


def feed_of(count: int = 10, **policy: Any) -> ExamplesFeed:
    examples = ArrayExamples({"x": torch.arange(float(count)), "image": torch.rand(count, 1, 4, 4)})
    return ExamplesFeed(examples, Policy(**{"batch_size": 4, "seed": 3, **policy}))


def drawn(feed: ExamplesFeed, batches: int) -> list[list[float]]:
    return [feed.next()["x"].tolist() for _ in range(batches)]


def test_in_order_without_shuffling() -> None:
    feed = feed_of()

    assert drawn(feed, 4) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3]]
    assert (feed.examples, feed.batches_per_epoch) == (10, 3)


def test_a_short_last_batch_can_be_left_out() -> None:
    feed = feed_of(drop_last=True)

    assert drawn(feed, 3) == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]
    assert feed.batches_per_epoch == 2


def test_no_batch_at_all() -> None:
    with pytest.raises(DataError) as raised:
        feed_of(3, drop_last=True)

    assert str(raised.value) == (
        "data.batch_size: must be at most 3, the examples of the train phase, where drop_last leaves out a short "
        "batch (got 4)"
    )


def test_batches_say_where_they_stand() -> None:
    feed = feed_of(shuffle=True)
    batches = [feed.next() for _ in range(4)]

    assert [(b.epoch, b.index, b.size) for b in batches] == [(0, 0, 4), (0, 1, 4), (0, 2, 2), (1, 0, 4)]
    for batch in batches:
        assert batch.indices is not None
        assert batch["x"].tolist() == batch.indices.tolist()


def test_each_epoch_has_its_own_order_and_the_seed_decides() -> None:
    feed = feed_of(shuffle=True)
    first, second = drawn(feed, 3), drawn(feed, 3)

    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10))
    assert first != second
    assert drawn(feed_of(shuffle=True), 6) == first + second
    assert drawn(feed_of(shuffle=True, seed=4), 3) != first


def test_peeking_does_not_go_on() -> None:
    feed = feed_of(shuffle=True, augment=(Noise(1.0),))
    peeked = feed.peek()

    assert feed.state() == {"epoch": 0, "batch": 0}
    assert feed.peek() is peeked
    assert feed.next() is peeked
    assert feed.next().index == 1


def test_the_state_is_json() -> None:
    feed = feed_of()
    drawn(feed, 4)

    assert json.loads(json.dumps(feed.state())) == feed.state() == {"epoch": 1, "batch": 1}


def test_an_evaluation_pass_is_in_order_complete_and_not_augmented() -> None:
    feed = feed_of(shuffle=True, drop_last=True, augment=(Noise(5.0, field="x"),))
    feed.next()
    batches = list(feed.once())

    assert [batch["x"].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [batch.index for batch in batches] == [0, 1, 2]
    assert feed.state() == {"epoch": 0, "batch": 1}


@settings(max_examples=60)
@given(
    count=st.integers(1, 40),
    size=st.integers(1, 12),
    drop_last=st.booleans(),
    shuffle=st.booleans(),
    stops=st.lists(st.integers(0, 30), min_size=1, max_size=6),
)
def test_seeking_is_going_on(count: int, size: int, drop_last: bool, shuffle: bool, stops: list[int]) -> None:
    assume(not drop_last or size <= count)
    examples = ArrayExamples({"x": torch.arange(float(count)), "image": torch.rand(count, 1, 4, 4)})
    augment = (Crop(4, padding=1), Flip(), Noise(0.1, field="x"))
    policy = Policy(batch_size=size, drop_last=drop_last, shuffle=shuffle, seed=7, augment=augment)
    unbroken, sought = ExamplesFeed(examples, policy), ExamplesFeed(examples, policy)
    expected = [(unbroken.state(), unbroken.next()) for _ in range(max(stops) + 2)]

    for stop in stops:
        state, batch = expected[stop]
        sought.seek(state)
        assert_same(sought.next(), batch)
        assert_same(sought.next(), expected[stop + 1][1])


def assert_same(a: Batch, b: Batch) -> None:
    assert (a.epoch, a.index, a.size) == (b.epoch, b.index, b.size)
    assert a.indices is not None
    assert b.indices is not None
    assert torch.equal(a.indices, b.indices)
    assert all(torch.equal(a[name], b[name]) for name in a.fields)


class Noted:
    """Examples, read ahead or not, that note what they were asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def fields(self) -> dict[str, FieldKind]:
        return {"x": ((), torch.int64)}

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        self.asked += indices.tolist()
        return {"x": indices}


class NotedAhead(Noted):
    closed = 0

    def open_stream(self) -> NotedAhead:
        return self

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        return (self.gather(indices) for indices, _ in requests)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("kind", [Noted, NotedAhead])
def test_seeking_reads_nothing_but_the_next_batch(kind: type[Noted]) -> None:
    examples = kind(10_000)
    feed = ExamplesFeed(examples, Policy(batch_size=8, shuffle=True))
    feed.seek({"epoch": 12, "batch": 1000})
    batch = feed.next()

    assert len(examples.asked) == 8
    assert batch["x"].tolist() == examples.asked


def test_a_feed_that_reads_ahead_goes_back_and_forth() -> None:
    examples = NotedAhead(10)
    ahead = ExamplesFeed(examples, Policy(batch_size=4, shuffle=True))
    plain = ExamplesFeed(Noted(10), Policy(batch_size=4, shuffle=True))
    for state in ({"epoch": 2, "batch": 1}, {"epoch": 0, "batch": 2}, {"epoch": 0, "batch": 2}):
        for feed in (ahead, plain):
            feed.seek(state)
        for _ in range(4):
            assert_same(ahead.next(), plain.next())
    assert [b["x"].tolist() for b in ahead.once()] == [b["x"].tolist() for b in plain.once()]
    ahead.close()
    assert examples.closed == 2
    assert_same(ahead.next(), plain.next())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {"epoch": 0, "batch": 3},
            "data/train: position at batch 3 of an epoch, but an epoch has 3 batches: the data or batch_size is "
            "another than when it was saved",
        ),
        ({"epoch": 0}, "data/train: is no position in the data: {'epoch': 0}"),
        ({"epoch": -1, "batch": 0}, "data/train: is no position in the data: {'epoch': -1, 'batch': 0}"),
        ({"epoch": "1", "batch": 0}, "data/train: is no position in the data: {'epoch': '1', 'batch': 0}"),
    ],
)
def test_what_is_no_position(state: dict[str, Any], message: str) -> None:
    feed = feed_of()
    feed.next()

    with pytest.raises(CheckpointError) as raised:
        feed.seek(state)

    assert str(raised.value) == message
    assert feed.state() == {"epoch": 0, "batch": 1}


def test_a_batch_of_mnist_takes_well_under_a_millisecond() -> None:
    """60,000 images of 28 x 28 bytes in batches of 64; about 50 us on an idle machine, which tests never have."""
    images = torch.zeros(60_000, 1, 28, 28, dtype=torch.uint8)
    feed = ExamplesFeed(ArrayExamples({"image": images, "label": torch.zeros(60_000)}), Policy("train", 64, True))
    feed.next()
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        feed.next()
        times.append(time.perf_counter() - begin)

    assert sorted(times)[20] < 300e-6
