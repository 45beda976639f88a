"""Changes to a document from the command line: `--set run.epochs=1`."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

from rillnet.errors import Fault, Location, RequestError
from rillnet.model.frontends.addresses import Path, address_of, path_from
from rillnet.model.frontends.inheritance import Reading
from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.tree import Mark, Node, opened

_KEY = re.compile(r"[^./\[\]]+([./][^./\[\]]+|\[\d+\])*")
_NETS: tuple[Path, ...] = (("net",), ("net", "extends"))


def overridden(root: Node, override: str, reading: Reading) -> Node:
    """The document with one change; a fault goes to the reading.

    Args:
        root: the document.
        override: `key=value`; the key is a dotted path or an address, the value is read like a value of a document.
            `null` takes a key away.
        reading: the reading the document came from.
    """
    file = f"--set {override}"
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not _KEY.fullmatch(key):
        reading.faults.append(Fault("", "must be key=value, as in run.epochs=3", location=Location(file, 0)))
        return root
    path = path_from(key)
    if path[0] in ("extends", "imports"):
        reading.faults.append(Fault(str(path[0]), "can be given in a document only", location=Location(file, 0)))
        return root
    reading.note(f"{key} {text}")
    try:
        node, faults = parse(text, file, path, numbered=False)
        reading.faults += faults
        root = _changed(root, path, (), Node(node.value, node.mark, node.keys, replaces=True))
    except RequestError as error:
        reading.faults += [Fault(f.address or address_of(path), f.rule, location=f.location) for f in error.faults]
        return root
    return reading.with_net(root, FilePath()) if path in _NETS else root


def _changed(node: Node, path: Path, done: Path, new: Node) -> Node:
    mark: Mark = (new.mark[0], 0, 1)
    step = path[len(done)]
    node = opened(node, done) if node.value is not None else Node({}, mark)
    place: str | int = _position(node, str(step), done, mark) if isinstance(node.value, list) else step
    if not isinstance(node.value, dict | list):
        rule = f"has no {step!r}, as it is {node.value!r}"
        raise RequestError(Fault(address_of(done), rule, location=Location(*mark)))
    child = node.child(place)
    done = (*done, place)
    if len(done) < len(path):
        return node.with_child(place, _changed(child or Node({}, mark), path, done, new), mark)
    removed = new.value is None and child is not None and node.is_mapping
    return node.with_child(place, None if removed else new, mark)


def _position(node: Node, step: str, done: Path, mark: Mark) -> int:
    last = len(node.value) - 1
    if step.isdecimal() and int(step) <= last:
        return int(step)
    rule = f"is a list: {step} must be a position from 0 to {last}" if last >= 0 else "is an empty list"
    raise RequestError(Fault(address_of(done), rule, location=Location(*mark)))
