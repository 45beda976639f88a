"""The restricted Boltzmann machine that two blocks of a net are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import Parameter

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.energy import Units
from rillnet.model.net import Net
from rillnet.model.shapes import Signature


@dataclass(frozen=True)
class Pair:
    """Two blocks of units that read each other through one weight.

    Args:
        visible: the visible units.
        hidden: the hidden units, which own the weight.
        parameters: the weight, the visible and the hidden biases, by address.
    """

    visible: Units
    hidden: Units
    parameters: Mapping[str, Parameter]

    @property
    def machine(self) -> RestrictedBoltzmann:
        """The machine with the parameters as they are."""
        weight_HV, b_V, c_H = (tensor.detach() for tensor in (self.hidden.weight, self.visible.bias, self.hidden.bias))
        return RestrictedBoltzmann(self.visible.kind, self.hidden.kind, weight_HV, b_V, c_H)


def find_pair(net: Net, visible: str, hidden: str, address: str) -> Pair:
    """The machine of two blocks.

    Args:
        net: the net.
        visible: a block of units whose weight is the other's, transposed.
        hidden: the other.
        address: of who asks, for messages.

    Raises:
        RequestError: there is no such block, it is of another type, or the weight is not shared.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("rbm", inputs={"pixels": (4,)})
        >>> tie = {"weight": {"of": "hidden.weight", "transpose": True}}
        >>> _ = net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=tie)
        >>> _ = net.add("hidden", rn.BernoulliUnits(out_features=2), source="visible")
        >>> list(find_pair(net, "visible", "hidden", "learning/main").parameters)
        ['net/hidden/weight', 'net/visible/bias', 'net/hidden/bias']
    """
    visible_units, hidden_units = find_units(net, {"visible": visible, "hidden": hidden}, address)
    if not tied(net, visible, hidden):
        rule = f"must have the transposed weight of {hidden!r}"
        hint = f"write share: {{weight: {{of: {hidden}.weight, transpose: true}}}}"
        raise RequestError(Fault(f"net/{visible}", rule, hint=hint))
    by_identity = {id(parameter): name for name, parameter in net.parameters_by_address().items()}
    own = (hidden_units.weight, visible_units.bias, hidden_units.bias)
    return Pair(visible_units, hidden_units, {by_identity[id(parameter)]: parameter for parameter in own})


def find_units(net: Net, names: Mapping[str, str], address: str) -> list[Units]:
    """The blocks of units of these names, in their order.

    Args:
        net: the net.
        names: of the blocks, by the argument that gives each.
        address: of who asks, for messages.

    Raises:
        RequestError: there is no such block, or it is of another type; all of them are told.
    """
    faults, found = [], []
    for argument, name in names.items():
        if name not in net.blocks:
            faults.append(Fault(f"{address}.{argument}", "unknown block", name, hint=suggest(name, net.blocks)))
            continue
        module = net[name]
        if isinstance(module, Units):
            found.append(module)
        else:
            rule = f"must be BernoulliUnits, GaussianUnits or SoftmaxUnits, not {type(module).__name__}"
            faults.append(Fault(f"{address}.{argument}", rule, name))
    if faults:
        raise RequestError(faults)
    return found


def tied(net: Net, block: str, owner: str) -> bool:
    """Whether a block has another one's weight, transposed."""
    tie = net.blocks[block].ties.get("weight")
    return tie is not None and tie.transpose and tie.of.replace("/", ".") == f"{owner}.weight"


def check_data(net: Net, data: str, visible: Units, address: str) -> None:
    """Compares what is learned from with the units that are to show it.

    Raises:
        RequestError: there is no such block or input, or it has another size.
    """
    if data not in net.blocks and data not in net.inputs:
        known = [*net.inputs, *net.blocks]
        raise RequestError(Fault(f"{address}.data", "unknown block or input", data, hint=suggest(data, known)))
    output = net.inputs[data] if data in net.inputs else net.blocks[data].output
    if isinstance(output, Signature) and math.prod(output.shape) != visible.out_features:
        rule = f"must have the {visible.out_features} features of the visible units, not {list(output.shape)}"
        raise RequestError(Fault(f"{address}.data", rule, data))


def flat(data: Tensor, like: Tensor) -> Tensor:
    """Examples as rows, of a weight's type."""
    return data.detach().flatten(1).to(like.dtype)
