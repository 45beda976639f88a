"""A document as it was read: its values, the places of its values, and the records they make."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import ValidationError

from rillnet.errors import Fault, Location, RequestError
from rillnet.model.frontends.addresses import Path
from rillnet.model.frontends.expansion import Vocabulary
from rillnet.model.frontends.faults import faults_of
from rillnet.model.frontends.tree import Node, locating, path_of, place_of
from rillnet.model.frontends.unfolding import unfolded_tree
from rillnet.model.garbage import collecting_later
from rillnet.spec import ExperimentSpec, NetSpec, Record

R = TypeVar("R", bound=Record)


class Document:
    """An experiment, or a net, as a text says it.

    Args:
        root: its values with their places.
        files: what it was read from, its own file first.
        vocabulary: the words of its own, for messages.

    Attributes:
        values: what it says, after `extends` and overrides, with modules, tags and globals in place, and with blocks
            that are written as sources of others on their own.
        files: what it was read from, its own file first.
        notes: what is no fault but may be a mistake, such as a module without instances.
    """

    def __init__(self, root: Node, files: Iterable[FilePath], vocabulary: Vocabulary = Vocabulary()) -> None:  # noqa: B008
        self._root = unfolded_tree(root)
        self._vocabulary = vocabulary
        self.notes = list(vocabulary.notes)
        self.files: list[FilePath] = list(files)
        self.values: dict[str, Any] = self._root.plain()

    def __repr__(self) -> str:
        return f"Document({', '.join(self.values)}; read from {', '.join(map(str, self.files)) or 'text'})"

    def locate(self, path: Path) -> Location | None:
        """Where a value stands; of a mapping or a list, where its key does. None if there is no such value.

        Args:
            path: the keys and positions that lead to it, `("run", "epochs")`.
        """
        return place_of(self._root, tuple(path))

    def locate_address(self, address: str) -> Location | None:
        """Where the value that an address names stands, or the nearest one that encloses it.

        Args:
            address: `net/conv1.kernel_size`, `learning/main.optimizer.lr`, `run.epochs`.
        """
        if not address or address.startswith("-"):  # an option of the command line stands in no document
            return None
        return place_of(self._root, path_of(self._root, address))

    def located(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults with their places, in the order of the document; those without a place come last."""
        return self.ordered(fault.at(self.locate_address(fault.address)) for fault in faults)

    def ordered(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults in the order of the text, that of the document's own file first."""
        files = {str(file): number for number, file in enumerate(self.files)}

        def order(fault: Fault) -> tuple[int, int, int]:
            place = fault.location
            if place is None:
                return len(files) + 2, 0, 0
            # An option of the command line has no line, and comes after all files.
            return files.get(place.file, len(files) + (place.line == 0)), place.line, place.column

        return sorted(map(self._vocabulary.explained, faults), key=order)

    def experiment(self) -> ExperimentSpec:
        """The record of an experiment.

        Raises:
            RequestError: holds every fault of the document, each with its place.
        """
        return self._record(ExperimentSpec, self.values, ())

    def net(self) -> NetSpec:
        """The record of the net alone.

        Raises:
            RequestError: holds every fault of the net, each with its place.
        """
        if "net" not in self.values:
            raise RequestError(self.located([Fault("net", "is required")]))
        return self._record(NetSpec, self.values["net"], ("net",))

    def _record(self, model: type[R], values: Any, prefix: Path) -> R:
        try:
            with collecting_later():
                return model.model_validate(values)
        except ValidationError as error:
            faults = faults_of(error, model, values, prefix, locating(self._root))
            raise RequestError(self.ordered(faults)) from None
