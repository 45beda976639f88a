from __future__ import annotations

import numpy as np
import pytest
import torch

from rillnet.runtime.grouping.state import GroupedState
from rillnet.runtime.observers.heaps import LEAST, Heaps
from rillnet.runtime.observers.query import make_query
from rillnet.runtime.observers.subjects import Subjects
from rillnet.runtime.session import Session
from tests.runtime.observers.watched_runs import STREAMS, grouped

ODD = [f"t{number}" for number in range(1, 12, 2)]  # which are read a frame later, and therefore stand in the state


def test_blocks_of_a_group_are_taken_out_of_its_tensor_at_once() -> None:
    with Session(grouped(), record=False, say=lambda text: None) as session:
        session.learn()
        state, subjects = session.executor.state, Subjects(session.rollout)
        assert isinstance(state, GroupedState)
        addresses = [f"net/{name}/output" for name in ODD]
        queries = [make_query(address, "whole", 1, {}, subjects, session.net) for address in addresses]
        others = [make_query(f"net/{name}/weight", "whole", 1, {}, subjects, session.net) for name in ("a1", "b1")]
        few = [make_query(address, "whole", None, {}, subjects, session.net) for address in addresses[: LEAST - 1]]
        found = {one.addresses[0]: subjects.find(one.addresses[0]) for one in (*queries, *others)}

        heaps = Heaps([*queries, *others, *few], found, state)
        (heap,), rest = heaps(state, {})

        assert heap.queries == tuple(queries)
        assert torch.equal(heap.tensor, torch.stack([state[f"{name}@1"][1] for name in ODD]))
        assert rest == [*others, *few]
        kept = {found[addresses[0]].source: torch.zeros(STREAMS, 3)}
        assert heaps(state, kept) == ([], [*others, *few, *queries])


@pytest.mark.parametrize("reduction", ["whole", "thumbnail", "scalar", "histogram", "argmax"])
def test_they_are_answered_as_if_each_were_looked_at_alone(reduction: str) -> None:
    names = [*ODD, "t0", "a1"]
    with Session(grouped(), record=False, say=lambda text: None) as session, session.views.view() as view:
        watches = {view.watch(f"net/{name}/output", reduction, rate=1000, stream=2): name for name in names}
        for _ in range(3):
            session.learn()
        newest = {reading.watch: reading for reading in view.read()}
        alone = {name: session.views.read(f"net/{name}/output", reduction, stream=2) for name in ODD}
    for watch, name in watches.items():
        assert newest[watch].frame == 3
        if name in alone:
            np.testing.assert_array_equal(newest[watch].data, alone[name].data)
            assert (newest[watch].low, newest[watch].high) == (alone[name].low, alone[name].high)


def test_a_stream_that_is_not_there_is_told() -> None:
    with Session(grouped(), record=False, say=lambda text: None) as session, session.views.view() as view:
        watches = [view.watch(f"net/{name}/output", "whole", rate=1000, stream=STREAMS) for name in ODD]
        session.learn()
        faults = {reading.watch: reading.fault for reading in view.read()}
    assert set(faults) == set(watches)
    assert faults[watches[0]] == "net/t1/output: there are not so many streams"
