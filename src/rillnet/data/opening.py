"""Opening data: from a document's record or from objects of Python, to feeds of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pydantic import ValidationError

from rillnet.data.checking import at, check, given_in_python
from rillnet.data.conversion import FieldKind
from rillnet.data.examples import Examples, Source, subset
from rillnet.data.feed import ExamplesFeed, Feed
from rillnet.data.iterable import PassesFeed
from rillnet.data.ordering import held_out
from rillnet.data.passes import Passes
from rillnet.data.policy import Policy
from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.sources.objects import NAMES, Objects
from rillnet.data.transforms import TRANSFORMS
from rillnet.data.transforms.transform import Transform
from rillnet.errors import DataError, Fault, RequestError
from rillnet.registry import rule_of, signature_of
from rillnet.spec import DataSpec, Phase, TypedSpec


class Settings(TypedDict, total=False):
    """How examples are drawn into batches; what each means says `DataSpec`."""

    batch_size: int
    evaluation_batch_size: int | None
    shuffle: bool
    drop_last: bool
    validation: int | float
    prepare: Sequence[Transform | TypedSpec | Mapping[str, Any] | str]
    augment: Sequence[Transform | TypedSpec | Mapping[str, Any] | str]
    workers: int


class Data:
    """The data of an experiment: a source, and how its examples are drawn into batches.

    Making one reads nothing; a phase is opened when it is first asked for.

    Args:
        source: a record of a document (`DataSpec`), the name of a source or a record of one, a source, or any
            object that `Objects` describes: arrays by field, a torch data set, a `DataLoader`, an iterable ...
        seed: the experiment's seed.
        root: the folder that relative paths are relative to; None is the current one.
        fields: what the parts of tuples are called, in arrays and data sets.
        length: examples in an epoch of an iterable that does not tell.
        settings: `batch_size`, `evaluation_batch_size`, `shuffle`, `drop_last`, `validation`, `prepare`, `augment`,
            `workers`, as in `DataSpec`; not together with a `DataSpec`.

    Attributes:
        spec: the record of all that; objects of Python are only named in it.

    Raises:
        RequestError: with every fault of the record.

    Example:
        >>> import torch
        >>> data = Data({"image": torch.zeros(10, 1, 8, 8), "label": torch.arange(10)}, batch_size=4, validation=2)
        >>> data.phases, data.evaluation_phase
        (('train', 'val'), 'val')
        >>> data.fields("train")
        {'image': ((1, 8, 8), torch.float32), 'label': ((), torch.int64)}
        >>> data.feed("train").next()["image"].shape
        torch.Size([4, 1, 8, 8])
    """

    def __init__(
        self,
        source: object,
        *,
        seed: int = 0,
        root: Path | None = None,
        fields: Sequence[str] = NAMES,
        length: int | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        self._given, self._settings, self.seed, self._root = source, settings, seed, root
        self._names, self._length = fields, length
        transforms = {kind: list(settings.pop(kind, ())) for kind in ("prepare", "augment")}  # type: ignore[misc]
        self.spec, made_in_python = _record(source, settings, transforms)
        faults = check(_without_python(self.spec))
        if faults:
            raise RequestError(faults)
        self._source = source if made_in_python else None
        self._prepare = _built(self.spec.prepare, transforms["prepare"])
        self._augment = _built(self.spec.augment, transforms["augment"])
        self._opened: dict[Phase, Examples | Passes] = {}
        self._feeds: list[Feed] = []
