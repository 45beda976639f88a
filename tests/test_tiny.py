"""The whole promise on one screen: a net is written once, learns, stops anywhere, and goes on bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rillnet as rn

DOCUMENT = """
experiment: tiny
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 4, kernel_size: 3, padding: same}
    drop: {type: Dropout, p: 0.2}
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data: {source: Digits, batch_size: 64}
learning: {main: {type: Backprop, optimizer: {type: Adam, lr: 0.003}, rate: Cosine}}
run: {epochs: 2, seed: 1, checkpoint: {every: 7 steps}}
"""


def test_a_document_trains_stops_anywhere_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(DOCUMENT)

    def session(root: str) -> rn.Session:
        experiment = rn.load(tmp_path / "tiny.yaml")
        assert isinstance(experiment, rn.Experiment)
        return rn.Session(experiment, root=tmp_path / root, resume=True)

    with session("whole") as whole:
        metrics = whole.run()
    with session("parts") as first:
        first.run(steps=10)
    with session("parts") as second:
        assert second.clock.step == 10
        second.run()

    assert metrics["accuracy"] > 0.8
    for address, tensor in whole.net.state_by_address().items():
        assert torch.equal(tensor, second.net.state_by_address()[address]), address


def test_the_same_net_runs_in_a_loop_of_your_own_and_streaming() -> None:
    net = rn.Net("chain", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=4)).add("act", rn.Tanh()).add("b", rn.Linear(out_features=2))
    x = torch.randn(5, 3)
    sequential = net(x)["b"]
    sequential.sum().backward()
    assert net["a"].weight.grad is not None

    rollout = rn.Rollout.streaming(net)
    program = rn.Program(net, rollout)
    state = program.initial_state(batch=5)
    for _ in range(3):
        outputs, state = program({"x": x}, state)
    assert rollout.inference_factor == 2  # `act` rides along with `a`
    assert torch.allclose(outputs["b"], sequential)


def test_all_faults_of_a_document_come_in_one_pass_with_their_lines(tmp_path: Path) -> None:
    wrong = DOCUMENT.replace("kernel_size: 3", "kernel_size: 0").replace("out_features", "out_featurs")
    (tmp_path / "wrong.yaml").write_text(wrong.replace("epochs: 2", "epocs: 2"))
    with pytest.raises(rn.RillnetError) as error:
        rn.load(tmp_path / "wrong.yaml")
    text = str(error.value)
    assert "run.epocs: unknown key; did you mean 'epochs'?" in text
