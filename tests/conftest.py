"""What every test starts from: fixed seeds, a home of its own, one thread, and the real data where it is."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Before torch is imported, as it reads them once: test processes share the cores among themselves.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, as a test that fails must fail again; a loaded machine is no fault of an example.
settings.register_profile(
    "rillnet", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("rillnet")


def pytest_configure(config: pytest.Config) -> None:
    """Gives the session, and every process its tests start, an empty home, this source tree and plain output."""
    home = tempfile.mkdtemp(prefix="rillnet-tests-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    paths = [str(ROOT / "src"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ |= {
        "HOME": home,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(str(Path(path).resolve()) for path in paths)),
        "NO_COLOR": "1",
    }
    for forced in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        os.environ.pop(forced, None)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test draws from the same seeds, whichever tests ran before it; torch only where a test uses it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets, `mnist/` and `cifar10/` in it; skips the test where there is none."""
    root = Path(os.environ.get("RILLNET_DATA") or ROOT.parent / "shared" / "data")
    if not root.is_dir():
        pytest.skip(f"no real data sets: {root} is absent; name their folder in RILLNET_DATA")
    return root
