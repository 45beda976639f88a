"""Opening data: from a document's record or from objects of Python, to feeds of batches."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from rillnet.data.checking import Settings, at, check, recorded
from rillnet.data.conversion import FieldKind
from rillnet.data.examples import Examples, subset
from rillnet.data.feed import ExamplesFeed, Feed
from rillnet.data.frames import Frames, FramesFeed
from rillnet.data.iterable import PassesFeed
from rillnet.data.live import LiveSource, check_named
from rillnet.data.ordering import held_out
from rillnet.data.passes import Passes
from rillnet.data.policy import Policy
from rillnet.data.source import Source
from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.sources.objects import NAMES, Objects
from rillnet.data.transforms import TRANSFORMS
from rillnet.data.transforms.transform import Transform
from rillnet.errors import DataError, Fault, RequestError
from rillnet.registry import signature_of
from rillnet.spec import PHASES, DataSpec, Phase, TypedSpec


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
        self.seed, self.root = seed, root
        self._names, self._length = tuple(fields), length
        if isinstance(source, DataSpec):
            if settings:
                raise RequestError(f"data: settings stand in the record already: {', '.join(settings)}")
            self.spec, self._objects = source, dict[str, Any]()
            if faults := check(source):
                raise RequestError(faults)
        else:
            self.spec, self._objects = recorded(source, settings)
        self._prepare = self._transforms("prepare", self.spec.prepare)
        self._augment = self._transforms("augment", self.spec.augment)
        self._forget()

    def seeded(self, seed: int, root: Path | None = None) -> Data:
        """The same data, unopened, with an experiment's seed and folder; a folder of its own is kept."""
        other = copy.copy(self)
        other.seed, other.root = seed, self.root or root
        other._forget()
        return other

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Which of train, val, test there are, a held-out val phase included."""
        there = self._open_source().phases()
        held = {"val"} if self.spec.validation else set()
        return tuple(phase for phase in PHASES if phase in {*there, *held})  # type: ignore[misc]

    @property
    def evaluation_phase(self) -> Phase | None:
        """What is evaluated on while training: val if there is one, test otherwise, or nothing."""
        return next((phase for phase in ("val", "test") if phase in self.phases), None)

    def examples(self, phase: Phase) -> Examples | Passes | Frames:
        """The examples of a phase, untransformed.

        Raises:
            RequestError: there is no such phase.
            DataError: its data are missing or damaged.
        """
        if phase not in self.phases:
            raise RequestError(Fault("data", f"has no {phase} phase, but {', '.join(self.phases)}"))
        if phase not in self._opened:
            if self.spec.validation and phase != "test":
                self._hold_out()
            else:
                self._opened[phase] = self._open_source().examples(phase)
        return self._opened[phase]

    def fields(self, phase: Phase) -> dict[str, FieldKind]:
        """Shape of one example and element type by field, after the phase's transforms.

        Raises:
            RequestError: a transform cannot be applied to such examples.
        """
        if phase not in self._fields:
            given = self.examples(phase).fields()
            prepared = self._through("prepare", self._prepare, given)
            if phase == "train" and self._augment:
                augmented = self._through("prepare", self._prepare, self._through("augment", self._augment, given))
                self._check_same(prepared, augmented)
            self._fields[phase] = prepared
        return dict(self._fields[phase])

    def feed(self, phase: Phase, *, batch_size: int | None = None) -> Feed:
        """A feed of a phase, at its beginning.

        The train phase is shuffled and augmented as the record says; others keep their order.

        Args:
            phase: train, val or test.
            batch_size: examples per batch, where it is to be another than the record's.
        """
        examples = self.examples(phase)
        self.fields(phase)
        policy = self._policy(phase, batch_size)
        feed = _feed(examples, policy)
        self._feeds.add(feed)
        return feed

    def settings(self) -> dict[str, Any]:
        """The numbers of the source that can be changed while it shows its streams, by name."""
        source = self._open_source()
        return source.settings() if isinstance(source, LiveSource) else {}

    def check_setting(self, name: str, value: Any) -> None:
        """Looks whether such a number can be set to a value.

        Raises:
            RequestError: there is none of that name, or it cannot be that.
        """
        check_named(self.settings(), name)
        source = self._open_source()
        assert isinstance(source, LiveSource)
        source.check_setting(name, value, f"data/{name}")

    def change(self, name: str, value: Any) -> None:
        """Sets such a number, from the next frame on.

        Raises:
            RequestError: there is none of that name, or it cannot be that.
        """
        self.check_setting(name, value)
        source = self._open_source()
        assert isinstance(source, LiveSource)
        source.change(name, value)
        for feed in self._feeds:
            feed.forget_peeked()

    def close(self) -> None:
        """Ends all processes that read ahead for its feeds."""
        for feed in self._feeds:
            feed.close()

    def _forget(self) -> None:
        self._source: Source | None = None
        self._opened: dict[Phase, Examples | Passes | Frames] = {}
        self._fields: dict[Phase, dict[str, FieldKind]] = {}
        self._feeds: weakref.WeakSet[Feed] = weakref.WeakSet()

    def _policy(self, phase: Phase, batch_size: int | None) -> Policy:
        spec = self.spec
        if phase == "train":
            size = batch_size or spec.batch_size
            return Policy(phase, size, spec.shuffle, spec.drop_last, self.seed, self._augment, self._prepare)
        size = batch_size or spec.evaluation_batch_size or spec.batch_size
        return Policy(phase, size, seed=self.seed, prepare=self._prepare)

    def _open_source(self) -> Source:
        if self._source is None:
            given = self._objects.get("data.source")
            if given is None:
                available = {"base": self.root, "workers": self.spec.workers, "sources": SOURCES}
                taken = signature_of(SOURCES.find(self.spec.source.type))
                supplied = {name: available[name] for name in SUPPLIED if name in taken}
                self._source = SOURCES.build(self.spec.source, **supplied)
            elif isinstance(given, Source) and not isinstance(given, type):
                self._source = given
            else:
                self._source = Objects(given, self._names, self.spec.workers, self._length)
        return self._source

    def _hold_out(self) -> None:
        """Splits the source's training examples into the train and the val phase."""
        source = self._open_source()
        if "val" in source.phases():
            raise RequestError(Fault("data.validation", "must be 0, as the source has a val phase of its own"))
        whole = source.examples("train")
        if isinstance(whole, Passes | Frames):
            what = "an iterable" if isinstance(whole, Passes) else "frames"
            rule = f"must be 0 for {what}, which cannot be split; give it a val phase"
            raise RequestError(Fault("data.validation", rule))
        wanted, count = self.spec.validation, len(whole)
        held = wanted if isinstance(wanted, int) else max(1, round(wanted * count))
        if held >= count:
            raise DataError(f"data.validation: must leave some of the {count} training examples (got {wanted})")
        staying, out = held_out(count, held, self.seed)
        self._opened["train"], self._opened["val"] = subset(whole, staying), subset(whole, out)

    def _transforms(self, kind: str, records: Sequence[TypedSpec]) -> tuple[Transform, ...]:
        objects = ((self._objects.get(f"data.{kind}.{number}"), record) for number, record in enumerate(records))
        return tuple(TRANSFORMS.build(record) if given is None else given for given, record in objects)

    def _through(
        self, kind: str, transforms: Sequence[Transform], fields: dict[str, FieldKind]
    ) -> dict[str, FieldKind]:
        fields = dict(fields)
        for number, transform in enumerate(transforms):
            address = f"data.{kind}.{number}"
            if transform.field not in fields:
                known = ", ".join(fields)
                raise RequestError(Fault(f"{address}.field", "is no field", transform.field, hint=f"known: {known}"))
            shape, dtype = fields[transform.field]
            if not dtype.is_floating_point and not getattr(transform, "of_any_type", False):
                raise RequestError(Fault(f"{address}.field", f"must be of floating numbers, and is {dtype}"))
            try:
                fields[transform.field] = transform.output_shape(shape), dtype
            except RequestError as error:
                raise type(error)(at(address, error.faults)) from error
        return fields

    def _check_same(self, prepared: dict[str, FieldKind], augmented: dict[str, FieldKind]) -> None:
        for name, (shape, _) in prepared.items():
            if augmented[name][0] != shape:
                raise RequestError(
                    Fault(
                        "data.augment",
                        f"must leave {name} as large as it is without, {list(shape)}",
                        list(augmented[name][0]),
                        hint="where it crops, prepare needs a CenterCrop of the same size",
                    )
                )


