"""The deep Boltzmann machine that several blocks of a net are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch.nn import Parameter

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.deep_boltzmann import DeepBoltzmann
from rillnet.model.layers.energy import Units
from rillnet.model.net import Net
from rillnet.model.shapes import Signature
from rillnet.training.learning_rules.divergence.pair import find_units, tied


@dataclass(frozen=True)
class Stack:
    """Blocks of units that each read the next ones below and above, through one weight for both ways.

    Args:
        names: of the blocks, upwards, the visible units first.
        blocks: of each layer.
        parameters: the weights, then the biases, by address, both upwards.
    """

    names: tuple[str, ...]
    blocks: tuple[Units, ...]
    parameters: Mapping[str, Parameter]

    @property
    def machine(self) -> DeepBoltzmann:
        """The machine with the parameters as they are."""
        kinds = tuple(block.kind for block in self.blocks)
        weights = tuple(block.weight.detach() for block in self.blocks[1:])
        return DeepBoltzmann(kinds, weights, tuple(block.bias.detach() for block in self.blocks))


def find_stack(net: Net, layers: Sequence[str], address: str) -> Stack:
    """The machine of these blocks.

    Args:
        net: the net.
        layers: blocks of units, upwards; each has the weight to the one below, and reads the one above through that
            one's weight, transposed: the visible units as their own, the others through a `Linear` that they also read.
        address: of who asks, for messages.

    Raises:
        RequestError: there is no such block, it is of another type, or a weight is not shared.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("dbm", inputs={"pixels": (4,)})
        >>> tie = {"weight": {"of": "hidden1.weight", "transpose": True}}
        >>> _ = net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden1@-1", share=tie)
        >>> tie = {"weight": {"of": "hidden2.weight", "transpose": True}}
        >>> _ = net.add("down", rn.Linear(out_features=3, bias=False), source="hidden2@-1", share=tie)
        >>> _ = net.add("hidden1", rn.BernoulliUnits(out_features=3), source=["visible", "down"])
        >>> _ = net.add("hidden2", rn.BernoulliUnits(out_features=2), source="hidden1")
        >>> list(find_stack(net, ["visible", "hidden1", "hidden2"], "learning/main").parameters)[:2]
        ['net/hidden1/weight', 'net/hidden2/weight']
    """
    if len(layers) < 2:
        raise RequestError(Fault(f"{address}.layers", "must name visible and hidden units", list(layers)))
    blocks = find_units(net, {f"layers[{place}]": name for place, name in enumerate(layers)}, address)
    faults = []
    for place, (below, above) in enumerate(itertools.pairwise(layers)):
        fault = _fault_between(net, below, above, place)
        if fault is not None:
            faults.append(fault)
    if faults:
        raise RequestError(faults)
    by_identity = {id(parameter): name for name, parameter in net.parameters_by_address().items()}
    own = [*(block.weight for block in blocks[1:]), *(block.bias for block in blocks)]
    return Stack(tuple(layers), tuple(blocks), {by_identity[id(parameter)]: parameter for parameter in own})


def _fault_between(net: Net, below: str, above: str, place: int) -> Fault | None:
    """What is missing for one layer to read the next through its weight, transposed."""
    read = _read_by(net, above)
    if not read or read[0] != below:
        return Fault(f"net/{above}", f"must read {below!r} first", read)
    if place == 0:
        if tied(net, below, above):
            return None
        hint = f"write share: {{weight: {{of: {above}.weight, transpose: true}}}}"
        return Fault(f"net/{below}", f"must have the transposed weight of {above!r}", hint=hint)
    if any(name in net.blocks and tied(net, name, above) for name in _read_by(net, below)):
        return None
    share = f"share: {{weight: {{of: {above}.weight, transpose: true}}}}"
    size = net.blocks[below].output
    features = f"out_features: {size.shape[-1]}, " if isinstance(size, Signature) else ""
    hint = f"let it read {{type: Linear, from: {above}@-1, {features}bias: false, {share}}} too"
    return Fault(f"net/{below}", f"must read {above!r} through its weight, transposed", hint=hint)


def _read_by(net: Net, block: str) -> list[str]:
    return [source.block for source in net.blocks[block].sources]
