"""How long a net of many pools takes to set up, and how much memory: from records, by `Net.add`, from a document.

python benchmarks/setup.py [--largest] [--ways records add yaml]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

UNITS, SOURCES = 16, 4
SIZES, LARGEST = (100, 1_000, 10_000), 100_000
WAYS = ("records", "add", "yaml")
_TIMES = ("build_s", "build_cpu_s", "rollout_s", "response_s")


def read_by(number: int) -> dict[str, list[str]]:
    """What each of so many pools reads: pools drawn at random, one frame ago; the first one reads the input too."""
    draw = random.Random(0)
    read = {f"p{pool}": [f"p{draw.randrange(number)}@-1" for _ in range(SOURCES)] for pool in range(number)}
    read["p0"][0] = "x"
    return read


def records(number: int) -> dict[str, Any]:
    """A net of pools, each of which reads one synapse of four sources."""
    blocks = {
        name: {"type": "Pool", "shape": [UNITS], "act": "tanh", "from": [{"source": sources, "via": "Synapse"}]}
        for name, sources in read_by(number).items()
    }
    return {"inputs": {"x": [UNITS]}, "blocks": blocks}


def document(number: int) -> str:
    """The same as a text."""
    lines = ["experiment: pools", "net:", "  inputs:", f"    x: [{UNITS}]", "  blocks:"]
    for name, sources in read_by(number).items():
        lines += [f"    {name}:", "      type: Pool", f"      shape: [{UNITS}]", "      act: tanh", "      from:"]
        lines.append(f"        - {{source: [{', '.join(sources)}], via: Synapse}}")
    return "\n".join(lines) + "\n"


def preparation(way: str, number: int) -> Callable[[], Any]:
    """Makes the records or the text, which is not timed; what makes a net of them."""
    import rillnet as rn
    from rillnet.model.frontends import yaml

    if way == "yaml":
        text = document(number)
        return lambda: rn.Net.from_spec(yaml.read_text(text, "pools.yaml").experiment().net, seed=1)
    if way == "records":
        found = records(number)
        return lambda: rn.Net.from_spec(found, seed=1)
    read = read_by(number)

    def added() -> rn.Net:
        net = rn.Net("pools", inputs={"x": (UNITS,)}, seed=1)
        for name, sources in read.items():
            pool = rn.Pool(shape=(UNITS,), act="tanh")
            net.add(name, pool, source=[{"source": sources, "via": "Synapse"}])
        return net

    return added


def modules_alone(number: int) -> list[Any]:
    """The modules of such a net and nothing else."""
    from rillnet.model.layers import Pool, Synapse

    shape = (UNITS,)
    synapses = [Synapse([shape] * SOURCES, shape=shape) for _ in range(number)]
    return synapses + [Pool([shape], shape=shape, act="tanh") for _ in range(number)]


def measured(way: str, number: int) -> dict[str, float]:
    """Seconds of each step, and bytes of resident memory for each pool."""
    import psutil

    import rillnet as rn

    preparation("add", 2)()  # all that is imported and cached once
    process = psutil.Process()
    make = (lambda: modules_alone(number)) if way == "modules" else preparation(way, number)
    gc.collect()
    before = process.memory_info().rss
    begin, worked = time.perf_counter(), time.process_time()
    net = make()
    told = {"build_s": time.perf_counter() - begin, "build_cpu_s": time.process_time() - worked}
    gc.collect()
    told["build_bytes"] = (process.memory_info().rss - before) / number
    if way == "modules":
        return told
    begin = time.perf_counter()
    rollout = rn.Rollout.streaming(net)
    rollout.order()
    told["rollout_s"] = time.perf_counter() - begin
    begin = time.perf_counter()
    rollout.first_response(f"p{number - 1}")
    told["response_s"] = time.perf_counter() - begin
    gc.collect()
    told["bytes"] = (process.memory_info().rss - before) / number
    return told


def main(arguments: list[str] | None = None) -> int:
    """Measures each way and size in a process of its own, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--largest", action="store_true", help=f"{LARGEST:,} pools as well")
    parser.add_argument("--ways", nargs="+", default=["modules", *WAYS], choices=["modules", *WAYS])
    parser.add_argument("--one", nargs=2, metavar=("WAY", "NUMBER"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(measured(given.one[0], int(given.one[1]))))
        return 0
    print(
        "| pools | from | net, s | CPU, s | streaming rollout, s | first response, s | KB a pool: net | and rollout |"
    )
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for number in (*SIZES, *([LARGEST] if given.largest else [])):
        for way in given.ways:
            command = [sys.executable, __file__, "--one", way, str(number)]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            times = [f"{told[key]:.3f}" if key in told else "" for key in _TIMES]
            sizes = [f"{told[key] / 1e3:.1f}" if key in told else "" for key in ("build_bytes", "bytes")]
            print(f"| {number:,} | {way} | {' | '.join([*times, *sizes])} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
