"""What a run goes on with when processes are lost: on how many, and how the document's placement fits them."""

from __future__ import annotations

from rillnet.errors import Fault, RequestError
from rillnet.runtime.placement.mesh import MODEL_AXIS
from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec


def asked_by(spec: PlacementSpec) -> int:
    """How many processes a placement asks for: as many as its locations need, where it gives no number.

    Example:
        >>> asked_by(PlacementSpec(blocks={"head": {"location": 2}})), asked_by(PlacementSpec(mesh={"data": 4}))
        (3, 4)
    """
    places = [one.location + 1 for one in (spec.default, *spec.blocks.values()) if one.location is not None]
    return spec.mesh_size or spec.processes or max(places, default=1)


def fewer(spec: PlacementSpec, processes: int) -> int | None:
    """With how many processes a run goes on when one of them is lost.

    One fewer; with a mesh as many as keep its axis `model`, whose processes hold the parts of one net between them.

    Args:
        spec: what the document says.
        processes: how many there were.

    Returns:
        The number; None where the document does not allow fewer.

    Example:
        >>> spec = PlacementSpec(mesh={"data": 3, "model": 2}, elastic={})
        >>> fewer(spec, 6), fewer(spec, 4), fewer(spec, 2), fewer(spec, 1)
        (4, 2, 1, None)
    """
    if spec.elastic is None or processes <= spec.elastic.min:
        return None
    model = spec.mesh.get(MODEL_AXIS, 1) if len(spec.mesh) > 1 else 1
    whole = (processes - 1) // model * model
    return whole if whole >= spec.elastic.min else processes - 1


def fitted(spec: PlacementSpec, processes: int) -> PlacementSpec:
    """A placement on fewer processes than it asks for.

    The axis `model` of a mesh keeps its size, or becomes the largest smaller one that divides the processes, and `data`
    is what remains. A block whose location is gone is computed by the process `location` modulo their number.

    Args:
        spec: what the document says.
        processes: how many are there.

    Returns:
        The same placement where nothing is missing.

    Raises:
        RequestError: the document does not allow so few.

    Example:
        >>> spec = PlacementSpec(mesh={"data": 2, "model": 2}, blocks={"head": {"location": 3}}, elastic={})
        >>> fitted(spec, 2).mesh, fitted(spec, 3).mesh, fitted(spec, 2).blocks["head"].location
        ({'data': 1, 'model': 2}, {'data': 3, 'model': 1}, 1)
    """
    if spec.elastic is None or processes >= asked_by(spec):
        return spec
    if processes < spec.elastic.min:
        rule = f"is more than the {processes} that {'is' if processes == 1 else 'are'} left"
        raise RequestError(Fault("placement.elastic.min", rule, spec.elastic.min))
    blocks = {pattern: _within(one, processes) for pattern, one in spec.blocks.items()}
    kept = {"mesh": _mesh(spec.mesh, processes), "default": _within(spec.default, processes), "blocks": blocks}
    return spec.model_copy(update={**kept, "processes": processes})


def _mesh(mesh: dict[str, int], processes: int) -> dict[str, int]:
    if len(mesh) < 2:
        return dict.fromkeys(mesh, processes)
    model = max(size for size in range(1, mesh[MODEL_AXIS] + 1) if not processes % size)
    return {axis: model if axis == MODEL_AXIS else processes // model for axis in mesh}


def _within(one: BlockPlacement, processes: int) -> BlockPlacement:
    return one if one.location is None else one.model_copy(update={"location": one.location % processes})
