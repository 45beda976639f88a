"""Stacks: parameters as views of one tensor, gradients by slice, links that are kept."""

from __future__ import annotations

import torch
from torch import nn

import rillnet as rn
from rillnet.runtime.grouping.stacks import Bundle, Bundles, bundles_of


def layers(count: int = 4) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Linear(2, 2) for _ in range(count)]


def test_parameters_are_views_and_keep_their_values() -> None:
    modules = layers()
    before = [module.weight.detach().clone() for module in modules]
    bundle = Bundle(modules)

    weight = next(stack for stack in bundle.stacks if stack.names == ("weight",))
    assert torch.equal(weight.storage_GK[:, 0], torch.stack(before))
    modules[2].weight.data.fill_(7.0)
    assert weight.storage_GK[2, 0].eq(7).all()
    assert all(isinstance(module.weight, nn.Parameter) and module.weight.is_leaf for module in modules)


def test_tensors_of_one_shape_stand_side_by_side() -> None:
    modules = [nn.RNNCell(3, 3) for _ in range(3)]
    bundle = Bundle(modules)
    assert [stack.names for stack in bundle.stacks] == [("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")]
    share = bundle.share(modules)
    assert share.find(["bias_hh"]) == (bundle.stacks[1], slice(1, 2))
    assert share.find(["weight_hh", "weight_ih"]) is None
    assert share.find(["unknown"]) is None


def test_every_parameter_gets_its_slice_of_the_gradient_of_all_uses() -> None:
    modules = layers()
    share = Bundle(modules).share(modules)
    stack, columns = share.find(["bias"]) or (None, None)
    assert stack is not None
    assert columns is not None
    for _ in range(2):  # the graph of a stack outlives a learning step
        for module in modules:
            module.bias.grad = None
        scale = torch.arange(4.0)[:, None, None]
        loss = (share.of(stack, columns) * scale).sum() + share.of(stack, columns).sum()
        loss.backward()
        assert [module.bias.grad.tolist() for module in modules] == [[n + 1.0, n + 1.0] for n in range(4)]
    with torch.no_grad():
        assert share.of(stack, columns).data_ptr() == stack.storage_GK.data_ptr()


def test_memory_that_was_given_is_taken_back_and_other_kinds_are_refused() -> None:
    modules = layers()
    bundle = Bundle(modules)
    modules[1].weight.data = torch.full((2, 2), 3.0)
    assert bundle.is_whole()
    assert bundle.stacks[0].storage_GK[1].eq(3).all()
    assert modules[1].weight.data_ptr() == bundle.stacks[0].storage_GK[1].data_ptr()

    modules[1].weight.data = torch.zeros(2, 2, dtype=torch.float64)
    assert not bundle.is_whole()


def test_replaced_and_frozen_parameters_are_seen() -> None:
    modules = layers()
    bundle = Bundle(modules)
    modules[3].bias.requires_grad_(False)
    assert not bundle.is_whole()
    modules[3].bias.requires_grad_(True)
    assert bundle.is_whole()
    modules[0].bias = nn.Parameter(torch.zeros(2))
    assert not bundle.is_whole()


def test_overlapping_groups_stand_side_by_side_in_a_larger_bundle() -> None:
    modules, bundles = layers(6), Bundles()
    first = bundles.bundle(modules[:4])
    assert bundles.bundle(modules[1:3]) is first
    larger = bundles.bundle(modules[2:])

    assert first.is_retired
    assert not larger.is_retired
    assert bundles.bundle(modules[:4]) is larger
    assert isinstance(larger.share(modules[:4]).rows, slice)
    assert isinstance(larger.share(modules[2:]).rows, slice)
    assert larger.share(modules).rows is None
    picked = larger.share([modules[5], modules[0]])
    assert isinstance(picked.rows, torch.Tensor)
    stack = larger.stacks[0]
    assert torch.equal(picked.of(stack, slice(0, 1))[:, 0], torch.stack([modules[5].weight, modules[0].weight]))


def test_the_natural_order_is_that_of_the_bundle() -> None:
    modules = layers(3)
    assert Bundle(modules).natural([modules[2], modules[0], modules[1]]) == [1, 2, 0]


def test_bundles_belong_to_their_net() -> None:
    one, other = rn.Net("a", inputs={"x": (1,)}), rn.Net("b", inputs={"x": (1,)})
    assert bundles_of(one) is bundles_of(one)
    assert bundles_of(one) is not bundles_of(other)
