from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import rillnet as rn
from rillnet.runtime.placement import traffic
from rillnet.runtime.placement.costs import Costs, costs_of
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.table import as_dict, edge_rows, summary_lines
from rillnet.runtime.placement.traffic import Traffic, traffic_of

WIRE = Machine(flops=1e9, bandwidth=1e6, latency=0)
"""One multiply-add takes 2 ns, one byte 1 us."""


def chain(width: int = 100) -> rn.Net:
    """x -> a -> b, two dense layers without bias, 10,000 multiply-adds each."""
    net = rn.Net("chain", inputs={"x": (width,)})
    return net.add("a", rn.Linear(out_features=width, bias=False)).add("b", rn.Linear(out_features=width, bias=False))


def classifier() -> rn.Net:
    """Convolution, batch normalisation, two dense layers, a loss."""
    net = rn.Net("classifier", inputs={"image": (3, 8, 8), "label": rn.Scalar("int64")})
    net.add("conv", rn.Conv2d(out_channels=8, kernel_size=3), source="image").add("norm", rn.BatchNorm2d())
    net.add("relu", rn.ReLU()).add("pool", rn.MaxPool2d(kernel_size=2)).add("flat", rn.Flatten())
    net.add("fc", rn.Linear(out_features=12)).add("logits", rn.Linear(out_features=10))
    return net.add("loss", rn.CrossEntropy(), source=["logits", "label"])


def costs(net: rn.Net, machine: Machine = WIRE, batch: int = 8, **placement: Any) -> Costs:
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate(placement))
    return costs_of(plan, batch, machine, copies=1)


def test_one_process_computes_and_sends_nothing() -> None:
    found = costs(chain(), processes=1)
    forward = 2 * (2 * 10_000 * 8) / 1e9

    assert found.forward_s == pytest.approx(forward)
    assert found.step_s == pytest.approx(forward + 1.5 * forward)  # the first layer's inputs have no gradients
    assert (found.crossing, found.reduced) == (0, 0)


def test_the_memory_of_one_process() -> None:
    (process,) = costs(chain(), processes=1).processes.values()

    assert (process.parameters, process.gradients, process.optimizer) == (80_000, 80_000, 80_000)
    assert process.activations == 2 * 8 * 100 * 4
    assert process.multiply_adds == 2 * 10_000 * 8


def test_batch_halves_the_work_and_adds_up_gradients() -> None:
    one, two = costs(chain(), processes=1), costs(chain(), processes=2)

    assert two.processes[0].multiply_adds == one.processes[0].multiply_adds / 2
    assert two.reduced == 2 * 80_000  # each of two processes sends 2 (n-1)/n of 80 kB
    assert two.step_s == pytest.approx(one.step_s / 2 + 80_000 / 1e6)


def test_sums_of_gradients_hide_behind_the_backward_pass() -> None:
    """Layers of 4 MB are buckets of their own: the sum of the last one goes on while the first one is computed."""
    net, machine = chain(1024), Machine(flops=1e9, bandwidth=1e10, latency=0)
    found = costs(net, machine, batch=100, processes=2)
    in_the_open = costs(net, machine.model_copy(update={"hidden": 0.0}), batch=100, processes=2)
    one_bucket = 4 * 1024**2 / 1e10

    assert found.exposed_s == pytest.approx(one_bucket)
    assert in_the_open.exposed_s == pytest.approx(2 * one_bucket)


def test_feature_sends_what_was_computed_and_no_gradients() -> None:
    found = costs(chain(), processes=2, default="feature")
    gather = found.edges["b", 0, 0]

    assert (gather.name, gather.forward, gather.backward) == ("gather", 8 * 100, 8 * 100)
    assert found.reduced == 0
    assert found.processes[0].parameters == 40_000
    assert gather.loads[0].seconds(WIRE) == pytest.approx(8 * 50 * 4 / 1e6)


def test_a_sequential_net_at_two_locations_takes_the_sum() -> None:
    one = costs(chain(), processes=1)
    two = costs(chain(), processes=2, blocks={"a": {"location": 0}, "b": {"location": 1}})
    sent = 8 * 100 * 4 / 1e6

    assert two.step_s == pytest.approx(one.step_s + 2 * sent)
    assert two.compute_s < one.compute_s


def test_a_streaming_net_at_two_locations_takes_as_long_as_the_slower() -> None:
    plan = PlacementPlan(
        rn.Rollout.streaming(chain()),
        PlacementSpec.model_validate({"processes": 2, "blocks": {"a": {"location": 0}, "b": {"location": 1}}}),
    )
    found = costs_of(plan, 8, Machine(flops=1e6, bandwidth=1e12, latency=0))

    assert found.step_s == pytest.approx(found.compute_s, rel=1e-4)


