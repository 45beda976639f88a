"""What a net consists of: inputs, blocks, and what is still to be built. `Net` adds what can be done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError
from rillnet.model.block import Block, Step
from rillnet.model.building import Inference
from rillnet.model.graph import Edge, frame_order
from rillnet.model.parameters import parameters_in
from rillnet.model.shapes import Output, pick
from rillnet.model.twins import Twins
from rillnet.model.waiting import Waiting
from rillnet.spec import ShareSpec, SourceSpec


class Structure(nn.Module):
    """The parts of a net; see `rillnet.model.net.Net` for the arguments.

    Attributes:
        address: `net`, or `net/res1` for a nested net.
        inputs: what each input is, by name.
        blocks: what is known of each block, by name; the modules are the net's children.
        output_sources: what it sends on as a block of another net; the last block if empty.
        pending: blocks that are not built yet, as what they read is not known.
        waiting: what each of them waits for.
        untied: shared parameters that are not joined yet.
        inferred: outputs that are known already, by what they follow from.
        twins: how copies are made of equal modules.
        revision: counts how often blocks were replaced, or parameters given other memory, as far as the net is told.
        edits: what was changed of the running net since it was made, in order; see `rillnet.model.editing`.
    """

    def __init__(
        self,
        name: str = "net",
        *,
        seed: int | None = None,
        device: torch.device | str | None = None,
        trust: bool = True,
    ) -> None:
        super().__init__()
        self.revision = 0
        self.name = name
        self.address = "net"
        self.device = torch.get_default_device() if device is None else torch.device(device)
        self.trust = trust
        self.seed_given = seed is not None
        self.seed = int(torch.randint(2**62, ())) if seed is None else seed
        self.inputs: dict[str, Output] = {}
        self.blocks: dict[str, Block] = {}
        self.output_sources: list[SourceSpec] = []
        self._phase = "train"
        self.pending: dict[str, None] = {}
        self.waiting = Waiting()
        self.untied: list[tuple[str, str, ShareSpec]] = []
        self.inferred: Inference = {}
        self.twins = Twins()
        self.edits: list[dict[str, Any]] = []
        self._plans: dict[Any, list[Step]] = {}
        self._drawn: dict[str, int] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:  # a block may be called `training` or `seed`; the attribute is not the block then
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)
            if isinstance(value, nn.Module):
                self.revision += 1

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.revision += 1
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def load_state_dict(self, *arguments: Any, **named: Any) -> Any:
        """As of any module."""
        self.revision += 1
        return super().load_state_dict(*arguments, **named)

    def get_submodule(self, target: str) -> nn.Module:
        """As of any module; a block may be called as a method of nets is, such as `add` in a traced model."""
        found: nn.Module = self
        for name in target.split(".") if target else ():
            inner = found._modules.get(name)
            if inner is None:
                raise AttributeError(f"{type(found).__name__} has no module {name!r}")
            found = inner
        return found

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, for copies and pickles: parameters leave the memory that they share with others' first."""
        self.revision += 1
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.untyped_storage().nbytes() > tensor.numel() * tensor.element_size():
                tensor.data = tensor.data.clone()
        return self.__dict__.copy()

    def built(self, name: str) -> nn.Module:
        """The module of a block.

        Raises:
            RequestError: it is not built, as what it reads is not known yet.
        """
        module = self._modules[name]
        if module is None:
            raise RequestError(Fault(f"{self.address}/{name}", "is not built: what it reads is not known yet"))
        return module

    @property
    def edges(self) -> list[Edge]:
        """All edges, in the order of the blocks they end at."""
        return [edge for block in self.blocks.values() for edge in block.edges()]

    def order(self) -> list[str]:
        """The blocks in frame order.

        Raises:
            ZeroDelayCycleError: some blocks read each other within one frame.
        """
        sources = {name: [s.block for s in block.sources if not s.delay] for name, block in self.blocks.items()}
        return frame_order(self.blocks, sources)

    def needs(self, names: Iterable[str], name: str) -> bool:
        """Whether one of these blocks is a certain one, or waits for it within a frame."""
        waiting, seen = list(names), set[str]()
        while waiting:
            one = waiting.pop()
            if one == name:
                return True
            if one in self.blocks and one not in seen:
                seen.add(one)
                waiting += [source.block for source in self.blocks[one].sources if not source.delay]
        return False

    def forget_plans(self) -> None:
        """Drops the orders of computation kept so far, as the net has changed."""
        self._plans.clear()

    def sent(self, values: Mapping[str, Any]) -> Any:
        """Of the values of a frame, what this net sends on as a block of another."""
        sources = self.output_sources or [SourceSpec(block=next(reversed(self.blocks)))]
        picked = tuple(pick(values[source.block], source.output) for source in sources)
        return picked if len(picked) > 1 else picked[0]

    def note_drawn(self, name: str) -> None:
        """Remembers a block's parameters as drawn, to tell later whether anybody has changed them."""
        self._drawn[name] = self._versions(name)

    def is_untouched(self) -> bool:
        """Whether all parameters are as they were drawn."""
        return all(self.is_as_drawn(name) for name in self._modules)

    def is_as_drawn(self, name: str) -> bool:
        """Whether a block's parameters are as they were drawn; those that were given are."""
        module = self._modules[name]
        if isinstance(module, Structure):
            return module.is_untouched()
        return name not in self._drawn or self._versions(name) == self._drawn[name]

    def note_tied(self, name: str) -> None:
        """Takes a block's parameters for drawn, as one of them has become another block's."""
        module = self._modules[name]
        if isinstance(module, Structure):
            for inner in module._modules:
                module.note_tied(inner)
        elif name in self._drawn:
            self.note_drawn(name)

    def _versions(self, name: str) -> int:
        module = self._modules[name]
        return sum(parameter._version for parameter in parameters_in(module)) if module is not None else 0
