"""Net: named blocks and the edges between them. A net is an nn.Module, and so is each of its blocks.

A net says what is computed, not when or where: rollouts, placements and learning rules are given to
what runs it. Called as a module it computes one frame, from zeros where an edge has a delay.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, RequestError, suggest
from rillnet.model import adding, assembly, computing, records, tracing
from rillnet.model.block import Step
from rillnet.model.shapes import Output, Signature, pick
from rillnet.model.structure import Structure
from rillnet.spec import PHASES, BlockSpec, InputSpec, NetSpec, SourceSpec

Source = str | SourceSpec | Mapping[str, Any]
"""What a block reads: `h@-1`, its record, or a block of its own that reads it."""

InputLike = InputSpec | Sequence[int] | Mapping[str, Any]


class Outputs(dict[str, Any]):
    """What the blocks of a net sent in one frame, by name."""

    def __missing__(self, name: str) -> Any:
        known = ", ".join(self) or "nothing"
        rule = (
            f"was not computed: it is unknown, excluded from the phase, or reads an input not given; computed: {known}"
        )
        raise AddressError(Fault(f"net/{name}", rule, hint=suggest(name, self)))


class Net(Structure):
    """Named blocks wired by edges; cycles are allowed where an edge holds a delay.

    Args:
        name: what the net is called.
        inputs: shape (and element type) of one example of each input, by name.
        seed: draws the parameters, each block's by its own address; None draws one from torch's.
        device: where parameters go; `meta` infers all shapes and allocates nothing.
        trust: whether `package.module:Class` may be imported.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("xor", inputs={"x": (2,)}, seed=1)
        >>> net.add("hidden", rn.Linear(out_features=8)).add("act", rn.Tanh()).add("y", rn.Linear(out_features=1))
        Net(xor: x -> 3 blocks, 33 parameters)
        >>> net(x=torch.zeros(5, 2))["y"].shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        name: str = "net",
        inputs: Mapping[str, InputLike] | None = None,
        *,
        seed: int | None = None,
        device: torch.device | str | None = None,
        trust: bool = True,
    ) -> None:
        super().__init__(name, seed=seed, device=device, trust=trust)
        for key, value in (inputs or {}).items():
            adding.check_name(self, key, "an input")
            self.inputs[key] = Signature.of_input(records.read(InputSpec, value, ("net", "inputs", key)))

    # --- describing ---------------------------------------------------------------------------

    def add(
        self,
        name: str,
        block: nn.Module | BlockSpec,
        source: Source | Sequence[Source] | None = None,
        delay: int = 0,
        exclude: str | Iterable[str] = (),
        *,
        share: Mapping[str, Any] | None = None,
        tags: str | Iterable[str] = (),
    ) -> Net:
        """Adds a block, and builds it when the shapes of what it reads are known.

        Args:
            name: letters, digits and _; unique.
            block: any module, or a description such as `rn.Conv2d(out_channels=8, kernel_size=3)`.
            source: what it reads, one name or several; None is the block before it, or the first input.
                `{"source": "x", "via": "Conv2d", ...}` adds a block `name_x` that reads x, and reads that.
            delay: frames, for the sources that name none of their own.
            exclude: the phases it is left out of.
            share: its parameters that are other blocks', `{"weight": "other.weight"}`.
            tags: words that it can be told by among others.

        Returns:
            The net, so that calls can be chained.

        Raises:
            RequestError: the name is taken, a source is unknown, or the block cannot read it.
        """
        phases = frozenset([exclude] if isinstance(exclude, str) else exclude)
        words = dict.fromkeys([tags] if isinstance(tags, str) else tags)
        adding.add(self, adding.Asked(name, block, source, delay, phases, share or {}, tuple(words)))
        return self

    def connect(self, a: str, b: str, delay: int = 0) -> Net:
        """Wires a block to a further input of another: `net.connect("h", "sum", delay=1)`.

        Args:
            a: the block that is read, `name` or `name[output]`.
            b: the block that reads.
            delay: frames; a cycle needs one of at least 1.

        Returns:
            The net, so that calls can be chained.

        Raises:
            RequestError: a name is unknown, the edge closes a cycle without delay, or b cannot read it.
        """
        adding.connect(self, a, b, delay)
        return self

    # --- looking ------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> nn.Module:
        head, _, rest = name.partition("/")
        if head not in self.blocks:
            raise AddressError(Fault(f"{self.address}/{head}", "unknown block", hint=suggest(head, self.blocks)))
        module = self.built(head)
        if rest:
            found: nn.Module = module[rest] if isinstance(module, Net) else module.get_submodule(rest.replace("/", "."))
            return found
        return module

    def __contains__(self, name: str) -> bool:
        return name in self.blocks

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"Net({self.name}: {', '.join(self.inputs)} -> {len(self.blocks)} blocks, {count:,} parameters)"

    def parameters_by_address(self, pattern: str = "*") -> dict[str, nn.Parameter]:
        """Parameters by address, `net/conv1/weight`; shared ones once, under their first address.

        Args:
            pattern: a glob over addresses without the leading `net/`, such as `conv*/weight`.
        """
        found = ((f"{self.address}/{name.replace('.', '/')}", p) for name, p in self.named_parameters())
        return {address: parameter for address, parameter in found if self._matches(address, pattern)}

    def state_by_address(self) -> dict[str, Tensor]:
        """Parameters and buffers that belong in a checkpoint, by address."""
        state = self.state_dict(keep_vars=True)
        return {f"{self.address}/{name.replace('.', '/')}": tensor for name, tensor in state.items()}

    def find(self, pattern: str) -> list[str]:
        """The names of the blocks that match a glob, those of nested nets as `res1/conv*`."""
        return [name for name, _ in self.leaves() if fnmatch.fnmatchcase(name, pattern)]

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
        """Every block that is no net itself, by its path."""
        for name in self.blocks:
            module = self._modules[name]
            if isinstance(module, Net):
                yield from module.leaves(f"{prefix}{name}/")
            elif module is not None:
                yield prefix + name, module

    def _matches(self, address: str, pattern: str) -> bool:
        short = address.removeprefix(self.address + "/")
        return fnmatch.fnmatchcase(short, pattern.removeprefix(self.address + "/").replace(".", "/"))

    def infer_shapes(self) -> dict[str, Output]:
        """What every input and block sends for one example.

        Raises:
            RequestError: some blocks cannot be built, or are in a cycle that hides their shapes.
        """
        faults = assembly.resolve(self, partial=False)
        if faults:
            raise RequestError(faults)
        known = {name: block.output for name, block in self.blocks.items() if block.output is not None}
        return {**self.inputs, **known}

    # --- texts --------------------------------------------------------------------------------

    def to_spec(self) -> NetSpec:
        """The record that `from_spec` builds an equal net from.

        Raises:
            RequestError: a block is a module that does not show its arguments.
        """
        return records.record_of_net(self)

    @classmethod
    def from_spec(
        cls,
        spec: NetSpec | Mapping[str, Any],
        *,
        seed: int | None = None,
        device: torch.device | str | None = None,
        trust: bool = True,
    ) -> Net:
        """Builds a net from its record; blocks may stand in any order.

        Args:
            spec: the record.
            seed: draws the parameters; the record's if None.
            device: where parameters go; `meta` allocates nothing.
            trust: whether `package.module:Class` may be imported.

        Raises:
            RequestError: holds every fault found.
        """
        record = spec if isinstance(spec, NetSpec) else records.read(NetSpec, spec, ("net",))
        inputs: Mapping[str, Any] = record.inputs
        net = cls(record.name, inputs, seed=record.seed if seed is None else seed, device=device, trust=trust)
        assembly.assemble(net, record)
        return net

    @classmethod
    def from_module(cls, module: nn.Module, *example: Any) -> Net:
        """The blocks that ran when a PyTorch model was called on an example, as a net that computes the same.

        Args:
            module: any model; its layers (not copies) become the blocks.
            example: what it is called with; the first dimension of a tensor is the batch.

        Raises:
            RequestError: the model returned no tensor, or computed one in a way that cannot be seen.
        """
        return tracing.trace(cls, module, example)

    def materialise(self, device: torch.device | str) -> Net:
        """Allocates and draws the parameters of a net described on the meta device."""
        assembly.materialise(self, device)
        return self

    def draw(self, seed: int) -> None:
        """Draws the parameters of every described block anew, each from the seed and its address."""
        self.seed, self.seed_given = seed, True
        assembly.draw(self)

    # --- phases -------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """train, val or test; blocks excluded from it are left out."""
        return self._phase

    def set_phase(self, phase: str) -> Net:
        """Sets the phase, and with it train or eval mode, here and in nested nets.

        Raises:
            RequestError: there is no such phase.
        """
        if phase not in PHASES:
            raise RequestError(Fault("phase", "must be train, val or test", phase))
        self.train(phase == "train")
        for module in self.modules():
            if isinstance(module, Net):
                module._phase = phase
        return self

    def train(self, mode: bool = True) -> Net:
        """As of any module; phase becomes train or val."""
        super().train(mode)
        self._phase = "train" if mode else "val"
        return self

    # --- computing ----------------------------------------------------------------------------

    def forward(self, *positional: Tensor, **inputs: Any) -> Outputs:
        """One frame: what every block sends, by name. Blocks that need an input not given are left out."""
        given = self._given(positional, inputs)
        key = (self._phase, *given)
        if key not in self._plans:
            self._plans[key] = computing.steps(self, self._phase, set(given))
        values = Outputs(given)
        for step in self._plans[key]:
            values[step.name] = computing.compute(self, step, values)
        return values

    def run(
        self,
        from_: str | None = None,
        until: str | Sequence[str] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Computes a part of the net.

        Args:
            from_: the block to begin with; nothing before it is computed.
            until: what is wanted: a name, or several; None is everything that follows.
            given: values by name of input or block; what is given is not computed.

        Returns:
            The value of `until`, or a dict of them.

        Raises:
            RequestError: a name is unknown, or something that is needed is neither given nor computed.
        """
        values = Outputs(given or {})
        wanted = [until] if isinstance(until, str) else list(until or [])
        for name in [*values, *wanted, *([from_] if from_ else [])]:
            if name not in self.blocks and name not in self.inputs:
                raise AddressError(Fault(f"{self.address}/{name}", "unknown block", hint=suggest(name, self.blocks)))
        computing.compute_part(self, self._phase, from_, wanted, values)
        if until is None:
            return values
        found = {name: pick(values[name], None) for name in wanted}
        return found[until] if isinstance(until, str) else found

    def steps(self, phase: str, ready: set[str]) -> list[Step]:
        """The turns of one frame; see `rillnet.model.block.steps_of`."""
        return computing.steps(self, phase, ready)

    def _given(self, positional: Sequence[Any], inputs: dict[str, Any]) -> dict[str, Any]:
        if len(positional) > len(self.inputs):
            raise RequestError(f"{self.address}: takes {len(self.inputs)} inputs, {len(positional)} were given")
        given = dict(zip(self.inputs, positional, strict=False))
        for name, value in inputs.items():
            if name not in self.inputs:
                raise RequestError(Fault(f"{self.address}/{name}", "unknown input", hint=suggest(name, self.inputs)))
            given[name] = value
        return given