def test_latency_counts_for_every_message() -> None:
    slow = WIRE.model_copy(update={"latency": 1.0})
    placement: Mapping[str, Any] = {"processes": 2, "blocks": {"a": {"location": 0}, "b": {"location": 1}}}

    assert costs(chain(), slow, **placement).step_s == pytest.approx(costs(chain(), **placement).step_s + 2)


def test_memory_bounds_blocks_without_arithmetic() -> None:
    net = rn.Net("act", inputs={"x": (100,)}).add("relu", rn.ReLU())
    machine = Machine(flops=1e12, bandwidth=1, latency=0, memory_bandwidth=1e6)

    assert costs(net, machine, processes=1).forward_s == pytest.approx(2 * 8 * 100 * 4 / 1e6)


def test_whether_it_fits() -> None:
    small = WIRE.model_copy(update={"memory": 200e3})

    assert not costs(chain(), small, processes=1).fits
    assert costs(chain(), small, processes=2, default="feature").fits


@pytest.mark.parametrize(
    "placement",
    [
        {"processes": 3},
        {"processes": 2, "default": "feature"},
        {"processes": 3, "blocks": {"fc": "feature", "conv": "space"}},
        {"mesh": {"data": 2, "model": 2}, "blocks": {"fc": "feature", "logits": "feature", "loss": "feature"}},
        {"processes": 2, "blocks": {"c*": {"location": 0}, "*": {"location": 1}}},
    ],
)
def test_the_bytes_of_the_table_are_those_of_the_plan(placement: Mapping[str, Any]) -> None:
    found = costs(classifier(), batch=7, **placement)
    plan, total, seen = found.plan, 0, set()
    for name, port, source in plan.edges():
        sent = plan.on_edge(name, port, 7)
        dtype = plan.signature(source).dtype
        key = (source, sent.needed, sent.backward)
        if key not in seen and source.block not in plan.flat.inputs:
            total += (sent.crossing + (sent.returning if dtype.is_floating_point else 0)) * dtype.itemsize
        seen.add(key)

    assert sum(row.forward + row.backward for row in edge_rows(found)) == found.crossing == total
    assert as_dict(found)["bytes"]["edges"] == total


def test_what_several_blocks_read_is_sent_once() -> None:
    net = chain().add("c", rn.Linear(out_features=100, bias=False), source="a")
    placed = costs(net, processes=2, blocks={"a": {"location": 0}, "*": {"location": 1}})

    assert [(row.source, row.target) for row in edge_rows(placed)] == [("a", "b")]


def test_a_parameter_that_is_shared_counts_once() -> None:
    net = rn.Net("tied", inputs={"x": (100,)}).add("a", rn.Linear(out_features=100, bias=False))
    net.add("b", rn.Linear(out_features=100, bias=False), source="a", share={"weight": "a.weight"})

    assert costs(net, processes=1).processes[0].parameters == 40_000


def test_few_processes_stand_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted from some processes equals what is counted from all, where all do alike."""
    plan = PlacementPlan(
        rn.Rollout.sequential(classifier()),
        PlacementSpec.model_validate({"mesh": {"data": 4, "model": 4}, "blocks": {"fc": "feature"}}),
    )

    def sent() -> list[Traffic]:
        return [traffic_of(plan, plan, name, port, 32, WIRE) for name, port, _ in plan.edges()]

    exact = sent()
    monkeypatch.setattr(traffic, "COUNTED_PROCESSES", 8)
    sampled = sent()

    assert [(t.forward, t.backward) for t in sampled] == [(t.forward, t.backward) for t in exact]
    seconds = [max((load.seconds(WIRE) for load in t.loads.values()), default=0) for t in exact]
    assert [max((load.seconds(WIRE) for load in t.loads.values()), default=0) for t in sampled] == seconds


def test_micro_batches_let_locations_work_at_once() -> None:
    places = {"a": {"location": 0}, "b": {"location": 1}}
    wire = Machine(flops=1e9, bandwidth=1e15, latency=0)
    one, four = (costs(chain(), wire, processes=2, blocks=places, micro_batches=parts) for parts in (1, 4))
    part = 2 * 10_000 * 8 / 1e9 / 4  # of one layer forward; the second layer takes twice that on the way back

    assert one.step_s == pytest.approx((4 + 4 + 8 + 4) * part)
    assert four.step_s == pytest.approx((1 + 4 + 8 + 1) * part)
    assert four.crossing == one.crossing
    assert four.processes[0].multiply_adds == one.processes[0].multiply_adds


def test_what_is_computed_at_once_is_said() -> None:
    places = {"conv": {"location": 0}, "norm": {"location": 0}, "*": {"location": 1}}
    lines = summary_lines(costs(classifier(), processes=2, blocks=places, micro_batches=4))

    assert lines[-1] == (
        "  in 4 micro-batches; at once: norm (it has statistics of the whole batch), "
        "loss (it counts over the whole batch)"
    )
