"""Ways back other than the transposed weights: fixed random matrices, layer by layer or straight from the error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import flatten
from rillnet.model.net import Net
from rillnet.random import derive

Way = Literal["weights", "random", "direct"]
"""The transposed weights; fixed random ones in their place; or the error by fixed random ones to every layer."""

_INPUT_OF = {"AddmmBackward0": 1, "MmBackward0": 0, "ConvolutionBackward0": 0}
"""Which of the gradients that a node of the graph sends on is that of what the layer read."""

_CHANGED_BY = frozenset(["WhereBackward0", "AddBackward0"])
"""What stands behind a layer in the graph where something is done from outside to what it sends."""


class Feedback:
    r"""Replaces what each layer sends back by what fixed random matrices B make of it.

    `random` (feedback alignment): $\delta_x = B_l^T \delta_y$ in the place of $W_l^T \delta_y$. `direct` (direct
    feedback alignment): $\delta_x = B_l^T e$ with the error e at the last layer's output. The gradients of weights are
    computed as ever. Matrices depend on the net's seed and the layer's address alone.

    Args:
        net: the net; its layers are the Linear and Conv2d blocks with a weight.
        way: random or direct.
        address: of the rule's option, for messages.

    Source:
        T. P. Lillicrap et al., Nature Communications 7, 2016; A. Nokland, NeurIPS 2016, arXiv:1609.01596.
    """

    def __init__(self, net: Net, way: Way, address: str) -> None:
        self.net, self.way, self.address = net, way, address
        flat = flatten(net)
        self.layers = [n for n in flat.blocks if isinstance(flat.module(n), nn.Linear | nn.Conv2d)]
        if not self.layers:
            raise RequestError(Fault(address, "needs a Linear or Conv2d block that it could send back through", way))
        self._matrices: dict[str, Tensor] = {}

    def attach(self, outputs: Mapping[str, Any]) -> None:
        """Takes its place in the graph of a frame, before gradients flow back through it.

        Args:
            outputs: what the layers sent.

        Raises:
            RequestError: a layer's output is not that of one plain operation.
        """
        error: list[Tensor] = []
        for name in self.layers:
            sent = outputs[name]
            node = _computed_by(sent.grad_fn)
            if node is None:
                continue
            place = _INPUT_OF.get(node.name())
            if place is None:
                rule = f"cannot be done for {name}, as it is not computed by itself on [batch, features] or maps"
                hint = "run.execution: eager computes each block by itself"
                raise RequestError(Fault(self.address, rule, self.way, hint=hint))
            node.register_hook(self._hook(name, place, error))

    def _hook(self, name: str, place: int, error: list[Tensor]) -> Callable[[Any, Any], Any]:
        module = self.net.get_submodule(name.replace("/", "."))

        def replace(sent_back: tuple[Tensor | None, ...], arrived: tuple[Tensor, ...]) -> Any:
            if not error:
                error.append(arrived[0].flatten(1))
            found = sent_back[place]
            if found is None:
                return None
            if self.way == "direct":
                matrix = self._matrix(name, (error[0].shape[1], found[0].numel()), error[0].shape[1], found)
                instead = (error[0] @ matrix).reshape(found.shape)
            else:
                instead = self._through(module, name, arrived[0], found)
            return (*sent_back[:place], instead, *sent_back[place + 1 :])

        return replace

    def _through(self, module: nn.Module, name: str, arrived: Tensor, like: Tensor) -> Tensor:
        weight = module.weight
        assert isinstance(weight, Tensor)
        matrix = self._matrix(name, tuple(weight.shape), weight[0].numel(), like)
        if isinstance(module, nn.Linear):
            return arrived @ matrix
        assert isinstance(module, nn.Conv2d)
        padding = module.padding
        if padding == "valid" or module.padding_mode != "zeros":  # where what is read is padded before
            padding = (0, 0)
        elif padding == "same":
            padding = tuple(d * (k - 1) // 2 for d, k in zip(module.dilation, module.kernel_size, strict=True))
        found: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
            like.shape, matrix, arrived, module.stride, padding, module.dilation, module.groups
        )
        return found

    def _matrix(self, name: str, shape: tuple[int, ...], fan_in: int, like: Tensor) -> Tensor:
        """A layer's fixed matrix, drawn when it is first used."""
        if name not in self._matrices or self._matrices[name].shape != shape:
            generator = torch.Generator().manual_seed(derive(self.net.seed, "feedback", name))
            bound = 1 / math.sqrt(fan_in)
            drawn = torch.rand(shape, generator=generator) * (2 * bound) - bound
            self._matrices[name] = drawn.to(like)
        return self._matrices[name]


def _computed_by(node: Any) -> Any:
    """The node of the graph that computed a tensor, before units of it were clamped or lesioned, or noise was added."""
    while node is not None and node.name() in _CHANGED_BY:
        before = [earlier for earlier, _ in node.next_functions if earlier is not None]
        if len(before) != 1:
            return node
        node = before[0]
    return node
