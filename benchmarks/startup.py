"""What `import rillnet` adds to `import torch`, and how long `rillnet --help` takes, each in processes of its own.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

_IMPORTS = "import torch, time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"
_NOTHING, _RILLNET = "pass", "import rillnet; rillnet.Net; rillnet.Session; rillnet.Experiment; rillnet.load"
_TORCH_THERE = "import sys; sys.argv = ['rillnet', '--help']\nfrom rillnet.serving.cli import main\n"
_TORCH_THERE += "try: main()\nexcept SystemExit: pass\nprint('torch' in sys.modules)"


def main(arguments: list[str] | None = None) -> int:
    """Measures, and prints the medians with their ranges."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args(arguments).rounds
    _output("-m", "rillnet", "--help")  # once, so that all byte code is written
    _output("-c", _IMPORTS.format(_RILLNET))
    bare, window, python, helped = [], [], [], []
    for _ in range(rounds):
        bare.append(float(_output("-c", _IMPORTS.format("import rillnet"))))
        window.append(float(_output("-c", _IMPORTS.format(_RILLNET))))
        python.append(_seconds("-c", _NOTHING))
        helped.append(_seconds("-m", "rillnet", "--help"))
    print(f"- `import rillnet` after `import torch`: {_spread(bare)}")
    print(f"- the same, and its classes Net, Experiment, Session, load: {_spread(window)}; target: under 0.3 s")
    print(f"- `python -m rillnet --help`, from start to end: {_spread(helped)}; target: under 0.5 s")
    print(f"- of which Python itself: {_spread(python)}")
    print(f"- torch is imported for it: {_output('-c', _TORCH_THERE).split()[-1]}")
    return 0


def _output(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout


def _seconds(*arguments: str) -> float:
    begin = time.perf_counter()
    _output(*arguments)
    return time.perf_counter() - begin


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    sys.exit(main())
