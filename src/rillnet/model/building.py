"""From records to modules: sizes inferred through the whole net, then parameters drawn by address."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError, ShapeError, first_line
from rillnet.model.layers.initializers import find_initializer
from rillnet.model.registry import check_block, construct, key_of
from rillnet.model.shapes import Output, Signature, infer, pick, shape_error
from rillnet.model.twins import Recipe, Twins
from rillnet.random import derive
from rillnet.spec import BlockSpec

Inference = dict[Hashable, Output]
"""Outputs that are known already, by what they follow from: isomorphic blocks are inferred once."""


def build_block(
    spec: BlockSpec,
    address: str,
    sources: Sequence[tuple[str, Output]],
    *,
    seed: int,
    device: torch.device | str | None,
    trust: bool,
    known: Inference,
    twins: Twins | None = None,
) -> tuple[nn.Module, Output]:
    """The module of a record, its parameters drawn for its address, and what it sends.

    Args:
        spec: the record.
        address: `net/conv1`, which names the draw.
        sources: what it reads, by name.
        seed: the net's seed.
        device: where parameters go; `meta` allocates nothing.
        trust: whether import paths may be followed.
        known: outputs inferred before; added to.
        twins: how copies are made of equal modules; added to.

    Raises:
        RequestError: the type or its arguments are wrong, or it cannot work on what it reads.
    """
    making = _Making(spec, address, sources, seed, trust, twins)
    output = None if making.key is None else known.get(making.key)
    if output is None:  # else an equal block was checked before
        faults = check_block(spec, address, trust=trust)
        if faults:
            raise RequestError(faults)
    described = None
    if ":" not in spec.type and (output is None or _is_meta(device)):
        described = making.on("meta")
    module = described if described is not None and _is_meta(device) else making.on(device)
    if output is None:
        output = infer_output(module if described is None else described, address, spec.type, sources)
        if making.key is not None:
            known[making.key] = output
    return module, output


def infer_output(module: nn.Module | None, address: str, kind: str, sources: Sequence[tuple[str, Output]]) -> Output:
    """What a module sends, or a `ShapeError` that names the block, its sources and their shapes."""
    assert module is not None
    try:
        return infer(module, [output for _, output in sources])
    except Exception as error:  # any error of a foreign forward, told again with the block's address
        raise shape_error(address, kind, sources, error) from error


def _is_meta(device: torch.device | str | None) -> bool:
    return device is not None and torch.device(device).type == "meta"


class _Making:
    """How the module of a checked record is made.

    Args:
        spec: the record.
        address: which names the draw.
        sources: what it reads, by name.
        seed: the net's seed.
        trust: whether import paths may be followed.
        twins: how copies are made of equal modules.
    """

    def __init__(
        self,
        spec: BlockSpec,
        address: str,
        sources: Sequence[tuple[str, Output]],
        seed: int,
        trust: bool,
        twins: Twins | None,
    ) -> None:
        self.spec, self.address, self.sources = spec, address, sources
        self.seed, self.trust, self.twins = seed, trust, twins
        own = key_of(spec)
        self.key = None if own is None else (own, *(output for _, output in sources))

    def on(self, device: torch.device | str | None) -> nn.Module:
        """The module on a device; drawn on the CPU, so that the device does not change the numbers."""
        try:
            return self._described() if _is_meta(device) else self._drawn(device)
        except (RequestError, ShapeError):
            raise
        except Exception as error:  # whatever a constructor raises on arguments that it does not accept
            read = ", ".join(f"{name} {output}" for name, output in self.sources)
            rule = f"{self.spec.type} cannot be made: {first_line(error)}" + (f"; it reads {read}" if read else "")
            raise RequestError(Fault(self.address, rule)) from error

    def _described(self) -> nn.Module:
        recipe = self._recipe("meta")
        if recipe is not None and not self.spec.initial:
            return recipe.make()
        with torch.device("meta"):
            module = self._made("meta")
            draw_initial(module, self.spec.initial, self.address)
        return module

    def _drawn(self, device: torch.device | str | None) -> nn.Module:
        recipe = self._recipe("cpu")
        if recipe is not None and not recipe.draws and not self.spec.initial:
            module = recipe.make()
        else:
            with _seeded(derive(self.seed, self.address)), _on_cpu():
                module = self._made("cpu")
                draw_initial(module, self.spec.initial, self.address)
        is_there = device is None or (torch.device(device).type == "cpu" and ":" not in self.spec.type)
        return module if is_there else module.to(device)

    def _recipe(self, device: str) -> Recipe | None:
        return None if self.twins is None or self.key is None else self.twins.recipe((device, self.key))

    def _made(self, device: str) -> nn.Module:
        if self.twins is None or self.key is None or ":" in self.spec.type:
            return self._constructed()
        return self.twins.make((device, self.key), self._constructed)

    def _constructed(self) -> nn.Module:
        flat: list[Signature] = [pick(output, None) for _, output in self.sources]
        return construct(self.spec, flat, trust=self.trust)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws on the CPU from a seed meanwhile, and goes on as before afterwards."""
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def _on_cpu() -> contextlib.AbstractContextManager[Any]:
    """Tensors are made on the CPU meanwhile; where they are anyway, torch's own way would slow every call down."""
    return contextlib.nullcontext() if torch.empty(0).is_cpu else torch.device("cpu")


def draw_module(
    spec: BlockSpec,
    address: str,
    sources: Sequence[tuple[str, Output]],
    seed: int,
    trust: bool,
    twins: Twins | None = None,
) -> nn.Module:
    """The module of a checked record on the CPU, its parameters drawn for its address."""
    return _Making(spec, address, sources, seed, trust, twins).on(None)


def check_initial(initial: Mapping[str, Any], address: str) -> list[Fault]:
    """Faults of a block's `initial`: unknown initialisers."""
    faults = []
    for name, value in initial.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            continue
        kind = value.get("type") if isinstance(value, Mapping) else value
        if find_initializer(str(kind)) is None:
            rule = "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init"
            faults.append(Fault(f"{address}.initial.{name}", rule, kind))
    return faults


def draw_initial(module: nn.Module, initial: Mapping[str, Any], address: str) -> None:
    """Draws parameters as a record's `initial` says, from the current random state.

    Raises:
        RequestError: an initialiser is unknown, does not fit, or names no parameter.
    """
    if not initial:
        return
    faults = check_initial(initial, address)
    if faults:
        raise RequestError(faults)
    parameters = dict(module.named_parameters())
    for name, value in initial.items():
        if name not in parameters:
            rule = f"names no parameter; known: {', '.join(parameters) or 'none'}"
            raise RequestError(Fault(f"{address}.initial.{name}", rule))
        if isinstance(value, int | float):
            nn.init.constant_(parameters[name], value)
            continue
        arguments = dict(value) if isinstance(value, Mapping) else {"type": value}
        initializer = find_initializer(str(arguments.pop("type")))
        assert initializer is not None
        try:
            initializer(parameters[name], **arguments)
        except (TypeError, ValueError) as error:
            raise RequestError(Fault(f"{address}.initial.{name}", str(error))) from error
