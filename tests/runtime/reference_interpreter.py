"""What a net with a rollout should compute, told in the slowest and plainest way: value(block, frame), by recursion.

It shares no code with programs: names are followed through nested nets for every single value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.spec import SourceSpec


class ReferenceInterpreter:
    """Values of a net's leaf blocks, frame by frame, from zeros before frame 0.

    Args:
        net: the net.
        delays: frames by edge, as `Rollout.delays` names them; None takes those that the net itself gives.
        inputs: of each frame, by name.
    """

    def __init__(self, net: Net, delays: Mapping[str, int] | None, inputs: Sequence[Mapping[str, Tensor]]) -> None:
        self.net, self.delays, self.inputs = net, delays, inputs
        self.batch = len(next(iter(inputs[0].values())))
        self.known: dict[tuple[str, int], Any] = {}

    def value(self, path: str, frame: int) -> Any:
        """What a leaf block or an input sends in a frame."""
        if frame < 0:
            return self._zeros(path)
        if path in self.net.inputs:
            return self.inputs[frame][path]
        if (path, frame) not in self.known:
            net, prefix, name = self._scope(path)
            read = [self.follow(net, prefix, source) for source in net.blocks[name].sources]
            count = Counter(source for source, _ in read)
            arguments = []
            for port, (source, own) in enumerate(read):
                key = f"{source}->{path}" if count[source] == 1 else f"{source}->{path}#{port}"
                arguments.append(self.value(source, frame - (own if self.delays is None else self.delays[key])))
            self.known[path, frame] = net[name](*arguments)
        return self.known[path, frame]

    def sent(self, name: str, frame: int) -> Any:
        """What a block of the net itself, nested or not, sends in a frame."""
        path, delay = self.follow(self.net, "", SourceSpec(block=name))
        return self.value(path, frame - delay)

    def follow(self, net: Net, prefix: str, source: SourceSpec) -> tuple[str, int]:
        """The leaf block or input behind a name in a net, and the delays on the way there."""
        if source.block in net.inputs:
            if not prefix:
                return source.block, source.delay
            outer, outer_prefix, name = self._scope(prefix.removesuffix("/"))
            port = list(net.inputs).index(source.block)
            path, delay = self.follow(outer, outer_prefix, outer.blocks[name].sources[port])
            return path, delay + source.delay
        module = net[source.block]
        if not isinstance(module, Net):
            return prefix + source.block, source.delay
        output = module.output_sources[0] if module.output_sources else SourceSpec(block=list(module.blocks)[-1])
        path, delay = self.follow(module, f"{prefix}{source.block}/", output)
        return path, delay + source.delay

    def _scope(self, path: str) -> tuple[Net, str, str]:
        """The net that a block stands in, what its blocks' paths begin with, and the block's name there."""
        outer, slash, name = path.rpartition("/")
        net = self.net[outer] if outer else self.net
        assert isinstance(net, Net)
        return net, outer + slash, name

    def _zeros(self, path: str) -> Tensor:
        net, _, name = self._scope(path)
        signature = net.inputs[name] if name in net.inputs else net.blocks[name].output
        return torch.zeros(self.batch, *signature.shape)
