"""Block types: torch.nn's by class name, rillnet's own, anybody's by import path.

A type's constructor says what may be given; sizes that follow from what the block reads
(`in_channels`, `num_features` ...) are left out of documents and filled in here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import Field
from torch import nn

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.model import layers
from rillnet.model.shapes import Signature
from rillnet.registry import UNTRUSTED, check_arguments, import_path, signature_of, value_rule, written_with_a_dot
from rillnet.spec import BlockSpec

_COMMON = (
    "Conv2d",
    "Linear",
    "ReLU",
    "MaxPool2d",
    "BatchNorm2d",
    "Dropout",
    "Flatten",
    "CrossEntropy",
    "Accuracy",
    "Net",
)
"""The blocks that a message names first."""

_NOT_BLOCKS = {"Module", "Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}


@functools.cache
def block_types() -> dict[str, type[nn.Module]]:
    """Every type that a document may name without an import path; rillnet's own come first."""
    own = {name: getattr(layers, name) for name in layers.__all__ if name != "Metric"}
    torch_types = {
        name: found
        for name, found in vars(nn).items()
        if inspect.isclass(found) and issubclass(found, nn.Module) and name not in _NOT_BLOCKS
        if not name.startswith("Lazy")
    }
    return {**torch_types, **own}


def find_block_type(name: str, *, trust: bool) -> Callable[..., nn.Module]:
    """The class of that name.

    Args:
        name: a name of `block_types()`, or `package.module:Class`.
        trust: whether an import path may be followed; importing runs code.

    Raises:
        RequestError: there is none, or it is not trusted.
    """
    if ":" in name:
        if not trust:
            raise RequestError(Fault("", UNTRUSTED, name))
        found = import_path(name)
        if not callable(found):
            raise RequestError(Fault("", "must name a class or function that makes a module", name))
        return found  # type: ignore[no-any-return]
    types = block_types()
    if name not in types:
        known = [*_COMMON, *sorted({*types, "Net"} - set(_COMMON))]
        hint = written_with_a_dot(name) or near_or_known(name, known, "rillnet list blocks")
        raise RequestError(Fault("", "unknown block type", name, hint=hint))
    return types[name]


# --- sizes that follow from the sources ---------------------------------------------------------


def _channels(sources: Sequence[Signature]) -> int:
    return sources[0].shape[0]


def _features(sources: Sequence[Signature]) -> int:
    return sources[0].shape[-1]


_INFERRED: dict[str, Callable[[Sequence[Signature]], Any]] = {
    "in_channels": _channels,
    "in_features": _features,
    "input_size": _features,
    "num_channels": _channels,
    "num_features": _channels,
    "normalized_shape": _features,
    "embed_dim": _features,
    "d_model": _features,
    "in1_features": _features,
    "in2_features": lambda sources: sources[1].shape[-1],
    "source_shapes": lambda sources: tuple(source.shape for source in sources),
}


INFERRED = tuple(_INFERRED)
"""Arguments of blocks that may be left out, as they follow from what the block reads."""

_BATCH_FIRST: Mapping[str, Any] = {"batch_first": True}


def _defaults(found: Callable[..., nn.Module]) -> Mapping[str, Any]:
    """Sequences come with the batch first, as everything else does."""
    return _BATCH_FIRST if "batch_first" in signature_of(found) else {}


def construct(spec: BlockSpec, sources: Sequence[Signature], *, trust: bool = True) -> nn.Module:
    """The module that a record describes, with the sizes that its sources give.

    Args:
        spec: the record.
        sources: what it reads.
        trust: whether import paths may be followed.

    Raises:
        ValueError: a size is to be inferred, and nothing is read.
    """
    found = find_block_type(spec.type, trust=trust)
    arguments = {**_defaults(found), **_deep_tuples(spec.arguments)}
    if spec.shape is not None and "shape" in signature_of(found):
        arguments.setdefault("shape", tuple(spec.shape))
    for name, parameter in signature_of(found).items():
        if name in _INFERRED and name not in arguments and parameter.default is parameter.empty:
            if not sources:
                raise ValueError("it reads nothing; say what it reads, as in from: name")
            arguments[name] = _INFERRED[name](sources)
    return found(**arguments)


def _deep_tuples(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples: torch's layers compare sizes with tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}


# --- rules that torch's constructors do not check -----------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sizes:
    """One whole number, or one for each dimension.

    Args:
        least: what each must be at least.
        words: what may stand instead.
        is_optional: whether null may.
    """

    least: int
    words: tuple[str, ...] = ()
    is_optional: bool = False

    def broken_by(self, value: Any) -> str:
        """The rule that a value breaks, or nothing."""
        if (value is None and self.is_optional) or (isinstance(value, str) and value in self.words):
            return ""
        if isinstance(value, str) and self.words:
            return "must be a whole number or " + " or ".join(map(repr, self.words))
        items = value if isinstance(value, list | tuple) else [value]
        return next(filter(None, (value_rule(Annotated[int, Field(ge=self.least)], item) for item in items)), "")


_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]