def _feed(examples: Examples | Passes | Frames, policy: Policy) -> Feed:
    if isinstance(examples, Frames):
        return FramesFeed(examples, policy)
    return PassesFeed(examples, policy) if isinstance(examples, Passes) else ExamplesFeed(examples, policy)


def open_data(
    source: object,
    *,
    seed: int = 0,
    root: Path | None = None,
    fields: Sequence[str] = NAMES,
    length: int | None = None,
    **settings: Unpack[Settings],
) -> Data:
    """Opens data: the source is asked for its phases, and a data set's folder must be there.

    Args:
        source: what `Data` takes; a `Data`, which is given this seed; or a mapping of a `source` and settings.
        seed: the experiment's seed.
        root: the folder that relative paths are relative to; None is the current one.
        fields: what the parts of tuples are called.
        length: examples in an epoch of an iterable that does not tell.
        settings: how examples are drawn into batches, where the source is no `DataSpec`.

    Raises:
        RequestError: the record is wrong.
        DataError: the data are missing.

    Example:
        >>> open_data("Digits", batch_size=32).phases
        ('train', 'test')
    """
    if isinstance(source, Data):
        data = source.seeded(seed, root)
    elif isinstance(source, Mapping) and "source" in source:
        return open_data(**source, seed=seed, root=root)
    else:
        data = Data(source, seed=seed, root=root, fields=fields, length=length, **settings)
    if not data.phases:
        raise DataError("data: the source has no examples for train, val or test")
    return data
