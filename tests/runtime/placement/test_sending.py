"""Buckets are sent in one order, each as soon as its gradients are there."""

from __future__ import annotations

import torch
from torch import nn

from rillnet.runtime.placement.sending import Sending


class Noted:
    def __init__(self, name: str, parameters: list[nn.Parameter], told: list[str]) -> None:
        self.name, self.parameters, self.told = name, parameters, told
        self.waiting: set[int] = set()

    def send(self) -> None:
        self.told.append(f"send {self.name}")

    def receive(self) -> None:
        self.told.append(f"receive {self.name}")


def sending() -> tuple[Sending[Noted], list[nn.Parameter], list[str]]:
    parameters, told = [nn.Parameter(torch.ones(1)) for _ in range(3)], list[str]()
    made: Sending[Noted] = Sending()
    for name, own in (("a", parameters[:2]), ("b", parameters[2:])):
        made.add(Noted(name, own, told))
        for parameter in own:
            made.listen(parameter)
    return made, parameters, told


def test_a_bucket_waits_for_all_of_its_gradients_and_for_those_before_it() -> None:
    made, (first, second, third), told = sending()

    made.begin()
    third.backward(torch.ones(1))
    first.backward(torch.ones(1))
    assert told == []
    second.backward(torch.ones(1))
    assert told == ["send a", "send b"]
    made.finish()
    assert told[2:] == ["receive a", "receive b"]


def test_what_has_no_gradient_is_sent_at_the_end() -> None:
    made, _, told = sending()

    made.begin()
    made.finish()

    assert told == ["send a", "send b", "receive a", "receive b"]


def test_gradients_that_do_not_count_send_nothing() -> None:
    _, parameters, told = sending()

    for parameter in parameters:
        parameter.backward(torch.ones(1))

    assert told == []