_ARGUMENT_RULES: dict[str, Any] = {
    "kernel_size": _Sizes(1),
    "stride": _Sizes(1, is_optional=True),
    "dilation": _Sizes(1),
    "padding": _Sizes(0, ("same", "valid")),
    "output_padding": _Sizes(0),
    "in_channels": _Count,
    "out_channels": _Count,
    "in_features": _Count,
    "out_features": _Count,
    "num_features": _Count,
    "num_channels": _Count,
    "num_groups": _Count,
    "groups": _Count,
    "input_size": _Count,
    "hidden_size": _Count,
    "num_layers": _Count,
    "num_heads": _Count,
    "embed_dim": _Count,
    "num_embeddings": _Count,
    "embedding_dim": _Count,
    "p": _Share,
    "dropout": _Share,
    "eps": _Positive,
    "bias": bool,
    "affine": bool,
    "inplace": bool,
}
_P_IS_A_NORM = {"LPPool1d", "LPPool2d", "LPPool3d", "PairwiseDistance", "TripletMarginLoss", "MultiMarginLoss"}


def key_of(spec: BlockSpec) -> Hashable | None:
    """What records have in common of which equal modules are made; None where arguments are more than plain values.

    Example:
        >>> key_of(BlockSpec(type="Linear", arguments={"out_features": 3}))
        ('Linear', None, "{'out_features': 3}")
    """
    return (spec.type, spec.shape, repr(spec.arguments)) if _is_plain(spec.arguments) else None


_faultless: set[Hashable] = set()
"""What was checked before and is right: a net may hold thousands of blocks of the same arguments."""

_MOST_FAULTLESS = 65_536


def check_block(spec: BlockSpec, address: str, *, trust: bool = True) -> list[Fault]:
    """Every fault of a block's type and arguments that can be told without its sources."""
    try:
        found = find_block_type(spec.type, trust=trust)
    except RequestError as error:
        return [Fault(f"{address}.type", fault.rule, fault.value, None, fault.hint) for fault in error.faults]
    key = key_of(spec)
    checked = None if key is None else (found, key)
    if checked in _faultless:
        return []
    faults = _faults_of_arguments(spec, found, address)
    if not faults and checked is not None:
        if len(_faultless) >= _MOST_FAULTLESS:
            _faultless.clear()
        _faultless.add(checked)
    return faults


def _faults_of_arguments(spec: BlockSpec, found: Callable[..., nn.Module], address: str) -> list[Fault]:
    inferred = [name for name in _INFERRED if name not in spec.arguments]
    if spec.shape is not None:  # a key of every block, which is an argument of those that need it
        inferred.append("shape")
    hidden = ("device", "dtype") if spec.type in block_types() else ()
    faults = []
    for fault in check_arguments(found, spec.arguments, address, omit=(*inferred, *hidden)):
        name = fault.address.rpartition(".")[2]
        if not (name in _ARGUMENT_RULES and name in spec.arguments):
            faults.append(fault)
    known = signature_of(found)
    for name, value in spec.arguments.items():
        if name not in known or name not in _ARGUMENT_RULES or (name == "p" and spec.type in _P_IS_A_NORM):
            continue
        known_rule = _ARGUMENT_RULES[name]
        rule = known_rule.broken_by(value) if isinstance(known_rule, _Sizes) else value_rule(known_rule, value)
        if rule:
            faults.append(Fault(f"{address}.{name}", rule, value))
    return faults


def signature_arguments(module: nn.Module) -> BlockSpec | None:
    """The record that would build a module like this one, or None when it does not show its arguments.

    torch's and rillnet's layers keep their constructor's arguments as attributes of the same names.
    """
    kind = type(module)
    if block_types().get(kind.__name__) is not kind:
        return None
    arguments: dict[str, Any] = {}
    for name, parameter in signature_of(cast(Callable[..., Any], kind)).items():
        if name in ("device", "dtype", "source_shapes") or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        if not hasattr(module, name):
            if parameter.default is parameter.empty:
                return None
            continue
        value = getattr(module, name)
        if name == "bias" and not isinstance(value, bool):
            value = value is not None
        if isinstance(value, nn.Module) or not _is_plain(value):
            return None
        if value != parameter.default or name in _defaults(kind):
            arguments[name] = list(value) if isinstance(value, tuple) else value
    return BlockSpec(type=kind.__name__, arguments=arguments)


_SCALARS = frozenset((type(None), bool, int, float, str))


def _is_plain(value: Any) -> bool:
    if type(value) in _SCALARS:
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) for key in value) and all(map(_is_plain, value.values()))
    return isinstance(value, bool | int | float | str)
