"""Scaling to 32 and 1,024 devices by the model of costs, with published figures of machines; writes the tables.

    python benchmarks/scaling.py                 prints the tables of docs/scaling.md
    python benchmarks/scaling.py --write PAGE    puts them into a page, between its marks

Nothing is measured: the same figures come out everywhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rillnet as rn
from rillnet.model.frontends import yaml
from rillnet.model.nets import path_of
from rillnet.runtime.placement.costs import Costs, costs_of
from rillnet.runtime.placement.machines import DEVICES, LINKS, Machine, machine_of
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.work import Counts

NETS = ("alexnet", "vgg_a", "googlenet", "resnet50")
MINWA = "K40, InfiniBand FDR, 4 per host"
MODERN = "A100, InfiniBand HDR, 8 per host"
SLOW = "K40, 10 GbE, 4 per host"

DENSE = {"fc*": "feature", "relu6": "feature", "relu7": "feature", "drop*": "feature", "logits": "feature"}
"""Dense layers by feature, everything before them by batch: Krizhevsky's one weird trick."""


class Model:
    """A ready net on any number of devices.

    Args:
        name: the net.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        net = rn.Net.from_spec(yaml.read(path_of(name)).net(), device="meta")
        self.rollout = rn.Rollout.sequential(net)
        self.counts = Counts(self.rollout)

    def costs(self, machine: Machine, batch: int, **placement: Any) -> Costs:
        """A step under a placement."""
        blocks = {name: kind for name, kind in placement.pop("blocks", {}).items() if self._has(name)}
        spec = PlacementSpec.model_validate({**placement, "blocks": blocks})
        return costs_of(PlacementPlan(self.rollout, spec), batch, machine, copies=1, counts=self.counts)

    def _has(self, pattern: str) -> bool:
        start = pattern.rstrip("*")
        return any(
            name.startswith(start) if pattern.endswith("*") else name == start for name in self.rollout.flat.blocks
        )


def main(arguments: list[str] | None = None) -> int:
    """Prints or writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--write", type=Path, metavar="PAGE")
    asked = parser.parse_args(arguments)
    models = [Model(name) for name in NETS]
    tables = {
        "machines": machines(),
        "weak": scaling(models, fixed=False),
        "baidu": baidu(models),
        "thousand": thousand(models),
        "trick": trick(models),
    }
    if asked.write is None:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in tables.items()))
        return 0
    page = asked.write.read_text(encoding="utf-8")
    for name, text in tables.items():
        begin, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(begin)
        _, mark, after = rest.partition(end)
        assert mark, f"{asked.write} has no table {name}"
        page = f"{before}{begin}\n{text}\n{mark}{after}"
    asked.write.write_text(page, encoding="utf-8")
    return 0


def _rows(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heading, rule, *rows))


def machines() -> str:
    """What is published."""
    devices = [
        (name, f"{d.flops / 1e12:g}", f"{d.memory_bandwidth / 1e9:g}", f"{d.memory / 1e9:g}", d.link)
        for name, d in DEVICES.items()
    ]
    links = [(name, f"{link.bandwidth / 1e9:.3g}", f"{link.latency * 1e6:g}") for name, link in LINKS.items()]
    first = _rows(("device", "TFLOP/s", "memory GB/s", "memory GB", "link within a host"), devices)
    return first + "\n\n" + _rows(("link", "GB/s in one direction", "latency, us (assumed)"), links)


def _gain(
    model: Model, machine: Machine, count: int, batch: Callable[[int], int], **placement: Any
) -> tuple[float, Costs]:
    """How many times the examples a second of one device, and the step."""
    alone = model.costs(machine, batch(1), processes=1)
    axes = {} if "mesh" in placement else {"processes": count}
    placed = model.costs(machine, batch(count), **axes, **placement)
    return (batch(count) / placed.step_s) / (batch(1) / alone.step_s), placed


def scaling(models: Sequence[Model], *, fixed: bool) -> str:
    """All batch on 8, 32, 128 and 1,024 devices, 64 examples on each."""
    rows = []
    for text in (MINWA, MODERN):
        for model in models:
            gains = [_gain(model, machine_of(text), n, lambda n: 64 * n)[0] for n in (8, 32, 128, 1024)]
            rows.append((model.name, text, *(f"{gain:.1f}" for gain in gains)))
    return _rows(("net", "machine", "8", "32", "128", "1,024"), rows)


def baidu(models: Sequence[Model]) -> str:
    """32 devices of Deep Image's cluster."""
    machine = machine_of(MINWA)
    mesh = {"data": 8, "model": 4}
    rows = []
    for model in models:
        batch = _gain(model, machine, 32, lambda n: 32 * n)[0]
        large = _gain(model, machine, 32, lambda n: 64 * n)[0]
        dense = _gain(model, machine, 32, lambda n: 32 * n, blocks=DENSE)[0]
        mixed = _gain(model, machine, 32, lambda n: 32 * n, mesh=mesh, blocks=DENSE)[0]
        rows.append((model.name, *(f"{gain:.1f}" for gain in (batch, large, dense, mixed))))
    heading = (
        "net",
        "batch, 32 on each",
        "batch, 64 on each",
        "dense by feature over 32",
        "dense by feature over 4 of a host",
    )
    return _rows(heading, rows)


def thousand(models: Sequence[Model]) -> str:
    """1,024 devices with the batch growing, and with a batch of 8,192."""
    rows = []
    for text in (MINWA, MODERN):
        for model in models:
            machine = machine_of(text)
            grown, placed = _gain(model, machine, 1024, lambda n: 64 * n)
            fixed, _ = _gain(model, machine, 1024, lambda n: 8192 if n > 1 else 64)
            rows.append(
                (
                    model.name,
                    text,
                    f"{grown:,.0f}",
                    f"{grown / 1024:.0%}",
                    f"{fixed:,.0f}",
                    f"{placed.reduced / 1e9:,.0f}",
                )
            )
    return _rows(("net", "machine", "64 on each", "of 1,024", "8,192 in all", "GB sent a step (64 on each)"), rows)


def trick(models: Sequence[Model]) -> str:
    """AlexNet and VGG on 8 devices over a slow link: what each placement sends, and how fast it is."""
    machine, rows = machine_of(SLOW), []
    ways: dict[str, dict[str, Any]] = {
        "all batch": {"processes": 8},
        "dense by feature": {"processes": 8, "blocks": DENSE},
        "dense by feature over 4 of a host": {"mesh": {"data": 2, "model": 4}, "blocks": DENSE},
        "all feature": {"processes": 8, "default": "feature"},
    }
    for model in models[:2]:
        alone = model.costs(machine, 128, processes=1).step_s
        for name, placement in ways.items():
            found = model.costs(machine, 1024, **placement)
            gain = alone * 8 / found.step_s
            edges, reduced = found.crossing / 1e9, found.reduced / 1e9
            rows.append(
                (model.name, name, f"{found.step_s * 1e3:,.0f}", f"{gain:.2f}", f"{edges:.2f}", f"{reduced:.2f}")
            )
    return _rows(("net", "placement", "ms a step", "times one", "GB on edges", "GB of gradients"), rows)


if __name__ == "__main__":
    sys.exit(main())
