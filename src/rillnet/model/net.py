"""Net: named blocks and the edges between them. A net is an nn.Module, and so is each of its blocks.

A net says what is computed, not when or where: rollouts, placements and learning rules are given to
what runs it. Called as a module it computes one frame, from zeros where an edge has a delay.
"""

from __future__ import annotations

import fnmatch
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, RequestError, suggest
from rillnet.model import assembly, tracing
from rillnet.model.block import Block, Step, parse_sources, steps_of
from rillnet.model.frontends.addresses import Path
from rillnet.model.frontends.faults import faults_of
from rillnet.model.garbage import collecting_later
from rillnet.model.graph import ZeroDelayCycleError, reachable
from rillnet.model.registry import signature_arguments
from rillnet.model.shapes import Output, Signature, pick
from rillnet.model.structure import Structure
from rillnet.spec import NAME, PHASES, BlockSpec, InputSpec, NetSpec, Record, ShareSpec, SourceSpec
from rillnet.wiring import throughs, unfold

R = TypeVar("R", bound=Record)

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
            self._check_name(key, "an input")
            self.inputs[key] = Signature.of_input(_record(InputSpec, value, ("net", "inputs", key)))

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
        address = f"{self.address}/{name}"
        self._check_name(name, "a block")
        spec = block if isinstance(block, BlockSpec) else None
        if source is None:
            source = spec.sources if spec is not None and spec.sources is not None else self._before(address)
        excluded = {exclude} if isinstance(exclude, str) else set(exclude)
        excluded |= set(spec.exclude) if spec is not None else set()
        if any(isinstance(item, Mapping) for item in (source if isinstance(source, list | tuple) else [source])):
            return self._add_through(name, block, source, delay, excluded, share, tags)
        plain: Any = source
        sources = parse_sources(plain, delay, address)
        if not isinstance(block, nn.Module | BlockSpec):
            rule = "must be a module, or a description such as rn.Linear(out_features=10)"
            raise RequestError(Fault(address, rule, block))
        place = ("net", "blocks", name, "share")
        ties = {own: _record(ShareSpec, of, (*place, own)) for own, of in (share or {}).items()}
        ties |= spec.share if spec is not None else {}
        faults = [*self._unknown_sources(name, sources), *_unknown_phases(address, excluded)]
        if faults:
            raise RequestError(faults)
        module = None if isinstance(block, BlockSpec) else block
        told = [*(spec.tags if spec is not None else ()), *([tags] if isinstance(tags, str) else tags)]
        own = Block(name, sources, frozenset(excluded), spec, None, ties, tuple(dict.fromkeys(told)))
        assembly.declare(self, own, module)
        try:
            reads_itself = any(source.block == name and not source.delay for source in sources)
            faults = (self._cycle_faults() if reads_itself else []) or assembly.resolve_added(self, name)
            if faults:
                raise RequestError(faults)
        except RequestError:
            self._forget(name)
            raise
        return self

    def _add_through(
        self,
        name: str,
        block: nn.Module | BlockSpec,
        source: Any,
        delay: int,
        exclude: set[str],
        share: Mapping[str, Any] | None,
        tags: str | Iterable[str],
    ) -> Net:
        """Adds the blocks that are written as sources of a block, and the block, or none of them."""
        arguments = block.arguments if isinstance(block, BlockSpec) else vars(block)
        shape = arguments.get("shape") or (block.shape if isinstance(block, BlockSpec) else None)
        listed = list(source) if isinstance(source, list | tuple) else [source]
        reader = {"from": listed, "shape": shape, "exclude": sorted(exclude)}
        taken = ChainMap[str, Any](self.inputs, self.blocks)
        through = throughs({name: reader}, taken)
        reads = unfold({name: reader}, through)[name]["from"]
        try:
            for key, one in through.items():
                self.add(key, _record(BlockSpec, one.block, ("net", "blocks", key)), delay=delay)
            sources: list[SourceSpec] = []
            for position, item in enumerate(reads):
                place = ("net", "blocks", name, "from", position)
                read = _record(SourceSpec, item, place) if isinstance(item, Mapping) else item
                sources += parse_sources(read, 0 if read in through else delay, f"{self.address}/{name}")
            return self.add(name, block, sources, 0, exclude, share=share, tags=tags)
        except RequestError:
            for key in [*through, name]:
                self._forget(key)
            raise

    def _forget(self, name: str) -> None:
        """Takes a block away that nothing reads yet."""
        self.blocks.pop(name, None)
        self._modules.pop(name, None)
        self.pending.pop(name, None)
        self.untied[:] = [tie for tie in self.untied if tie[0] != name]
        assembly.wait_anew(self)
        self.forget_plans()

    def connect(self, a: str, b: str, delay: int = 0) -> Net:
        """Wires a block to a further input of another: `net.connect("h", "sum", delay=1)`.

        Args:
            a: the block that is read, `name` or `name[output]`.
            b: the block that reads.
            delay: frames; a cycle needs one of at least 1.

        Raises:
            RequestError: a name is unknown, the edge closes a cycle without delay, or b cannot read it.
        """
        if b not in self.blocks:
            raise RequestError(Fault(f"{self.address}/{b}", "unknown block", hint=suggest(b, self.blocks)))
        block = self.blocks[b]
        before = list(block.sources)
        block.sources = [*before, *parse_sources(a, delay, f"{self.address}/{b}")]
        self.forget_plans()
        try:
            now = [source.block for source in block.sources[len(before) :] if not source.delay]
            faults = self._unknown_sources(b, block.sources) or (self._cycle_faults() if self.needs(now, b) else [])
            faults = faults or assembly.recheck(self, b)
            if faults:
                raise RequestError(faults)
        except RequestError:
            block.sources = before
            self.pending.pop(b, None)
            assembly.wait_anew(self)
            self.forget_plans()
            raise
        return self

    def _check_name(self, name: str, what: str) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RequestError(Fault(f"{self.address}/{name}", f"a name of {what} must be letters, digits and _ only"))
        if name in self.blocks or name in self.inputs:
            raise RequestError(Fault(f"{self.address}/{name}", "the name is taken; names are unique in a net"))

    def _before(self, address: str) -> str:
        if self.blocks:
            return next(reversed(self.blocks))
        if not self.inputs:
            raise RequestError(Fault(address, "there is nothing before it to read: give the net an input, or a source"))
        return next(iter(self.inputs))

    def _unknown_sources(self, name: str, sources: Iterable[SourceSpec]) -> list[Fault]:
        known = ChainMap[str, Any]({name: None}, self.inputs, self.blocks)
        return [
            Fault(f"{self.address}/{name}.from", "unknown source", source.block, hint=suggest(source.block, known))
            for source in sources
            if not source.delay and source.block not in known
        ]

    def _cycle_faults(self) -> list[Fault]:
        try:
            self.order()
        except ZeroDelayCycleError as error:
            rule = f"the cycle {error} has no delay; give one of its edges a delay of at least 1, as in from: name@-1"
            return [Fault(f"{self.address}/{error.cycle[0]}", rule)]
        return []

    # --- looking ------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> nn.Module:
        head, _, rest = name.partition("/")
        if head not in self.blocks:
            raise AddressError(Fault(f"{self.address}/{head}", "unknown block", hint=suggest(head, self.blocks)))
        module = self._modules[head]
        if module is None:
            raise RequestError(Fault(f"{self.address}/{head}", "is not built: what it reads is not known yet"))
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
        blocks, faults = {}, []
        for name, block in self.blocks.items():
            spec = block.spec or record_of(self[name])
            if spec is None:
                kind = f"{type(self[name]).__module__}:{type(self[name]).__qualname__}"
                rule = f"a live module cannot be written as text; add it as rn.block({kind!r}, ...)"
                faults.append(Fault(f"{self.address}/{name}", rule))
                continue
            update = {"sources": block.sources, "exclude": sorted(block.exclude), "tags": list(block.tags)}
            blocks[name] = spec.model_copy(update={**update, "share": self._all_ties(name)})
        if faults:
            raise RequestError(faults)
        inputs = {name: _input_spec(output) for name, output in self.inputs.items()}
        return NetSpec(name=self.name, inputs=inputs, blocks=blocks, outputs=self.output_sources)

    def _all_ties(self, name: str) -> dict[str, ShareSpec]:
        block = self.blocks[name]
        return {**(block.spec.share if block.spec else {}), **block.ties}

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

        Raises:
            RequestError: holds every fault found.
        """
        record = spec if isinstance(spec, NetSpec) else _record(NetSpec, spec, ("net",))
        inputs: Mapping[str, Any] = record.inputs
        net = cls(record.name, inputs, seed=seed, device=device, trust=trust)
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
        """Sets the phase, and with it train or eval mode, here and in nested nets."""
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
            self._plans[key] = self.steps(self._phase, set(given))
        values = Outputs(given)
        for step in self._plans[key]:
            values[step.name] = self.compute(step, values)
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
        self._compute_part(from_, wanted, values)
        if until is None:
            return values
        found = {name: pick(values[name], None) for name in wanted}
        return found[until] if isinstance(until, str) else found

    def _compute_part(self, from_: str | None, wanted: Sequence[str], values: Outputs) -> None:
        readers: dict[str, list[str]] = {}
        for edge in self.edges:
            readers.setdefault(edge.source, []).append(edge.target)
        allowed = reachable([from_], readers) if from_ else set(self.blocks)
        needed = reachable(wanted, self._needs(set(values))) if wanted else allowed
        ready = set(values)
        for step in self.steps(self._phase, ready | (set(self.blocks) - allowed)):
            if step.name not in allowed or step.name not in needed or step.name in values:
                continue
            for name, _, delay in step.sources:
                if name not in values and not delay:
                    if not wanted:
                        break
                    hint = f"and is not computed as it comes before from_={from_!r}" if from_ else "and is not computed"
                    raise RequestError(
                        Fault(f"{self.address}/{step.name}", f"reads {name!r}, which is not given {hint}")
                    )
            else:
                values[step.name] = self.compute(step, values)

    def _needs(self, ready: set[str]) -> dict[str, list[str]]:
        return {n: [s.block for s in b.sources if not s.delay] for n, b in self.blocks.items() if n not in ready}

    def steps(self, phase: str, ready: set[str]) -> list[Step]:
        """The turns of one frame; see `rillnet.model.block.steps_of`."""
        blocks = [self.blocks[name] for name in self.order()]
        return steps_of(blocks, self._modules, phase, ready)

    def compute(self, step: Step, values: Mapping[str, Any]) -> Any:
        """What one block sends, given what it reads; edges with a delay read zeros."""
        read = []
        for source, output, delay in step.sources:
            if delay:
                read.append(self._zeros_like_batch(source, output, values))
            else:
                read.append(pick(values[source], output))
        return self.call(step, read)

    def call(self, step: Step, read: Sequence[Any]) -> Any:
        """Runs one block on what it reads, with transposed shared parameters in place."""
        module = self._modules[step.name]
        if module is None:
            raise RequestError(Fault(f"{self.address}/{step.name}", "is not built: what it reads is not known yet"))
        sent = assembly.call_tied(self, module, step.ties, read) if step.ties else module(*read)
        return module.sent(sent) if isinstance(module, Net) else sent

    def _zeros_like_batch(self, source: str, output: int | None, values: Mapping[str, Any]) -> Tensor:
        kind = self.inputs.get(source) or self.blocks[source].output
        signature: Signature = pick(kind, output)
        like = next((pick(values[name], None) for name in self.inputs if name in values), None)
        if like is None:
            like = pick(next(iter(values.values())), None)
        dtype = like.dtype if like.is_floating_point() and signature.dtype.is_floating_point else signature.dtype
        return torch.zeros(signature.of_batch(like.shape[0]), dtype=dtype, device=like.device)

    def _given(self, positional: Sequence[Any], inputs: dict[str, Any]) -> dict[str, Any]:
        if len(positional) > len(self.inputs):
            raise RequestError(f"{self.address}: takes {len(self.inputs)} inputs, {len(positional)} were given")
        given = dict(zip(self.inputs, positional, strict=False))
        for name, value in inputs.items():
            if name not in self.inputs:
                raise RequestError(Fault(f"{self.address}/{name}", "unknown input", hint=suggest(name, self.inputs)))
            given[name] = value
        return given


def _record(model: type[R], value: Any, place: Path) -> R:
    """A record from what Python code gave for it."""
    try:
        with collecting_later():
            return model.model_validate(value)
    except ValidationError as error:
        raise RequestError(faults_of(error, model, value, place)) from error


def record_of(module: nn.Module) -> BlockSpec | None:
    """The record that would build a module like this one, or None when it does not show its arguments.

    Args:
        module: a block; a nested net tells those of its own blocks.

    Raises:
        RequestError: a block of a nested net does not show its arguments.
    """
    if not isinstance(module, Net):
        return signature_arguments(module)
    inner = module.to_spec().model_dump(mode="json")
    arguments = {"inputs": list(module.inputs), "blocks": inner["blocks"], "outputs": inner["outputs"]}
    return BlockSpec(type="Net", arguments={key: value for key, value in arguments.items() if value})


def _unknown_phases(address: str, excluded: Iterable[str]) -> list[Fault]:
    return [Fault(f"{address}.exclude", "must be train, val or test", x) for x in excluded if x not in PHASES]


def _input_spec(output: Output) -> InputSpec:
    signature: Signature = pick(output, None)
    return InputSpec.model_validate({"shape": signature.shape, "dtype": str(signature.dtype).removeprefix("torch.")})
