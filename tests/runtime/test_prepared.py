"""Prepared frames: compiled beside groups, and compared with the net they were made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from rillnet.runtime.state import expanded


def net_of(blocks: int) -> Net:
    document: dict[str, Any] = {}
    for number in range(blocks):
        document[f"a{number}"] = {"type": "Linear", "from": [f"s{(number + 3) % blocks}@-1"], "out_features": 3}
        document[f"s{number}"] = {"type": "Sum", "from": [f"a{number}", "x"], "shape": [3]}
    document["scaled"] = {"type": "Linear", "from": "s0", "out_features": 3}
    document["act"] = {"type": "Softmax", "dim": 1}
    return Net.from_spec({"inputs": {"x": [3]}, "blocks": document}, seed=1)


def frames(count: int = 4) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{"x": torch.randn(2, 3, generator=generator)} for _ in range(count)]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # the compiler looks at all it reads
def test_groups_stand_beside_what_is_compiled() -> None:
    net = net_of(9)
    rollout = Rollout(net)
    program = Program(net, rollout, compile="on", backend="eager")
    plain = Program(net, rollout, group="off")
    sent, state = program.unroll(frames())
    expected, other = plain.unroll(frames())

    torch.testing.assert_close([dict(one) for one in sent], [dict(one) for one in expected])
    torch.testing.assert_close(expanded(state), expanded(other))
    assert program.report["a3"].startswith("grouped with 8 others (")
    assert program.report["s3"] == "grouped with 8 others (stacked)"
    assert program.report["act"] == "compiled"


def test_a_replaced_block_is_used_in_the_next_frame_however_large_the_net_is() -> None:
    net = net_of(300)
    program = Program(net, outputs=["s5"])
    with torch.no_grad():
        before = program(frames(1)[0])[0]["s5"]
        net.a5 = nn.Linear(3, 3)
        after = program(frames(1)[0])[0]["s5"]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, frames(1)[0]["x"] + net["a5"].bias)


def test_a_listener_to_a_grouped_block_is_called() -> None:
    net = net_of(9)
    program = Program(net)
    program.unroll(frames(2))
    heard = []
    net["a2"].register_forward_hook(lambda module, read, sent: heard.append(sent))
    sent, _ = program.unroll(frames(2))
    assert len(heard) == 2
    assert program.report["a2"] == "eager; not grouped, as it has hooks"
    assert torch.equal(heard[1], sent[1]["a2"])


def test_the_mode_of_a_single_block_counts() -> None:
    net = Net("drops", inputs={"x": (64,)}, seed=1)
    for number in range(9):
        net.add(f"d{number}", nn.Dropout(), source="x")
    net.set_phase("test")
    program = Program(net)
    assert torch.equal(program({"x": torch.ones(1, 64)})[0]["d4"], torch.ones(1, 64))
    net["d4"].train()
    assert program({"x": torch.ones(1, 64)})[0]["d4"].min() == 0


def test_blocks_are_computed_in_groups_by_a_session_as_its_execution_says() -> None:
    net = net_of(9)
    for group, told in (("off", {"eager"}), ("on", {"grouped", "eager"})):
        run = {"execution": {"compile": False, "group": group}}
        session = rn.Session(rn.Experiment(net=net, run=run), record=False)
        session.step(frames(1)[0])
        found = {how.split()[0].rstrip(";") for p in session.executor._programs.values() for how in p.report.values()}
        assert found == told
