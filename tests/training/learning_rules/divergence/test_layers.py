"""Mean fields and Gibbs steps of layers in memory that is used again."""

from __future__ import annotations

import torch

from rillnet.training.learning_rules.divergence.layers import LayerWalk
from tests.training.learning_rules.divergence.machines import small_stack

V = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]])


def test_the_mean_field_is_that_of_the_machine() -> None:
    stack = small_stack()
    for steps in (0, 1, 5):
        found = LayerWalk(stack).mean_field(V, steps)
        for own, other in zip(found, stack.machine.mean_field(V, steps), strict=True):
            torch.testing.assert_close(own, other)


def test_a_turn_draws_the_even_layers_and_then_the_odd_ones() -> None:
    stack = small_stack()
    walk = LayerWalk(stack)
    begun = walk.beginnings(5, torch.Generator().manual_seed(1))
    sampled, drawn = walk.steps([layer.clone() for layer in begun], 3, torch.Generator().manual_seed(2))

    for place in walk.even:
        assert torch.equal(sampled[place], drawn[place])
    torch.testing.assert_close(sampled[1], stack.machine.mean(drawn, 1))
    assert set(torch.cat(drawn, 1).unique().tolist()) <= {0.0, 1.0}
    # only odd layers count of where chains begin
    other = [torch.zeros(5, 4), begun[1].clone(), torch.ones(5, 2)]
    again = LayerWalk(stack).steps(other, 3, torch.Generator().manual_seed(2))[1]
    assert all(torch.equal(one, two) for one, two in zip(drawn, again, strict=True))


def test_parameters_may_be_replaced() -> None:
    stack = small_stack()
    walk = LayerWalk(stack)
    for parameter in stack.parameters.values():
        parameter.data = torch.zeros_like(parameter)
    walk.refresh()
    assert bool((walk.mean_field(V, 1)[1] == 0.5).all())
