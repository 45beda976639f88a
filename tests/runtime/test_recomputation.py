"""Recomputation: the same gradients and buffers, from fewer tensors that are kept."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from rillnet.runtime.recomputation import recomputed


class Counting(nn.Module):
    """Multiplies by how often it has been called, and remembers weakly what it sent."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.sent: list[weakref.ref[Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        sent = x * self.count.clone()
        self.sent.append(weakref.ref(sent))
        return sent


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), Counting(), nn.Tanh(), nn.Linear(4, 2))


def learned(*, again: bool, parts: int = 3) -> tuple[nn.Sequential, Tensor, Tensor]:
    made = net()
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    total, read = torch.zeros(()), x
    for _ in range(parts):

        def part(read: Tensor = read) -> Tensor:
            return made(read)

        sent = recomputed(part, [read], made) if again else part()
        total = total + sent.square().sum()
        read = torch.cat([sent, sent[:, :1]], dim=1)
    total.backward()
    return made, total.detach(), x


def test_gradients_and_buffers_are_the_same_bit_for_bit() -> None:
    (kept, total, x), (computed, other_total, other_x) = learned(again=False), learned(again=True)

    assert torch.equal(total, other_total)
    assert torch.equal(x.grad, other_x.grad)  # type: ignore[arg-type]
    for (name, one), other in zip(kept.named_parameters(), computed.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad), name  # type: ignore[arg-type]
    assert kept.state_dict().keys() == computed.state_dict().keys()
    for name, one in kept.state_dict().items():
        assert torch.equal(one, computed.state_dict()[name]), name


def test_buffers_stay_the_same_objects() -> None:
    made = net()
    before = dict(made.named_buffers())
    recomputed(lambda: made(torch.ones(5, 3)), [], made).sum().backward()

    assert all(before[name] is buffer for name, buffer in made.named_buffers())
    assert float(made[2].count) == 1.0


def test_what_is_computed_on_the_way_is_forgotten() -> None:
    def alive(*, again: bool) -> int:
        made = net()
        sent = recomputed(lambda: made(torch.ones(5, 3)), [], made) if again else made(torch.ones(5, 3))
        found = sum(reference() is not None for reference in made[2].sent)
        sent.sum().backward()
        return found

    assert alive(again=False) == 1 or alive(again=True) == 0
    assert alive(again=True) == 0


def test_gradients_may_flow_twice() -> None:
    made = net()
    sent = recomputed(lambda: made(torch.ones(5, 3)), [], made).sum()
    sent.backward(retain_graph=True)
    once = made[0].weight.grad.clone()
    sent.backward()

    assert torch.equal(made[0].weight.grad, once + once)
