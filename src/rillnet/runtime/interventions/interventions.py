"""Interventions: what is in force on a net, and what its programs and its executor are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import MOST_LISTED, Fault, RequestError
from rillnet.model.flat import FlatNet, FlatSource
from rillnet.runtime.control.globs import compiled, is_glob
from rillnet.runtime.interventions.bounds import check_numbers
from rillnet.runtime.interventions.changes import BlockChange
from rillnet.runtime.interventions.effects import Effect, effect_of
from rillnet.runtime.interventions.intervening import Intervening, replaced
from rillnet.runtime.interventions.records import InForce, What, prepared
from rillnet.runtime.interventions.targets import Port, Units, find_targets, units_with

Key = tuple[str, str, bytes]

DRAWN = "#drawn"
"""What follows the name of a tensor where a frame is given what is added to it."""


@dataclass(frozen=True)
class Changed:
    """What a change of interventions came to.

    Args:
        targets: what was changed, as it is written.
        before: what stood under each key.
        after: what stands there now.
    """

    targets: tuple[str, ...]
    before: Mapping[Key, InForce | None]
    after: Mapping[Key, InForce | None]


class Interventions:
    """What is done to a running net from outside: clamps, noise and lesions.

    Programs are told which blocks are changed (`key`, `blocks`, `drawn`), and are planned anew only where these
    become others; values stand in buffers. What is drawn is drawn here, whole and by address and frame, and given to
    frames like inputs, so that every kind of program sees the same numbers.

    Args:
        flat: the net.
        dtype: of its floating-point numbers.
        device: where it is.
        seed: the experiment's.

    Example:
        >>> import rillnet as rn
        >>> from rillnet.runtime.interventions.records import Clamp
        >>> net = rn.Net("line", inputs={"x": (2,)}).add("y", rn.Linear(out_features=3))
        >>> interventions = Interventions(rn.Rollout.sequential(net).flat)
        >>> interventions.set("y[1]", Clamp(0.5)).targets, bool(interventions)
        (('y[1]',), True)
        >>> rn.Program(net, interventions=interventions)({"x": torch.ones(1, 2)})[0]["y"][0, 1]
        tensor(0.5000, grad_fn=<SelectBackward0>)
        >>> interventions.remove("all").targets, bool(interventions)
        (('y[1]',), False)
    """

    def __init__(
        self,
        flat: FlatNet,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.flat, self.dtype, self.device, self.seed = flat, dtype, torch.device(device), seed
        self.key = 0
        self.blocks: dict[str, BlockChange] = {}
        self.drawn: dict[str, FlatSource] = {}
        self._in_force: dict[Key, InForce] = {}
        self._by_block: dict[str, dict[Key, InForce]] = {}
        self._inputs: dict[str, Effect] = {}
        self._draws: dict[str, Effect] = {}
        self._last_key = 0
        self._order = 0

    def __len__(self) -> int:
        return len(self._in_force)

    # --- changing -----------------------------------------------------------------------------

    def check(self, target: str, what: What, mask: Any = None) -> list[InForce]:
        """What setting an intervention would put in force; nothing is changed.

        Args:
            target: a block, an edge, a unit or a region, see `rillnet.runtime.interventions.targets`.
            what: a clamp, noise or a lesion.
            mask: units that were drawn, see `rillnet.runtime.interventions.regions.encoded`.

        Raises:
            AddressError: there is no such block or edge.
            RequestError: a region or a value does not fit.
        """
        targets = find_targets(self.flat, target, mask)
        found = [prepared(what, one, self._order + number) for number, one in enumerate(targets, start=1)]
        for one in found:
            units = one.target
            if (
                isinstance(units, Units)
                and isinstance(one.value, Tensor)
                and not units.signature.dtype.is_floating_point
            ):
                check_numbers(
                    self.flat, units.source, one.value[... if units.mask is None else units.mask], units.address
                )
        return found

    def set(self, target: str, what: What, mask: Any = None) -> Changed:
        """Puts an intervention in force until it is removed; the one of its kind on the same target goes.

        Args:
            target: see `check`.
            what: see `check`.
            mask: see `check`.
        """
        added = self.check(target, what, mask)
        self._order += len(added)
        return self._exchange({one.key: one for one in added}, [one.text for one in added])

    def remove(self, target: str, mask: Any = None) -> Changed:
        """Ends interventions.

        Args:
            target: `all`; a block, for all that is done to what it sends; units, which are taken out of what is in
                force on more of them; an edge; or a pattern of blocks, or of what is in force as it is written.
            mask: units that were drawn.

        Raises:
            RequestError: nothing is in force there.
        """
        gone = self.to_remove(target, mask)
        return self._exchange(gone, list(dict.fromkeys(key[1] for key in gone if key in self._in_force)))

    def to_remove(self, target: str, mask: Any = None) -> dict[Key, InForce | None]:
        """What `remove` would take away, and put in the place of what is only taken in part; nothing is changed."""
        if target == "all" and mask is None:
            found: dict[Key, InForce | None] = dict.fromkeys(self._in_force)
        else:
            is_named = mask is None and (is_glob(target) or target.endswith(" units)"))
            found = self._named(target) if is_named else self._covered(target, mask)
        if not found:
            texts = list(dict.fromkeys(one.text for one in self._in_force.values()))
            rest = [f"and {len(texts) - MOST_LISTED} more"] if len(texts) > MOST_LISTED else []
            hint = f"in force: {', '.join([*texts[:MOST_LISTED], *rest])}" if texts else "nothing is in force"
            raise RequestError(Fault("restore", "nothing is done to it", target, hint=hint))
        return found

    def _named(self, target: str) -> dict[Key, InForce | None]:
        """What is in force on a target as it is written, or on all that match a pattern."""
        if not is_glob(target):
            return {key: None for key, one in self._in_force.items() if one.text == target}
        matches = compiled(target).fullmatch
        found: dict[Key, InForce | None] = {}
        for key, one in self._in_force.items():
            names = [one.text]
            if isinstance(one.target, Units):
                names += [one.target.source.block, one.target.source.name]
            if any(matches(name) for name in names):
                found[key] = None
        return found

    def _covered(self, target: str, mask: Any) -> dict[Key, InForce | None]:
        """What is in force on the units or edges of a target, or on more than them."""
        found: dict[Key, InForce | None] = {}
        for one in find_targets(self.flat, target, mask):
            for key, there in self._in_force.items():
                own = there.target
                if isinstance(one, Port) and isinstance(own, Port) and (one.reader, one.port) == (own.reader, own.port):
                    found[key] = None
                if isinstance(one, Units) and isinstance(own, Units) and one.source == own.source:
                    found |= _without(there, one)
        return found

    def _exchange(self, wanted: Mapping[Key, InForce | None], targets: Sequence[str]) -> Changed:
        """Puts some interventions in the place of others; None removes."""
        replacements = {one.key for one in wanted.values() if one is not None}
        before = {key: self._in_force.get(key) for key in {**wanted, **dict.fromkeys(replacements)}}
        self._put(dict.fromkeys(wanted) | {one.key: one for one in wanted.values() if one is not None})
        return Changed(tuple(targets), before, {key: self._in_force.get(key) for key in before})

    def undo(self, changed: Changed) -> None:
        """Puts back what was there before a change, as far as nothing else has changed it since.

        Args:
            changed: by `set` or `remove`, maybe before the net was edited or a checkpoint was gone back to.
        """
        back: dict[Key, InForce | None] = {}
        for key, one in changed.before.items():
            if _order(self._in_force.get(key)) == _order(changed.after[key]):
                back[key] = None if one is None else InForce.of_record(self.flat, one.record())
        self._put(back)

    def _put(self, wanted: Mapping[Key, InForce | None]) -> None:
        blocks: dict[str, None] = {}
        for key, one in wanted.items():
            for changed in (self._in_force.pop(key, None), one):
                if changed is None:
                    continue
                block = _block_of(changed)
                blocks[block] = None
                if changed is one:
                    self._in_force[key] = one
                    self._by_block.setdefault(block, {})[key] = one
                else:
                    del self._by_block[block][key]
        self._update(blocks)

    # --- what programs and executors are told -------------------------------------------------

    def _update(self, blocks: Iterable[str]) -> None:
        """Works out anew what is done to some blocks and inputs."""
        is_other = [self._update_block(block) for block in blocks]
        if any(is_other):
            self._last_key += 1
            self.key = self._last_key if self.blocks else 0

    def _update_block(self, block: str) -> bool:
        """Whether other ports or tensors of a block are changed than before, or others drawn for."""
        entries = list(self._by_block.get(block, {}).values())
        by_source: dict[FlatSource, list[InForce]] = {}
        for one in entries:
            if isinstance(one.target, Units):
                by_source.setdefault(one.target.source, []).append(one)
        effects = {source: self._effect(source, by_source[source]) for source in sorted(by_source, key=_place)}
        if block in self.flat.inputs:
            self._inputs.pop(block, None)
            self._inputs |= {source.block: effect for source, effect in effects.items()}
            return False
        drawn = {source.name + DRAWN: source for source, effect in effects.items() if effect.draws}
        for name in [name for name, source in self.drawn.items() if source.block == block and name not in drawn]:
            del self.drawn[name], self._draws[name]
        self.drawn |= drawn
        self._draws |= {name: effects[source] for name, source in drawn.items()}
        silent = frozenset(one.target.port for one in entries if isinstance(one.target, Port))
        return self._change(block, silent, effects, tuple(drawn))

    def _effect(self, source: FlatSource, entries: Sequence[InForce]) -> Effect:
        target = entries[0].target
        assert isinstance(target, Units)
        return effect_of(target.signature, entries, self.dtype, self.device)

    def _change(
        self, block: str, silent: frozenset[int], effects: Mapping[FlatSource, Effect], drawn: tuple[str, ...]
    ) -> bool:
        old = self.blocks.get(block)
        places = [source.place for source in effects]
        module = old.module if old is not None else None
        same = module is not None and list(module.places) == places and old is not None and old.drawn == drawn
        if module is not None and same:
            for number, effect in enumerate(effects.values()):
                module.put(number, effect.mask, effect.value)
        elif effects:
            found = list(effects.values())
            masks, values = [one.mask for one in found], [one.value for one in found]
            module = Intervening(places, masks, values, [bool(one.draws) for one in found])
        else:
            module = None
        if old is not None and old.module is module and old.silent == silent:
            return False
        self.blocks.pop(block, None)
        if module is not None or silent:
            self.blocks[block] = BlockChange(silent, module, drawn)
        return True

    def entered(self, inputs: Mapping[str, Tensor], *frame: str | int) -> Mapping[str, Tensor]:
        """The inputs of a frame as the net sees them, with what is drawn for its blocks.

        Args:
            inputs: by name, with all streams.
            frame: what tells the frame from all others: its phase and its number.
        """
        if not self._in_force:
            return inputs
        streams = next((tensor.shape[0] for tensor in inputs.values() if tensor.dim()), 1)
        found = dict(self.seen(inputs, *frame))
        for name, effect in self._draws.items():
            found[name] = effect.drawn(streams, self.seed, frame)
        return found

    def seen(self, inputs: Mapping[str, Tensor], *frame: str | int) -> Mapping[str, Tensor]:
        """The inputs of a frame as the net sees them.

        Args:
            inputs: by name, with all streams.
            frame: what tells the frame from all others: its phase and its number.
        """
        if not self._inputs:
            return inputs
        found = dict(inputs)
        for name, effect in self._inputs.items():
            if name in found:
                tensor = found[name]
                drawn = effect.drawn(len(tensor), self.seed, frame) if effect.draws else None
                found[name] = replaced(tensor, (), effect.mask, effect.value, drawn)
        return found

    # --- telling and keeping ------------------------------------------------------------------

    def describe(self) -> list[dict[str, Any]]:
        """What is in force, as JSON says it: kind, target, block or edge, how many of its units, the value."""
        return [one.described() for one in self._ordered()]

    def state(self) -> list[dict[str, Any]]:
        """All that is in force, as JSON says it, for a checkpoint."""
        return [one.record() for one in self._ordered()]

    def load(self, state: Iterable[Mapping[str, Any]]) -> list[str]:
        """Puts in force what `state` gave, and nothing else.

        Args:
            state: the records.

        Returns:
            The targets that are no longer there, or of another shape.
        """
        found, lost = [], []
        for record in state:
            one = InForce.of_record(self.flat, record)
            if one is None:
                lost.append(str(record["text"]))
            else:
                found.append(one)
        self._put({**dict.fromkeys(self._in_force), **{one.key: one for one in found}})
        self._order = max((one.order for one in found), default=self._order)
        return lost

    def moved_to(self, flat: FlatNet) -> Interventions:
        """The same interventions on a net that may have changed; what is no longer there is left out.

        Args:
            flat: the net.
        """
        if flat is self.flat:
            return self
        moved = Interventions(flat, dtype=self.dtype, device=self.device, seed=self.seed)
        moved.load(self.state())
        return moved

    def _ordered(self) -> list[InForce]:
        return sorted(self._in_force.values(), key=lambda one: one.order)


def _place(source: FlatSource) -> tuple[int, ...]:
    return source.place


def _order(one: InForce | None) -> int | None:
    return None if one is None else one.order


def _block_of(one: InForce) -> str:
    return one.target.reader if isinstance(one.target, Port) else one.target.source.block


def _without(there: InForce, units: Units) -> dict[Key, InForce | None]:
    """An intervention with some units taken out; nothing where it has none of them."""
    target = there.target
    assert isinstance(target, Units)
    if units.mask is None:
        return {there.key: None}
    whole = torch.ones(units.signature.shape, dtype=torch.bool) if target.mask is None else target.mask
    left = whole & ~units.mask
    if bool((left == whole).all()):
        return {}
    if not bool(left.any()):
        return {there.key: None}
    return {there.key: replace(there, target=units_with(target.source, target.signature, left))}
